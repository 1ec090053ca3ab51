//! What holds for any text as a plan file: called by property tests on texts of moderate size, and by a fuzzer (`fuzz/`)
//! on whatever it comes up with.
use super::{Document, Edit, TodoItem, TodoState};
use crate::domain::plan::one_line;
use std::collections::HashSet;

/// Panics where a promise is broken.
pub fn parser(text: &str) {
    let document = Document::parse(text);
    assert_eq!(document.render(), text, "what is not changed comes back byte for byte");
    for (mission, _) in document.sections() {
        // As Gantry would have written it: of lines with one id the first counts.
        let mut ids = HashSet::new();
        let mut base = document.items(&mission);
        base.retain(|item| ids.insert(item.id.clone()));
        written(&document, &mission, &base);
        renewed(&document, &mission, &base);
    }
    published(&document);
}

/// No more and no less than the states that were set are other ones.
fn written(document: &Document, mission: &str, base: &[TodoItem]) {
    let Some(first) = base.first() else { return };
    for state in TodoState::ALL {
        let mut document = document.clone();
        let lines = document.lines.len();
        let states = [(first.id.clone(), state)];
        document.merge_states(mission, &states, 7, &mut base.to_vec(), &[]).expect("it has a section");
        assert_eq!(document.lines.len(), lines, "a state adds no line");
        let after = document.items(mission);
        for before in base {
            let after = after.iter().find(|item| item.id == before.id).expect("no line is lost");
            let wanted = if before.id == first.id { state } else { before.state };
            assert_eq!(
                (wanted, one_line(&before.title)),
                (after.state, one_line(&after.title)),
                "{}",
                before.id
            );
        }
    }
}

/// The plan as it stands, written anew, is taken for nobody's edit, and what people had changed is still told.
fn renewed(document: &Document, mission: &str, base: &[TodoItem]) {
    let older: Vec<TodoItem> = base
        .iter()
        .map(|item| TodoItem {
            title: format!("{} once", item.title),
            state: TodoState::Blocked,
            ..item.clone()
        })
        .collect();
    let told = document.edits(mission, &older);
    let mut document = document.clone();
    document.merge_section(mission, "t", &older, 7, &older, &[]);
    let still = document.edits(mission, &older);
    let lost = told.iter().find(|edit| !matches!(edit, Edit::Added { .. }) && !still.contains(edit));
    assert!(lost.is_none(), "{lost:?} is gone from {:?}", document.render());
}

/// A new section comes back as it was written, wherever it is put.
fn published(document: &Document) {
    let mission = "01-fresh";
    if document.section_version(mission).is_some() {
        return;
    }
    let item = |id: &str, state| TodoItem {
        id: id.into(),
        title: format!("Title of {id}"),
        state,
        files: vec!["a, (b)".into()],
        depends_on: Vec::new(),
    };
    let items = [item("T1", TodoState::Running), item("T10", TodoState::Open)];
    let mut document = document.clone();
    document.set_section(mission, "t", &items, 7);
    assert_eq!(document.items(mission), items);
    assert_eq!(document.edits(mission, &items), []);
}
