use super::*;
use crate::domain::plan::one_line;
use proptest::prelude::*;

fn item(id: &str, title: &str, state: TodoState) -> TodoItem {
    TodoItem { id: id.into(), title: title.into(), state, files: Vec::new(), depends_on: Vec::new() }
}

fn plan() -> Vec<TodoItem> {
    let mut items = vec![item("T1", "Parser", TodoState::Open), item("T10", "Docs", TodoState::Open)];
    items[0].files = vec!["src/a.rs".into(), "docs/**".into()];
    items[1].depends_on = vec!["T1".into()];
    items
}

fn published(text: &str) -> Document {
    let mut document = Document::parse(text);
    document.set_section("m1", "Add a parser", &plan(), 1);
    document
}

fn set(document: &mut Document, states: &[(&str, TodoState)], version: u64) -> Result<bool, NoSection> {
    let states: Vec<(String, TodoState)> =
        states.iter().map(|(id, state)| (id.to_string(), *state)).collect();
    document.set_states("m1", &states, version)
}

const SECTION: &str = "<!-- gantry:begin mission=m1 version=1 -->\n## Add a parser\n\
    - [ ] T1: Parser (files: src/a.rs, docs/**)\n- [ ] T10: Docs (after: T1)\n<!-- gantry:end -->\n";

#[test]
fn a_section_goes_to_the_end_and_leaves_what_was_there() {
    let rows = [
        ("", String::from(SECTION)),
        ("# Notes\n", format!("# Notes\n\n{SECTION}")),
        ("no line end", format!("no line end\n\n{SECTION}")),
        ("blank below\n\n", format!("blank below\n\n{SECTION}")),
        ("\u{feff}", format!("\u{feff}{SECTION}")),
        ("a\r\nb", format!("a\r\nb\r\n\r\n{}", SECTION.replace('\n', "\r\n"))),
    ];
    for (before, after) in rows {
        let document = published(before);
        assert_eq!(document.render(), after, "{before:?}");
        assert_eq!((document.version(), document.items("m1")), (1, plan()));
        assert_eq!(Document::parse(&document.render()), document);
    }
}

#[test]
fn states_are_a_box_and_a_word() {
    let rows = [
        (TodoState::Open, "- [ ] T10: Docs (after: T1)"),
        (TodoState::Running, "- [~] T10: Docs (after: T1) (running)"),
        (TodoState::Review, "- [?] T10: Docs (after: T1) (in review)"),
        (TodoState::Done, "- [x] T10: Docs (after: T1)"),
        (TodoState::Failed, "- [!] T10: Docs (after: T1) (failed)"),
        (TodoState::Skipped, "- [-] T10: Docs (after: T1) (skipped)"),
        (TodoState::Blocked, "- [=] T10: Docs (after: T1) (blocked)"),
    ];
    for (from, _) in rows {
        for (to, line) in rows {
            let mut document = published("");
            set(&mut document, &[("T10", from)], 2).expect("a section");
            let changed = set(&mut document, &[("T10", to)], 3);
            assert_eq!(changed, Ok(from != to));
            assert_eq!(document.render().lines().nth(3), Some(line), "{from:?} to {to:?}");
            assert_eq!(document.items("m1")[1].state, to);
        }
    }
}

#[test]
fn completing_one_item_touches_no_other() {
    let mut document = published("# T1: Mine\n- [ ] T1: mine too\n");
    let before = document.render();
    assert_eq!(set(&mut document, &[("T1", TodoState::Done), ("T7", TodoState::Done)], 2), Ok(true));
    let expected = before.replace("- [ ] T1: Parser", "- [x] T1: Parser").replace("version=1", "version=2");
    assert_eq!(document.render(), expected);
    assert_eq!(set(&mut document, &[("T1", TodoState::Done)], 3), Ok(false));
    assert_eq!(document.render(), expected, "nothing to do, no new version");
    assert_eq!(document.set_states("m2", &[], 3), Err(NoSection));
}

