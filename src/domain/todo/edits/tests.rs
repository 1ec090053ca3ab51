use super::*;
use proptest::prelude::*;

fn item(id: &str, title: &str, state: TodoState) -> TodoItem {
    TodoItem {
        id: id.into(),
        title: title.into(),
        state,
        files: vec!["src/a.rs".into()],
        depends_on: Vec::new(),
    }
}

fn items(states: &[TodoState]) -> Vec<TodoItem> {
    let of =
        |(n, state): (usize, &TodoState)| item(&format!("T{}", n + 1), &format!("Part {}", n + 1), *state);
    states.iter().enumerate().map(of).collect()
}

/// As it is written by Gantry.
fn written(items: &[TodoItem]) -> Document {
    let mut document = Document::parse("# Mine\n");
    document.set_section("m1", "A mission", items, 1);
    document
}

fn edited(document: &Document, changes: &[(&str, &str)]) -> Document {
    let mut text = document.render();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replace(from, to);
    }
    Document::parse(&text)
}

use TodoState::*;

fn marked(id: &str, state: TodoState) -> Edit {
    Edit::Marked { id: id.into(), state }
}
fn rearranged(id: &str, files: &str, after: &str) -> Edit {
    let list = |text: &str| text.split_whitespace().map(String::from).collect();
    Edit::Rearranged { id: id.into(), files: list(files), depends_on: list(after) }
}
fn added(id: Option<&str>, title: &str) -> Edit {
    Edit::Added { id: id.map(String::from), title: title.into(), files: Vec::new(), depends_on: Vec::new() }
}

#[test]
fn what_counts_as_an_edit() {
    let base = items(&[Open, Running, Done]);
    let one = "- [ ] T1: Part 1 (files: src/a.rs)\n";
    let two = "- [~] T2: Part 2 (files: src/a.rs) (running)\n";
    let reworded = Edit::Reworded { id: "T1".into(), title: "Other words".into() };
    let rows: &[(&str, &str, Vec<Edit>)] = &[
        (one, one, vec![]),
        (one, "- [x] T1: Part 1 (files: src/a.rs)\n", vec![marked("T1", Done)]),
        (one, "* [-] T1: Part 1 (files: src/a.rs)\n", vec![marked("T1", Skipped)]),
        (one, "- [ ] T1: Part 1\n", vec![rearranged("T1", "", "")]),
        (one, "- [ ] T1: Part 1 (files: b, c) (after: T3)\n", vec![rearranged("T1", "b c", "T3")]),
        (
            one,
            "- [ ] T1: Other words (after: T3)\n",
            vec![reworded.clone(), rearranged("T1", "src/a.rs", "T3")],
        ),
        ("- [x] T3", "- [ ] T3", vec![marked("T3", Open)]),
        (two, "- [x] T2: Part 2 (files: src/a.rs) (running)\n", vec![marked("T2", Done)]),
        (one, "- [ ] T1: Other words (files: src/a.rs)\n", vec![reworded.clone()]),
        (one, "- [x] T1: Other words\n", vec![reworded, marked("T1", Done)]),
        (one, "", vec![Edit::Removed { id: "T1".into() }]),
        (two, "- [~] T2: Part 2 (files: src/a.rs)\n", vec![]),
        (one, &format!("{one}- [ ] Write the docs\n"), vec![added(None, "Write the docs")]),
        (one, &format!("{one}- [ ] see: the docs\n"), vec![added(Some("see"), "the docs")]),
        (one, &format!("{one}+ [ ] T9: Docs\n"), vec![added(Some("T9"), "Docs")]),
        (one, &format!("{one}  - [ ] a step of T1\n  - [ ] T8: another\n"), vec![]),
        (one, &format!("{one}- [x] done by me\n- [ ]\n- plain\n"), vec![]),
        (one, &format!("{one}- [x] T1: a copy\n"), vec![]),
    ];
    for (from, to, expected) in rows {
        assert_eq!(edited(&written(&base), &[(from, to)]).edits("m1", &base), *expected, "{to}");
    }
    let with_files =
        edited(&written(&base), &[(one, &format!("{one}- [ ] Docs (files: a, b) (after: T1)\n"))]);
    let files = vec!["a".to_owned(), "b".to_owned()];
    let edit = Edit::Added { id: None, title: "Docs".into(), files, depends_on: vec!["T1".into()] };
    assert_eq!(with_files.edits("m1", &base), [edit]);
    assert_eq!(
        Document::parse("# Mine\n").edits("m1", &base),
        [],
        "a section that went away removes nothing"
    );
}

#[test]
fn a_mark_that_was_not_seen_stays_and_one_that_was_seen_is_overwritten() {
    let mut base = items(&[Running, Running]);
    let mut document = edited(&written(&base), &[("[~] T1", "[x] T1")]);
    let states = [("T1".to_owned(), Review), ("T2".to_owned(), Done)];
    assert_eq!(document.merge_states("m1", &states, 2, &mut base, &[]), Ok(true));
    assert_eq!(document.items("m1").iter().map(|i| i.state).collect::<Vec<_>>(), [Done, Done]);
    assert_eq!(base.iter().map(|i| i.state).collect::<Vec<_>>(), [Review, Done], "what Gantry says of it");
    let seen = document.edits("m1", &base);
    assert_eq!(seen, [marked("T1", Done)]);
    // Marked once more since it was seen.
    let mut again = edited(&document, &[("[x] T1", "[-] T1")]);
    let refused = [("T1".to_owned(), Review)];
    assert_eq!(again.merge_states("m1", &refused, 3, &mut base.clone(), &seen), Ok(false));
    assert_eq!(again.items("m1")[0].state, Skipped);
    assert_eq!(document.merge_states("m1", &refused, 3, &mut base, &seen), Ok(true));
    assert_eq!((document.items("m1")[0].state, document.edits("m1", &base)), (Review, vec![]));
}

