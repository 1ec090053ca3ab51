//! `gantry install` and `gantry uninstall`.
use crate::home::Home;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

const CONFIG: &str = ".config/opencode/opencode.json";
const TERMINAL: &str = ".config/opencode/tui.json";
const PACKAGE: &str = concat!("opencode-gantry@", env!("CARGO_PKG_VERSION"));

#[test]
fn in_and_out_again() {
    let home = Home::new();
    let before = "{\n  // my model\n  \"model\": \"a/b\",\n}\n";
    home.write(CONFIG, before);
    let plan = home.gantry(&["install", "--plugin", PACKAGE, "--dry-run"]).ok();
    assert!(plan.starts_with("~/.config/opencode/opencode.json: Gantry would be added\n"), "{plan}");
    assert!(plan.contains(&format!("\n+  \"plugin\": [\"{PACKAGE}\"],\n")), "{plan}");
    assert_eq!(home.read(CONFIG).as_deref(), Some(before));
    let printed = home.gantry(&["install", "--plugin", PACKAGE, "--print"]).ok();
    assert_eq!(home.read(CONFIG).as_deref(), Some(before));
    let said = home.gantry(&["install", "--plugin", PACKAGE]).ok();
    assert!(
        said.starts_with("~/.config/opencode/opencode.json: Gantry was added\n  as it was before: ~/"),
        "{said}"
    );
    assert!(said.ends_with("type: /task what is to be done\n"), "{said}");
    assert_eq!(home.read(CONFIG), Some(printed));
    assert!(said.contains("~/.config/opencode/tui.json: Gantry was added\n"), "{said}");
    let panel =
        format!("{{\n  \"$schema\": \"https://opencode.ai/tui.json\",\n  \"plugin\": [\"{PACKAGE}\"]\n}}\n");
    assert_eq!(home.read(TERMINAL), Some(panel));
    let again = home.gantry(&["install", "--plugin", PACKAGE]).ok();
    assert!(again.contains("Gantry is there already, in this version"), "{again}");
    let out = home.gantry(&["uninstall"]).ok();
    assert!(out.starts_with("~/.config/opencode/opencode.json: Gantry was taken out\n"), "{out}");
    assert_eq!(home.read(CONFIG).as_deref(), Some(before));
    assert_eq!(home.read(TERMINAL), None);
    assert_eq!(home.gantry(&["uninstall"]).ok(), "Gantry is not installed here: nothing to take out.\n");
}

#[test]
fn both_files_or_none() {
    let home = Home::new();
    let theme = "{\n  // dark\n  \"theme\": \"nord\"\n}\n";
    home.write(CONFIG, "{}\n");
    home.write(TERMINAL, theme);
    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    assert!(home.read(TERMINAL).is_some_and(|text| text.contains("// dark") && text.contains(PACKAGE)));
    home.gantry(&["uninstall"]).ok();
    assert_eq!((home.read(CONFIG).as_deref(), home.read(TERMINAL).as_deref()), (Some("{}\n"), Some(theme)));

    home.write(TERMINAL, "{\"plugin\": 3}");
    let said = home.gantry(&["install", "--plugin", PACKAGE]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("tui.json has \"plugin\""), "{}", said.err);
    assert_eq!(home.read(CONFIG).as_deref(), Some("{}\n"), "the other file is not written either");

    home.write(TERMINAL, theme);
    fs::set_permissions(home.path(TERMINAL), fs::Permissions::from_mode(0o444)).unwrap();
    for dry in [&["install", "--plugin", PACKAGE, "--dry-run"][..], &["install", "--plugin", PACKAGE]] {
        let said = home.gantry(dry);
        assert_eq!(said.code, 1);
        assert!(said.err.contains("tui.json is read-only: allow writing with"), "{}", said.err);
        assert_eq!(home.read(CONFIG).as_deref(), Some("{}\n"), "the other file is not written either");
    }
    fs::set_permissions(home.path(TERMINAL), fs::Permissions::from_mode(0o644)).unwrap();

    // The 2.x line reads other files.
    home.write(TERMINAL, theme);
    home.gantry(&["install", "--plugin", PACKAGE, "--host", "v2"]).ok();
    assert_eq!(home.read(TERMINAL).as_deref(), Some(theme));
}