#[test]
fn the_last_state_named_for_an_item_counts() {
    let mut document = published("");
    set(&mut document, &[("T1", TodoState::Running), ("T1", TodoState::Done)], 2).expect("a section");
    assert_eq!(document.items("m1")[0].state, TodoState::Done);
}

#[test]
fn what_people_changed_on_a_line_stays_with_a_new_state() {
    let rows = [
        ("  * [ ] T1: Reworded, by me  \n", "  * [~] T1: Reworded, by me (running)  \n"),
        ("+\t[X]  T1:x\n", "+\t[X]  T1:x\n"),
        ("- [X] T1: x (running)\n", "- [~] T1: x (running)\n"),
        ("- [/] T1: x\n", "- [~] T1: x (running)\n"),
        ("- [~] T1: x (running) (files: a)\n", "- [~] T1: x (files: a) (running)\n"),
        ("- [!] T1: x (failed)\r\n", "- [~] T1: x (running)\r\n"),
        ("- [ ] T1:\n", "- [~] T1: (running)\n"),
        ("- [ ] T1: f(running)\n", "- [~] T1: f(running) (running)\n"),
        ("- [ ] no id\n", "- [ ] no id\n"),
        ("- [] T1: x\n", "- [] T1: x\n"),
        ("-[ ] T1: x\n", "-[ ] T1: x\n"),
        ("- [ ] https://x\n", "- [ ] https://x\n"),
    ];
    let frame = |line: &str| format!("<!-- gantry:begin mission=m1 version=1 -->\n{line}<!-- gantry:end -->");
    for (before, after) in rows {
        let mut document = Document::parse(&frame(before));
        set(&mut document, &[("T1", TodoState::Running)], 1).expect("a section");
        assert_eq!(document.render(), frame(after));
    }
}

#[test]
fn a_ticked_box_beats_the_word_that_stayed() {
    let text = published("")
        .render()
        .replace("- [ ] T1: Parser (files: src/a.rs, docs/**)", "- [x] T1: Parser (running)");
    let mut document = Document::parse(&text);
    assert_eq!(document.items("m1")[0], item("T1", "Parser", TodoState::Done));
    set(&mut document, &[("T1", TodoState::Done)], 2).expect("a section");
    assert_eq!(document.render().lines().nth(2), Some("- [x] T1: Parser"));
}

#[test]
fn publishing_again_renews_and_keeps_what_people_added() {
    let text = published("before\n").render().replace(
        "- [ ] T10: Docs (after: T1)\n",
        "  - a note on T1\n- [ ] T10: Reworded\n- [ ] Mine: buy milk\n- [ ] no id\n\ntext\n",
    );
    let mut document = Document::parse(&format!("{text}after"));
    let mut items = plan();
    items[0].state = TodoState::Done;
    items.push(item("T11", "New", TodoState::Open));
    document.set_section("m1", "New title", &items, 7);
    assert_eq!(
        document.render(),
        "before\n\n<!-- gantry:begin mission=m1 version=7 -->\n## New title\n\
         - [x] T1: Parser (files: src/a.rs, docs/**)\n  - a note on T1\n- [ ] T10: Docs (after: T1)\n\
         - [ ] T11: New\n- [ ] Mine: buy milk\n- [ ] no id\n\ntext\n<!-- gantry:end -->\nafter"
    );
}

#[test]
fn a_removed_heading_comes_back() {
    let mut document = Document::parse(&SECTION.replace("## Add a parser\n", ""));
    document.set_section("m1", " Add a\nparser ", &plan(), 1);
    assert_eq!(document.render(), SECTION);
}

#[test]
fn a_section_that_is_over_gives_way_but_for_its_notes() {
    let mut document = published("before\n");
    set(&mut document, &[("T1", TodoState::Failed), ("T10", TodoState::Skipped)], 4).expect("a section");
    let text = document.render().replace("- [-]", "my note\n- [-]");
    let mut document = Document::parse(&format!("{text}after\n"));
    document.set_section("m2", "Next", &[item("T1", "x", TodoState::Open)], document.version() + 1);
    assert_eq!(
        document.render(),
        "before\n\nmy note\n<!-- gantry:begin mission=m2 version=5 -->\n## Next\n- [ ] T1: x\n<!-- gantry:end -->\nafter\n"
    );
}

