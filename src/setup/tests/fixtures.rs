//! Configurations one by one: what an installation makes of them, to the byte.
use super::rig::{Rig, entry, host};
use crate::setup::disk::RealDisk;
use crate::setup::edit::{self, Change, HostLine};
use crate::setup::install::Part;
use crate::setup::places::Kind;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const E: &str = "\"opencode-gantry@0.1.0\"";

fn ours(element: &Value) -> bool {
    super::super::entry::is_ours(element, std::path::Path::new("/elsewhere"))
}

/// Before and after; `@` stands for the entry.
const ADDED: &[(&str, &str)] = &[
    ("{}", "{\n  \"plugin\": [@]\n}"),
    ("{}\n", "{\n  \"plugin\": [@]\n}\n"),
    ("{ }", "{\n  \"plugin\": [@]\n}"),
    ("{\n}\n", "{\n  \"plugin\": [@]\n}\n"),
    ("{\"a\":1}", "{\"a\":1, \"plugin\": [@]}"),
    ("{ \"a\": 1 }", "{ \"a\": 1, \"plugin\": [@] }"),
    ("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"plugin\": [@]\n}\n"),
    ("{\n  \"a\": 1,\n}\n", "{\n  \"a\": 1,\n  \"plugin\": [@],\n}\n"),
    ("{\n    \"a\": 1\n}", "{\n    \"a\": 1,\n    \"plugin\": [@]\n}"),
    ("{\n\t\"a\": 1\n}\n", "{\n\t\"a\": 1,\n\t\"plugin\": [@]\n}\n"),
    ("{\r\n  \"a\": 1\r\n}\r\n", "{\r\n  \"a\": 1,\r\n  \"plugin\": [@]\r\n}\r\n"),
    ("\u{feff}{\n  \"a\": 1\n}", "\u{feff}{\n  \"a\": 1,\n  \"plugin\": [@]\n}"),
    ("{\"plugin\": []}", "{\"plugin\": [@]}"),
    ("{\"plugin\": [ ]}", "{\"plugin\": [@]}"),
    ("{\"plugin\":[\"x\"]}", "{\"plugin\":[\"x\", @]}"),
    ("{\"plugin\": [\"x\",]}", "{\"plugin\": [\"x\", @,]}"),
    ("{\"plugin\": [\"x\", \"y\"], \"b\": 2}", "{\"plugin\": [\"x\", \"y\", @], \"b\": 2}"),
    ("{\n  \"plugin\": [\n    \"x\"\n  ]\n}", "{\n  \"plugin\": [\n    \"x\",\n    @\n  ]\n}"),
    (
        "{\n  \"plugin\": [\n    \"x\", // mine\n  ],\n}",
        "{\n  \"plugin\": [\n    \"x\", // mine\n    @,\n  ],\n}",
    ),
    (
        "{\n  // keep\n  \"a\": 1, // this\n  /* and this */\n}",
        "{\n  // keep\n  \"a\": 1, // this\n  \"plugin\": [@],\n  /* and this */\n}",
    ),
    ("// top\n{\"a\": [1, 2]}\n// end", "// top\n{\"a\": [1, 2], \"plugin\": [@]}\n// end"),
    ("{\"plugins\": [\"x\"]}", "{\"plugins\": [\"x\", @]}"),
    ("{\"plugin\": [\"x\"], \"plugins\": []}", "{\"plugin\": [\"x\", @], \"plugins\": []}"),
    ("{\"plugin\": [[\"x\", {\"o\": 1}]]}", "{\"plugin\": [[\"x\", {\"o\": 1}], @]}"),
    ("{\"provider\": {\"plugin\": 3}}", "{\"provider\": {\"plugin\": 3}, \"plugin\": [@]}"),
    ("{\"plugin\": [\"opencode-gantry-extras\"]}", "{\"plugin\": [\"opencode-gantry-extras\", @]}"),
    ("{\"a\": \"{ // no comment }\"}", "{\"a\": \"{ // no comment }\", \"plugin\": [@]}"),
    ("{\"a\": 1.50, \"b\": 1e5}", "{\"a\": 1.50, \"b\": 1e5, \"plugin\": [@]}"),
];