/// 2.x draws the panel with the plugin of `opencode.json`; `cli.json` is its own, and made of `tui.json`.
#[test]
fn the_line_of_the_host_decides_on_the_panel() {
    const CLIENT: &str = ".config/opencode/cli.json";
    let cases = [
        (Some("1.18.33"), "auto", true),
        (Some("2.3.0"), "auto", false),
        (Some("2.3.0"), "v1", true),
        (Some("1.18.33"), "v2", false),
        (None, "auto", true),
    ];
    for (version, line, panel) in cases {
        let home = Home::new();
        home.program("opencode", &version.map_or("exit 127".into(), |version| format!("echo {version}")));
        let client = "{\n  \"plugins\": [\"x\", \"opencode-gantry@0.0.1\"]\n}\n";
        home.write(CLIENT, client);
        home.gantry(&["install", "--plugin", PACKAGE, "--host", line]).ok();
        let list = format!("\"plugin\": [\"{PACKAGE}\"]");
        assert!(home.read(CONFIG).is_some_and(|text| text.contains(&list)), "both lines read it");
        assert_eq!(home.read(TERMINAL).is_some(), panel, "{version:?} {line}");
        let kept = client.replace("opencode-gantry@0.0.1", PACKAGE);
        assert_eq!(home.read(CLIENT), Some(kept), "{version:?} {line}");
        home.gantry(&["uninstall"]).ok();
        assert_eq!((home.read(CONFIG), home.read(TERMINAL)), (None, None));
        assert_eq!(home.read(CLIENT).as_deref(), Some("{\n  \"plugins\": [\"x\"]\n}\n"));
    }
}

#[test]
fn in_a_project() {
    let home = Home::new();
    fs::create_dir(home.path("app")).unwrap();
    // Not the host's there.
    home.write("app/cli.json", "no JSON");
    home.gantry(&["install", "--project", "app", "--plugin", PACKAGE]).ok();
    assert!(home.read("app/opencode.json").is_some_and(|text| text.contains(PACKAGE)));
    assert_eq!(home.read(CONFIG), None);
    assert!(!home.path("app/.opencode").exists());
    home.gantry(&["uninstall", "--project", "app"]).ok();
    assert_eq!(home.read("app/opencode.json"), None);

    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    let twice = home.gantry(&["install", "--project", "app", "--plugin", PACKAGE]);
    assert_eq!(twice.code, 1);
    assert!(twice.err.contains("opencode.json already: take it out there first"), "{}", twice.err);
    assert_eq!(home.read("app/opencode.json"), None);
}

#[test]
fn refusals_say_what_to_do_and_change_nothing() {
    let home = Home::new();
    home.write(CONFIG, "{\"plugin\": \"x\"}");
    let said = home.gantry(&["install"]);
    assert_eq!(said.code, 1);
    let wanted = "gantry: ~/.config/opencode/opencode.json has \"plugin\" as a string: write it as a list, as in \"plugin\": [\"name\"]\n";
    assert_eq!(said.err, wanted);
    assert_eq!(home.read(CONFIG).as_deref(), Some("{\"plugin\": \"x\"}"));
    let usage = home.gantry(&["install", "--global", "--project", "x"]);
    assert_eq!(usage.code, 2, "{}", usage.err);
    for help in [["install", "--help"], ["uninstall", "--help"]] {
        assert!(home.gantry(&help).ok().contains("Usage: gantry"));
    }
    assert_eq!(home.read(CONFIG).as_deref(), Some("{\"plugin\": \"x\"}"), "help changes nothing");
}

/// SIGKILL after 0 to 6 ms, which is how long an installation takes.
#[test]
fn killed_at_any_moment() {
    let home = Home::new();
    let before = "{\n  \"a\": 1\n}\n";
    home.write(CONFIG, before);
    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    let after = home.read(CONFIG).unwrap();
    home.gantry(&["uninstall"]).ok();
    let mut seen = [0, 0];
    for n in 0..200 {
        let mut install = home.command(&["install", "--plugin", PACKAGE, "--host", "v1"]);
        let mut child = install.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(n * 30));
        child.kill().unwrap();
        child.wait().unwrap();
        let text = home.read(CONFIG).unwrap();
        assert!(text == before || text == after, "{n}: {text}");
        seen[usize::from(text == after)] += 1;
        home.gantry(&["uninstall"]).ok();
        assert_eq!(home.read(CONFIG).as_deref(), Some(before), "{n}");
    }
    assert!(seen[0] > 0, "{seen:?}: none was early enough");
}