#[test]
fn missions_that_run_side_by_side_have_a_section_each() {
    let mut document = published("");
    document.set_section("m2", "Other", &[item("T1", "x", TodoState::Open)], 2);
    set(&mut document, &[("T1", TodoState::Done)], 3).expect("a section");
    assert_eq!(document.items("m2"), [item("T1", "x", TodoState::Open)]);
    assert_eq!(document.items("m1")[0].state, TodoState::Done);
    assert_eq!(document.version(), 3);
    assert!(document.render().contains("mission=m2 version=2"));
}

#[test]
fn broken_comments_are_text() {
    let rows = [
        "<!-- gantry:begin mission=m1 version=1 -->\n- [ ] T1: x\n",
        "<!-- gantry:begin version=1 -->\n- [ ] T1: x\n<!-- gantry:end -->\n",
        "x <!-- gantry:begin mission=m1 -->\n- [ ] T1: x\n<!-- gantry:end -->\n",
        "<!-- gantry:end -->\n- [ ] T1: x\n<!-- gantry:begin mission=m1 version=1 -->\n",
    ];
    for text in rows {
        let mut document = Document::parse(text);
        assert_eq!(set(&mut document, &[("T1", TodoState::Done)], 2), Err(NoSection), "{text}");
        document.set_section("m1", "Add a parser", &plan(), 1);
        assert_eq!(document.render(), format!("{text}\n{SECTION}"));
        assert_eq!(
            document.items("m1"),
            plan(),
            "the new section is found although the old rest stands above"
        );
    }
    let odd = "<!--   gantry:begin version=99999999999999999999 mission=m1-->\r\n<!--gantry:end-->";
    let mut document = Document::parse(odd);
    assert_eq!(document.version(), 0);
    document.set_section("m1", "t", &[], 1);
    assert_eq!(document.render(), "<!-- gantry:begin mission=m1 version=1 -->\r\n## t\r\n<!--gantry:end-->");
}

#[test]
fn titles_and_files_with_our_own_punctuation_come_back() {
    let titles = [
        "Keep it (running)",
        "(files: a, b)",
        "x (after: T1) (failed)",
        "[x] T9: y",
        "half (open",
        "closed)",
        "back\\slash \\(running)",
        "ends in \\",
        "— running — done",
        "<!-- gantry:end -->",
        "",
    ];
    for title in titles {
        for state in TodoState::ALL {
            let mut written = item("T1", title, state);
            written.files = vec!["app/(group)/page.tsx".into(), "a, b".into(), "c\\d".into(), "e)".into()];
            let mut document = Document::parse("");
            document.set_section("m1", "t", &[written.clone()], 1);
            assert_eq!(document.items("m1"), [written]);
        }
    }
    let mut document = Document::parse("");
    document.set_section("m1", "t", &[item("T1", "two\r\nlines\u{2028}or three", TodoState::Open)], 1);
    assert_eq!(document.items("m1")[0].title, "two lines or three");
}

/// Text in which everything that means something to the parser turns up often.
fn noise() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        prop::sample::select(vec![
            "\n",
            "\r\n",
            "\r",
            " ",
            "\t",
            "\u{feff}",
            "- [ ] ",
            "* [x] ",
            "T1:",
            "T10: ",
            "(",
            ")",
            "\\",
            ",",
            "[",
            "]",
            "(files: a",
            "(after: T1)",
            " (running)",
            " (in review)",
            "—",
            "## ",
            "<!-- gantry:begin mission=m1 version=3 -->",
            "<!-- gantry:begin mission=m2 -->",
            "<!-- gantry:end -->",
        ])
        .prop_map(String::from),
        "\\PC{0,3}",
    ];
    prop::collection::vec(bit, 0..25).prop_map(|bits| bits.concat())
}