#[test]
fn what_is_added() {
    let mut wrong = Vec::new();
    for (before, after) in ADDED {
        let edited = edit::add(before, &entry(), HostLine::Auto, &ours);
        let wanted = after.replace('@', E);
        match edited {
            Ok(edited) if edited.text == wanted && edited.change == Change::Added => {}
            other => wrong.push(format!("{before:?}\n  wanted {wanted:?}\n  got    {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A build on this machine has options; before and after in which the list that is only of 2.x has them as an object.
#[test]
fn options_are_written_as_the_list_has_them() {
    let local = json!(["file:///p/opencode-gantry/dist/index.js", {"bin": "/p/gantry"}]);
    let pair = "[\"file:///p/opencode-gantry/dist/index.js\", { \"bin\": \"/p/gantry\" }]";
    let object = "{ \"package\": \"file:///p/opencode-gantry/dist/index.js\", \"options\": { \"bin\": \"/p/gantry\" } }";
    let cases = [
        ("{\"plugin\": []}", "{\"plugin\": [@]}", pair),
        ("{\"plugins\": [\"x\"]}", "{\"plugins\": [\"x\", @]}", object),
        ("{\"plugins\": [\"opencode-gantry\"]}", "{\"plugins\": [@]}", object),
        (
            "{\"plugin\": [], \"plugins\": [[\"opencode-gantry\", {}]]}",
            "{\"plugin\": [], \"plugins\": [@]}",
            object,
        ),
        ("{\"plugin\": [\"opencode-gantry\"], \"plugins\": []}", "{\"plugin\": [@], \"plugins\": []}", pair),
    ];
    for (before, after, entry) in cases {
        let edited = edit::add(before, &local, HostLine::Auto, &ours).expect(before);
        assert_eq!(edited.text, after.replace('@', entry), "{before}");
        assert_eq!(
            edit::add(&edited.text, &local, HostLine::Auto, &ours).map(|e| e.change),
            Ok(Change::Nothing)
        );
    }
}

/// Before and after an update.
const UPDATED: &[(&str, &str)] = &[
    ("{\"plugin\": [\"opencode-gantry\"]}", "{\"plugin\": [@]}"),
    ("{\"plugin\": [\"opencode-gantry@0.0.9\", \"x\"]}", "{\"plugin\": [@, \"x\"]}"),
    ("{\"plugin\": [[\"opencode-gantry\", {\"workers\": 3}]]}", "{\"plugin\": [[@, { \"workers\": 3 }]]}"),
    ("{\"plugins\": [{\"package\": \"opencode-gantry\"}]}", "{\"plugins\": [{ \"package\": @ }]}"),
    ("{\"plugin\": [\"opencode-gantry@1\", \"x\", \"opencode-gantry@2\"]}", "{\"plugin\": [@, \"x\"]}"),
    (
        "{\"plugin\": [\"opencode-gantry@1\"], \"plugins\": [\"opencode-gantry\"]}",
        "{\"plugin\": [@], \"plugins\": []}",
    ),
    (
        "{\n  \"plugin\": [\n    // the good one\n    \"opencode-gantry@0.0.1\", // so\n    \"y\"\n  ]\n}",
        "{\n  \"plugin\": [\n    // the good one\n    @, // so\n    \"y\"\n  ]\n}",
    ),
];

#[test]
fn what_is_brought_up_to_date() {
    for (before, after) in UPDATED {
        let edited = edit::add(before, &entry(), HostLine::Auto, &ours);
        let text = after.replace('@', E);
        assert_eq!(edited, Ok(edit::Edited { text, change: Change::Replaced }), "{before}");
    }
}

/// What is refused, with the beginning of what is said.
const REFUSED: &[(&str, &str)] = &[
    ("[1]", "does not hold an object"),
    ("3", "does not hold an object"),
    ("{", "is not valid JSON at line 1"),
    ("{\n  \"a\": }\n", "is not valid JSON at line 2"),
    ("{a: 1}", "is not valid JSON at line 1"),
    ("{'a': 1}", "is not valid JSON at line 1"),
    ("{\"a\": 1 \"b\": 2}", "is not valid JSON at line 1"),
    ("{\"plugin\": \"x\"}", "has \"plugin\" as a string: write it as a list"),
    ("{\"plugin\": {\"x\": 1}}", "has \"plugin\" as a object: write it as a list"),
    ("{\"plugin\": null}", "has \"plugin\" as a null: write it as a list"),
    ("{\"plugin\": [], \"plugin\": []}", "has \"plugin\" twice"),
    ("{} {}", "is not valid JSON at line 1"),
    ("{\"a\": /* open", "is not valid JSON at line 1"),
];

#[test]
fn what_is_refused() {
    for (text, said) in REFUSED {
        let fault = edit::add(text, &entry(), HostLine::Auto, &ours).expect_err(text);
        assert!(fault.to_string().starts_with(said), "{text}: {fault}");
        let fault = edit::remove(text, true, &ours).expect_err(text);
        assert!(fault.to_string().starts_with(said), "{text}: {fault}");
        let rig = Rig::new();
        rig.write("opencode.json", text);
        let error = rig.install().expect_err(text).to_string();
        assert!(error.contains("opencode.json") && error.contains(said), "{error}");
        assert_eq!(rig.read("opencode.json").as_deref(), Some(*text), "untouched");
        assert_eq!(rig.names(), ["opencode.json"]);
    }
}

#[test]
fn the_list_is_the_one_that_the_host_reads() {
    let text = "{\"plugins\": []}";
    let key = |line| edit::add(text, &entry(), line, &ours).map(|e| e.text);
    assert_eq!(key(HostLine::V2), Ok(format!("{{\"plugins\": [{E}]}}")));
    assert_eq!(key(HostLine::V1), Ok(format!("{{\"plugins\": [], \"plugin\": [{E}]}}")));
}

#[test]
fn an_empty_file_counts_as_an_empty_object() {
    for text in ["", "\n", "// nothing yet\n", "\u{feff}"] {
        let edited = edit::add(text, &entry(), HostLine::Auto, &ours).expect(text);
        assert_eq!(edit::count(&edited.text, &ours), Ok(1), "{:?}", edited.text);
        assert!(edited.text.contains(text.trim()));
    }
}

#[test]
fn with_no_file_one_is_made_and_removed_again() {
    let rig = Rig::new();
    let outcome = rig.install().expect("installed");
    assert_eq!(outcome.len(), 1);
    let made = format!("{{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"plugin\": [{E}]\n}}\n");
    assert_eq!(rig.read("opencode.json"), Some(made));
    assert_eq!(outcome.first().and_then(|o| o.backup.clone()), None);
    assert_eq!(rig.uninstall().expect("uninstalled").first().map(|o| o.after.clone()), Some(None));
    assert_eq!(rig.names(), Vec::<String>::new());
}

#[test]
fn the_folder_is_made_too() {
    let rig = Rig::new();
    fs::remove_dir(rig.folder()).expect("removed");
    rig.install().expect("installed");
    assert_eq!(rig.names(), ["opencode.json"]);
}

#[test]
fn where_the_user_has_edited_since_only_the_entry_goes() {
    let rig = Rig::new();
    rig.write("opencode.json", "{\n  \"a\": 1\n}\n");
    rig.install().expect("installed");
    let edited =
        rig.read("opencode.json").map(|t| t.replace("\"a\": 1", "\"a\": 2 /* new */")).expect("a file");
    rig.write("opencode.json", &edited);
    rig.uninstall().expect("uninstalled");
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{\n  \"a\": 2 /* new */\n}\n"));
    // A list of the user's own stays.
    rig.write("opencode.json", "{\"plugin\": [], \"a\": 1}");
    rig.install().expect("installed");
    let edited = rig.read("opencode.json").map(|t| t.replace("\"a\": 1", "\"a\": 2")).expect("a file");
    rig.write("opencode.json", &edited);
    rig.uninstall().expect("uninstalled");
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{\"plugin\": [], \"a\": 2}"));
}

/// A file before, what somebody makes of the installed one by replacing one text with another, and the file after an
/// update and the removal.
const TOUCHED: &[(Option<&str>, (&str, &str), &str)] = &[
    (Some("{\n  \"a\": 1\n}\n"), ("\"a\": 1", "\"a\": 2"), "{\n  \"a\": 2\n}\n"),
    (Some("{\"a\": 1}"), ("{\"a\"", "{\"$schema\": \"x\",\"a\""), "{\"$schema\": \"x\",\"a\": 1}"),
    (Some("{\"plugin\": []}"), ("{", "{\"a\": 1, "), "{\"a\": 1, \"plugin\": []}"),
    (Some("{\"plugin\": [\"opencode-gantry\"]}"), ("", ""), "{\"plugin\": []}"),
    (Some("{\"plugin\": [\"x\", \"opencode-gantry\"]}"), ("x", "y"), "{\"plugin\": [\"y\"]}"),
    (
        None,
        ("{\n", "{\n  \"a\": 1,\n"),
        "{\n  \"a\": 1,\n  \"$schema\": \"https://opencode.ai/config.json\"\n}\n",
    ),
    // Another plugin in the list that came with the entry.
    (Some("{}"), ("[\"", "[\"x\", \""), "{\n  \"plugin\": [\"x\"]\n}"),
];

#[test]
fn an_update_after_an_edit_does_not_take_the_entry_for_the_users() {
    for (before, (old, new), wanted) in TOUCHED {
        for updates in [0, 1, 2] {
            let rig = Rig::new();
            before.iter().for_each(|text| rig.write("opencode.json", text));
            rig.install().expect("installed");
            let touched = rig.read("opencode.json").expect("a file").replacen(old, new, 1);
            rig.write("opencode.json", &touched);
            // The same version first: it has nothing to write.
            rig.install().expect("again");
            for n in 0..updates {
                rig.install_entry(&RealDisk, json!(format!("opencode-gantry@{n}"))).expect("updated");
            }
            rig.uninstall().expect("uninstalled");
            assert_eq!(rig.read("opencode.json").as_deref(), Some(*wanted), "{before:?}, {updates} updates");
        }
    }
}

#[test]
fn the_mode_and_the_link_stay() {
    for mode in [0o600, 0o644, 0o640, 0o755] {
        let rig = Rig::new();
        fs::create_dir(rig.path("dotfiles")).expect("a folder");
        let real = rig.path("dotfiles").join("oc.json");
        fs::write(&real, "{}").expect("a file");
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).expect("a mode");
        symlink("dotfiles/oc.json", rig.path("opencode.json")).expect("a link");
        rig.install().expect("installed");
        let link = fs::symlink_metadata(rig.path("opencode.json")).expect("there");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&real).expect("there").mode() & 0o777, mode);
        assert!(fs::read_to_string(&real).expect("text").contains("opencode-gantry"));
        rig.uninstall().expect("uninstalled");
        assert_eq!(fs::read_to_string(&real).expect("text"), "{}");
        assert_eq!(fs::metadata(&real).expect("there").mode() & 0o777, mode);
        assert!(fs::symlink_metadata(rig.path("opencode.json")).expect("there").is_symlink());
    }
}