#[test]
fn a_plan_that_is_written_anew_keeps_both_sides_of_a_conflict() {
    let base = items(&[Open, Open, Open]);
    let mut document = edited(
        &written(&base),
        &[
            ("T1: Part 1", "T1: My words"),
            ("- [ ] T2: Part 2 (files: src/a.rs)\n", ""),
            ("Part 3", "Mine, too"),
        ],
    );
    let mut plan = base.clone();
    plan[0].title = "The plan's words".into();
    plan.push(item("T4", "New", Open));
    document.merge_section("m1", "A mission", &plan, 2, &base, &[]);
    assert_eq!(
        document.render(),
        "# Mine\n\n<!-- gantry:begin mission=m1 version=2 -->\n## A mission\n\
         - [ ] T1: My words (files: src/a.rs)\n  - Gantry's plan says: The plan's words\n\
         - [ ] T3: Mine, too (files: src/a.rs)\n- [ ] T4: New (files: src/a.rs)\n<!-- gantry:end -->\n"
    );
    let seen = document.edits("m1", &plan);
    assert_eq!(seen.len(), 3, "all of it is still to be taken notice of: {seen:?}");
    document.merge_section("m1", "A mission", &plan, 3, &plan, &seen);
    assert!(document.render().contains("- [ ] T1: The plan's words"), "the plan has the last word then");
    assert!(!document.render().contains("T2"), "what was removed stays away");
}

#[test]
fn what_is_in_the_plan_no_more_goes_from_the_file_unless_somebody_has_just_changed_it() {
    let base = items(&[Open, Open, Open]);
    let mut document = edited(&written(&base), &[("T3: Part 3", "T3: Part 3, mine")]);
    document.merge_section("m1", "A mission", &base[..1], 2, &base, &[]);
    let text = document.render();
    assert!(text.contains("T1") && !text.contains("T2") && text.contains("T3: Part 3, mine"), "{text}");
}

#[test]
fn a_box_without_an_id_becomes_the_item_with_its_words() {
    let base = items(&[Open]);
    let mut document = edited(
        &written(&base),
        &[("(files: src/a.rs)\n", "(files: src/a.rs)\n* [ ] Docs \\(x) (files: a)  \r\n")],
    );
    let [Edit::Added { title, .. }] = &document.edits("m1", &base)[..] else { panic!("one new box") };
    let plan = [base[0].clone(), item("U1", title, Running)];
    document.merge_section("m1", "A mission", &plan, 2, &base, &[]);
    assert!(
        document.render().contains("* [~] U1: Docs (x) (files: src/a.rs) (running)  \r\n"),
        "{}",
        document.render()
    );
    assert_eq!(document.edits("m1", &plan), []);
}

/// What a person does to the lines of a section, one thing for each item.
fn act(line: &str, what: u8) -> Option<String> {
    match what % 5 {
        0 => Some(line.into()),
        1 => Some(line.replacen("[ ]", "[x]", 1)),
        2 => Some(line.replacen("Part", "Piece", 1)),
        3 => None,
        _ => Some(format!("{line}\n- [ ] After that")),
    }
}

proptest! {
    #[test]
    fn nothing_is_an_edit_of_what_gantry_wrote(states in prop::collection::vec(0..7usize, 0..6)) {
        let base = items(&states.iter().map(|n| TodoState::ALL[*n]).collect::<Vec<_>>());
        prop_assert_eq!(written(&base).edits("m1", &base), vec![]);
    }

    /// Whatever Gantry writes meanwhile, an edit is told until it was seen, and a change of Gantry's on another item
    /// is in the file.
    #[test]
    fn no_edit_is_lost_under_a_write(
        acts in prop::collection::vec(any::<u8>(), 1..6),
        states in prop::collection::vec(0..7usize, 6),
        whole in any::<bool>(),
    ) {
        let mut base = items(&vec![Open; acts.len()]);
        let text = written(&base).render();
        let mut acts_left = acts.iter();
        let lines: Vec<_> = text.lines().filter_map(|line| match line.starts_with("- [") {
            true => act(line, *acts_left.next().expect("one for each")),
            false => Some(line.into()),
        }).collect();
        let mut document = Document::parse(&lines.join("\n"));
        let before = document.edits("m1", &base);
        let wanted: Vec<_> =
            base.iter().zip(&states).map(|(item, n)| (item.id.clone(), TodoState::ALL[*n])).collect();
        if whole {
            let plan: Vec<_> = base.iter().zip(&wanted).map(|(i, (_, s))| TodoItem { state: *s, ..i.clone() }).collect();
            document.merge_section("m1", "A mission", &plan, 2, &base, &[]);
            base = plan;
        } else {
            document.merge_states("m1", &wanted, 2, &mut base, &[]).expect("a section");
        }
        let after = document.edits("m1", &base);
        for edit in &before {
            // One that says what Gantry came to by itself is none any more.
            let agreed = matches!(edit, Edit::Marked { id, state } if wanted.contains(&(id.clone(), *state)));
            prop_assert!(after.contains(edit) || agreed, "{:?} is gone: {}", edit, document.render());
        }
        for item in document.items("m1") {
            let touched = before.iter().any(|edit| edit.id() == Some(&item.id) && edit.marked().is_some());
            let ours = wanted.iter().any(|(id, state)| *id == item.id && *state == item.state);
            prop_assert!(touched || ours, "{:?}", item);
        }
    }
}