/// A section with noise in it, so that the parser sees many items.
fn framed() -> impl Strategy<Value = String> {
    let line = (prop::sample::select(vec!["- [ ] T1: ", "- [x] T2: ", "* [~] T10: ", "- [ ] ", ""]), noise());
    prop::collection::vec(line.prop_map(|(start, rest)| format!("{start}{rest}\n")), 0..8).prop_map(|lines| {
        format!("<!-- gantry:begin mission=m1 version=3 -->\n{}<!-- gantry:end -->\n", lines.concat())
    })
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let entry =
        noise().prop_map(|text| one_line(&text)).prop_filter("an entry has a name", |text| !text.is_empty());
    prop::collection::vec(entry, 0..3)
}

fn any_item(id: usize) -> impl Strategy<Value = TodoItem> {
    (noise(), prop::sample::select(TodoState::ALL.to_vec()), entries(), entries()).prop_map(
        move |(title, state, files, depends_on)| TodoItem {
            id: format!("T{id}"),
            title: one_line(&title),
            state,
            files,
            depends_on,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_not_changed_comes_back_byte_for_byte(text in prop_oneof![noise(), any::<String>()]) {
        prop_assert_eq!(Document::parse(&text).render(), text);
    }

    #[test]
    fn the_promises_hold_for_any_text(text in prop_oneof![noise(), framed(), any::<String>()]) {
        super::promises::parser(&text);
    }

    #[test]
    fn items_come_back_as_they_were_written(items in (any_item(0), any_item(1), any_item(2)), state in 0..7usize) {
        let mut items = [items.0, items.1, items.2];
        let mut document = Document::parse("");
        document.set_section("m9", "t", &items, 1);
        prop_assert_eq!(document.items("m9"), &items);
        items[1].state = TodoState::ALL[state];
        document.set_states("m9", &[("T1".into(), items[1].state)], 2).expect("a section");
        prop_assert_eq!(document.items("m9"), &items);
    }

    #[test]
    fn a_new_section_only_adds_to_a_file_without_one(text in noise(), items in any_item(0)) {
        prop_assume!(section::sections(&Document::parse(&text).lines).is_empty());
        let mut document = Document::parse(&text);
        document.set_section("m9", "t", std::slice::from_ref(&items), 1);
        prop_assert!(document.render().starts_with(&text));
        prop_assert_eq!(document.items("m9"), &[items]);
        prop_assert_eq!(document.version(), 1);
    }

    #[test]
    fn a_state_changes_its_own_line_and_the_comment_only(text in noise(), state in 0..7usize) {
        let text = format!("<!-- gantry:begin mission=m1 version=3 -->\n- [ ] T1: a\n{text}\n<!-- gantry:end -->");
        let before = Document::parse(&text);
        let mut after = before.clone();
        if after.set_states("m1", &[("T1".into(), TodoState::ALL[state])], 4).is_ok() {
            prop_assert_eq!(before.lines.len(), after.lines.len());
            for (old, new) in before.lines.iter().zip(&after.lines) {
                let own = old.contains("T1:") || old.contains("gantry:begin");
                prop_assert!(old == new || own, "{} became {}", old, new);
            }
        }
    }

    #[test]
    fn publishing_into_any_file_keeps_every_line_of_people(text in noise()) {
        let before = Document::parse(&text);
        let mut after = before.clone();
        after.set_section("m1", "t", &plan(), 9);
        prop_assert!(plan().iter().all(|item| after.items("m1").contains(item)));
        let ours = |line: &&String| {
            Line::parse(line).is_some() || line.contains("gantry:") || line.starts_with("## ")
        };
        let rendered = after.render();
        let mut rest = rendered.as_str();
        for line in before.lines.iter().filter(|line| !ours(line)) {
            let at = rest.find(line.as_str());
            prop_assert!(at.is_some(), "{:?} is gone from {:?}", line, rendered);
            rest = &rest[at.unwrap_or(0) + line.len()..];
        }
    }
}