/// A file of the user's that root edits stays the user's. Only root may give files away.
#[test]
fn the_owner_stays() {
    let rig = Rig::new();
    rig.write("opencode.json", "{}");
    let path = rig.path("opencode.json");
    let mine = fs::metadata(&path).expect("there");
    let (uid, gid) = if mine.uid() == 0 { (1234, 4321) } else { (mine.uid(), mine.gid()) };
    std::os::unix::fs::chown(&path, Some(uid), Some(gid)).expect("an owner");
    rig.install().expect("installed");
    let owner = || fs::metadata(&path).map(|meta| (meta.uid(), meta.gid())).expect("there");
    assert_eq!(owner(), (uid, gid));
    rig.uninstall().expect("uninstalled");
    assert_eq!(owner(), (uid, gid));
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{}"));
}

#[test]
fn what_is_no_writable_text_file_is_left_alone() {
    let rig = Rig::new();
    fs::create_dir(rig.path("opencode.json")).expect("a folder");
    let error = rig.install().expect_err("a folder").to_string();
    assert!(error.ends_with("opencode.json is a folder, not a file: move it away and try again"), "{error}");
    fs::remove_dir(rig.path("opencode.json")).expect("removed");

    fs::write(rig.path("opencode.json"), b"{\"a\": \"\xff\"}").expect("a file");
    let error = rig.install().expect_err("not UTF-8").to_string();
    assert!(error.contains("is not UTF-8 text"), "{error}");

    rig.write("opencode.json", "{}");
    fs::set_permissions(rig.path("opencode.json"), fs::Permissions::from_mode(0o444)).expect("a mode");
    let error = rig.install().expect_err("read-only").to_string();
    assert!(error.contains("is read-only: allow writing with \"chmod u+w"), "{error}");
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{}"));
    assert_eq!(rig.names(), ["opencode.json"]);
}

#[test]
fn of_two_files_one_gets_it() {
    let rig = Rig::new();
    rig.write("opencode.json", "{\"a\": 1}");
    rig.write("opencode.jsonc", "{\"plugin\": [\"x\"]}");
    rig.install().expect("installed");
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{\"a\": 1}"));
    assert!(rig.read("opencode.jsonc").is_some_and(|t| t.contains(E)));
    // Somebody has put it into the other as well.
    rig.write("opencode.json", "{\"plugin\": [\"opencode-gantry\"]}");
    let outcomes = rig.install().expect("installed");
    assert_eq!(outcomes.iter().map(|o| o.change.clone()).collect::<Vec<_>>().len(), 2);
    let both = [rig.read("opencode.json"), rig.read("opencode.jsonc")];
    let count: usize = both.iter().flatten().map(|t| edit::count(t, &ours).expect("valid")).sum();
    assert_eq!(count, 1);
}

/// 2.x makes its file of that of 1.x, so an entry may be there that nobody has asked for.
#[test]
fn what_the_host_has_taken_over_is_kept_up_to_date_and_taken_out() {
    let client = |rig: &Rig| {
        let part = Part { kind: Kind::Client, wanted: false, ..host(entry()) };
        rig.with(&RealDisk, false, |i| i.install(&rig.folder(), &[host(entry()), part])).expect("installed");
        rig.read("cli.json")
    };
    let cases = [
        (None, None, None),
        (Some("{\"theme\": {}}"), Some("{\"theme\": {}}"), Some("{\"theme\": {}}")),
        (Some("{ broken"), Some("{ broken"), None),
        (
            Some("{\n  \"plugins\": [\n    \"x\",\n    \"opencode-gantry@0.0.9\"\n  ]\n}\n"),
            Some("{\n  \"plugins\": [\n    \"x\",\n    \"opencode-gantry@0.1.0\"\n  ]\n}\n"),
            Some("{\n  \"plugins\": [\n    \"x\"\n  ]\n}\n"),
        ),
        (
            Some("{\"plugins\": [{\"package\": \"opencode-gantry@0.0.9\", \"options\": {}}]}"),
            Some("{\"plugins\": [{ \"package\": \"opencode-gantry@0.1.0\", \"options\": {} }]}"),
            Some("{\"plugins\": []}"),
        ),
    ];
    for (before, installed, out) in cases {
        let rig = Rig::new();
        before.iter().for_each(|text| rig.write("cli.json", text));
        assert_eq!(client(&rig).as_deref(), installed, "{before:?}");
        match rig.uninstall() {
            Ok(_) => assert_eq!(rig.read("cli.json").as_deref(), out, "{before:?}"),
            Err(error) => {
                assert!(out.is_none() && error.to_string().contains("cli.json is not valid JSON"), "{error}");
                assert!(rig.read("opencode.json").is_some(), "nothing is taken out half");
            }
        }
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let rig = Rig::new();
    rig.write("opencode.json", "{}");
    let plan = rig.with(&RealDisk, true, |i| i.install(&rig.folder(), &[host(entry())])).expect("a plan");
    assert!(plan.first().and_then(|o| o.after.as_deref()).is_some_and(|t| t.contains(E)));
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{}"));
    assert!(!rig.home().exists());
}

#[test]
fn the_last_five_copies_are_kept() {
    let rig = Rig::new();
    rig.write("opencode.json", "{\"n\": 0}");
    for n in 0..8 {
        let other = json!(format!("opencode-gantry@{n}"));
        rig.install_entry(&RealDisk, other).expect("installed");
    }
    let kept = fs::read_dir(rig.home().join("install")).expect("a folder").flatten();
    let notes = kept.map(|e| e.path()).find(|p| p.is_dir()).expect("notes on the file");
    let copies = fs::read_dir(&notes).expect("a folder").flatten().map(|e| e.path());
    let copies: Vec<_> = copies.filter(|p| p.extension().is_some_and(|e| e == "backup")).collect();
    assert_eq!(copies.len(), 5);
    for copy in copies {
        assert_eq!(fs::metadata(&copy).expect("there").mode() & 0o777, 0o600, "it may hold keys");
    }
    rig.uninstall().expect("uninstalled");
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{\"n\": 0}"), "the bytes from before the first");
}

#[test]
fn uninstalling_what_is_not_there_does_nothing() {
    let rig = Rig::new();
    rig.write("opencode.json", "{ \"plugin\": [\"x\"] }");
    let outcomes = rig.uninstall().expect("nothing to do");
    assert!(outcomes.iter().all(|o| o.change == Change::Nothing && o.backup.is_none()));
    assert_eq!(rig.read("opencode.json").as_deref(), Some("{ \"plugin\": [\"x\"] }"));
}
