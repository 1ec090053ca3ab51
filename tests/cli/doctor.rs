//! `gantry doctor` on set-ups that are in order, and on broken ones.
use crate::home::Home;
use crate::stored::mission_until;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;

const CONFIG: &str = ".config/opencode/opencode.json";
const CLIENT: &str = ".config/opencode/cli.json";
const PANEL: &str = ".config/opencode/tui.json";
const GANTRY: &str = env!("CARGO_BIN_EXE_gantry");
const PACKAGE: &str = concat!("opencode-gantry@", env!("CARGO_PKG_VERSION"));

/// A build of the plugin on this machine, with its panel; answers with its address.
fn built(home: &Home) -> String {
    for name in ["index.js", "tui.js"] {
        let text = "export default {}\n";
        let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        let stamp = format!("// opencode-gantry {} {digest}\n", env!("CARGO_PKG_VERSION"));
        home.write(&format!("src/opencode-gantry/dist/{name}"), &format!("{stamp}{text}"));
    }
    home.write("src/opencode-gantry/package.json", "{\"name\": \"opencode-gantry\"}");
    format!("file://{}", home.path("src/opencode-gantry/dist/index.js").display())
}

/// The configuration with one entry.
fn entry(home: &Home, file: &str, spec: &str, options: Value) {
    home.write(file, &json!({"plugin": [[spec, options]]}).to_string());
}

/// A home where all is well.
fn healthy() -> Home {
    let home = Home::new();
    home.program("opencode", "echo 1.18.33");
    home.write("app/package.json", "{\"scripts\": {\"test\": \"node --test\"}}");
    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    home
}

fn findings(home: &Home, args: &[&str]) -> (i32, Vec<Value>) {
    findings_in(home, "app", args)
}

fn findings_in(home: &Home, folder: &str, args: &[&str]) -> (i32, Vec<Value>) {
    let said = home.gantry(&[&["doctor", folder, "--json"], args].concat());
    (said.code, serde_json::from_str(&said.out).unwrap())
}

#[test]
fn all_in_order() {
    let home = healthy();
    let said = home.gantry(&["doctor", "app"]).ok();
    let too_wide = |line: &&str| line.chars().count() > 80 && line.split_whitespace().count() > 3;
    assert_eq!(said.lines().find(too_wide), None);
    // What is too long for a line goes on below its text.
    let joined = said.replace(&format!("\n{:17}", ""), " ");
    let lines: Vec<_> = joined.lines().filter(|line| !line.contains("MB free")).collect();
    let git = lines.iter().find(|line| line.contains("git version")).copied().unwrap_or_default();
    let gantry = lines.iter().find(|line| line.contains("  sidecar")).copied().unwrap_or_default();
    let wanted = [
        "ok    host       opencode 1.18.33",
        &format!(
            "ok    plugin     registered in ~/{CONFIG} as {PACKAGE}, which OpenCode fetches when it starts"
        ),
        &format!(
            "ok    panel      registered in ~/{PANEL} as {PACKAGE}, which OpenCode fetches when it starts"
        ),
        gantry,
        "ok    options    the configuration of Gantry is in order",
        "ok    store      ~/.local/share/gantry/gantry.db (made by the first mission)",
        git,
        "ok    checks     npm test (found in the project)",
        "ok    log        ~/opencode-orchestrator.log (not begun)",
    ];
    assert_eq!(lines, wanted, "{said}");
    assert!(gantry.contains(concat!("gantry ", env!("CARGO_PKG_VERSION"), " (")), "{gantry}");
    assert!(!home.path(".local/share/gantry/gantry.db").exists(), "looking makes nothing");
}

/// What is broken, by what; the finding's code and level, and a word of what it says and of its remedy.
type Case = (&'static str, fn(&Home), [&'static str; 4]);

const CASES: [Case; 31] = [
    (
        "a turn of a mission that has ended",
        |home| mission_until(home, "turn_given_up"),
        ["sessions", "warning", "may still have a turn in ses_t1, in /home/ada/calc", "start opencode there"],
    ),
    (
        "something else at the place of the log",
        |home| std::os::unix::fs::symlink("/nowhere", home.path("opencode-orchestrator.log")).unwrap(),
        [
            "log",
            "good",
            "~/.local/share/gantry/opencode-orchestrator.log (not begun), because of ~/opencode",
            "",
        ],
    ),
    (
        "something else at both places of the log",
        |home| {
            fs::create_dir(home.path("opencode-orchestrator.log")).unwrap();
            fs::create_dir_all(home.path(".local/share/gantry/opencode-orchestrator.log")).unwrap();
        },
        ["log", "warning", "nothing can be logged: ~/opencode-orchestrator.log: ", "writable"],
    ),
    (
        "no panel",
        |home| fs::remove_file(home.path(PANEL)).unwrap(),
        ["panel", "warning", "so there is no panel", "doctor --fix"],
    ),
    (
        "two panels",
        |home| entry(home, "app/tui.json", &built(home).replace("index", "tui"), json!({})),
        ["panel", "fault", "loaded 2 times", "--fix"],
    ),
    (
        "a configuration of the terminal that is no JSON",
        |home| home.write(PANEL, "{"),
        ["panel", "fault", "tui.json is not valid JSON at line 1", "correct the file"],
    ),
    (
        "a sidecar for another system",
        |home| {
            // The head of a program for another kind of processor.
            home.program("foreign", "");
            fs::write(home.path("bin/foreign"), b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0")
                .unwrap();
            entry(home, CONFIG, &built(home), json!({"bin": home.path("bin/foreign")}));
        },
        ["sidecar", "fault", "bin/foreign, which does not run here", "gantry install"],
    ),
    (
        "a crash",
        |home| home.write(".local/share/gantry/crashes/crash-1.txt", "x"),
        ["crash", "warning", "crash-1.txt", "report it"],
    ),
    (
        "no host",
        |home| home.program("opencode", "exit 127"),
        ["host", "fault", "no opencode", "npm install -g opencode-ai"],
    ),
    (
        "an old host",
        |home| home.program("opencode", "echo 0.9.1"),
        ["host", "warning", "older than 1.18", "opencode upgrade"],
    ),
    (
        "a host that hangs",
        |home| home.program("opencode", "exec sleep 30"),
        ["host", "fault", "no opencode", "install"],
    ),
    (
        "not installed",
        |home| drop(home.gantry(&["uninstall"])),
        ["plugin", "fault", "not in OpenCode's configuration", "gantry install"],
    ),
    (
        "installed twice",
        |home| entry(home, "app/opencode.json", &built(home), json!({"bin": GANTRY})),
        ["plugin", "fault", "loaded 2 times", "--fix"],
    ),
    (
        "another version",
        |home| home.write(CONFIG, "{\"plugin\": [\"opencode-gantry@0.0.1\"]}"),
        ["plugin", "warning", "opencode-gantry@0.0.1", "gantry install"],
    ),
    (
        "a plugin file that is gone",
        |home| home.write(CONFIG, "{\"plugin\": [\"file:///gone/opencode-gantry/dist/index.js\"]}"),
        ["plugin", "fault", "/gone/opencode-gantry/dist/index.js, which is not there", "gantry install"],
    ),
    (
        "a configuration that is no JSON",
        |home| home.write(CONFIG, "{\"plugin\": [}"),
        ["plugin", "fault", "is not valid JSON at line 1", "correct the file"],
    ),
    (
        "a wrong option",
        |home| home.write("app/gantry.json", "{\"workers\": 99}"),
        ["options", "fault", "gantry.json:1: workers is 99", "correct it"],
    ),
    (
        "a store that is no database",
        |home| home.write(".local/share/gantry/gantry.db", &"no database".repeat(100)),
        ["store", "fault", "gantry.db", "move it away"],
    ),
    (
        "a store in a place that is a file",
        |home| {
            fs::remove_dir_all(home.path(".local/share/gantry")).unwrap();
            home.write(".local/share/gantry", "a file");
        },
        ["store", "fault", "is no folder that may be written", "GANTRY_HOME"],
    ),
    (
        "no checks",
        |home| fs::remove_file(home.path("app/package.json")).unwrap(),
        ["checks", "warning", "no checks", "gantry.jsonc"],
    ),
    (
        "a provider that is away",
        |home| {
            home.write(
                "app/opencode.json",
                "{\"provider\": {\"lab\": {\"options\": {\"baseURL\": \"http://127.0.0.1:1/v1\"}}}}",
            )
        },
        ["provider", "warning", "lab: 127.0.0.1:1 cannot be reached", "baseURL"],
    ),
    (
        "a provider without an address",
        |home| {
            home.write(
                "app/opencode.json",
                "{\"provider\": {\"lab\": {\"options\": {\"baseURL\": \"nonsense\"}}}}",
            )
        },
        ["provider", "warning", "nonsense is not an address", "baseURL"],
    ),
    ("no git", |home| home.program("git", "exit 1"), ["git", "fault", "no git", "install git"]),
    (
        "a sidecar that is gone",
        |home| entry(home, CONFIG, &built(home), json!({"bin": "/gone/gantry"})),
        ["sidecar", "fault", "/gone/gantry, which is not there", "gantry install"],
    ),
    (
        "a sidecar that is gone, of a package",
        |home| entry(home, CONFIG, PACKAGE, json!({"bin": "/gone/gantry"})),
        ["sidecar", "fault", "bin names /gone/gantry, which is not there", "gantry install"],
    ),
    (
        "no sidecar anywhere",
        |home| entry(home, CONFIG, &built(home), json!({})),
        ["sidecar", "fault", "none for this system", "GANTRY_BIN"],
    ),
    (
        "a plugin file that is none",
        |home| {
            entry(home, CONFIG, &built(home), json!({"bin": GANTRY}));
            home.write("src/opencode-gantry/dist/index.js", "garbage((\n");
        },
        ["plugin", "fault", "index.js, which is no build of Gantry's plugin", "build it"],
    ),
    (
        "a plugin file that was cut off",
        |home| {
            entry(home, CONFIG, &built(home), json!({"bin": GANTRY}));
            let file = home.path("src/opencode-gantry/dist/index.js");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(file, &text[..text.len() - 3]).unwrap();
        },
        ["plugin", "fault", "index.js, which is not as it was built", "build it"],
    ),
    (
        "a fetched package that was cut off",
        |home| {
            let fetched = format!(".cache/opencode/packages/{PACKAGE}/node_modules/opencode-gantry");
            home.write(
                &format!("{fetched}/package.json"),
                "{\"exports\": {\"./server\": \"./dist/index.js\"}}",
            );
            home.write(&format!("{fetched}/dist/index.js"), "");
            entry(home, CONFIG, PACKAGE, json!({"bin": GANTRY}));
            fs::remove_file(home.path(PANEL)).unwrap();
        },
        ["plugin", "fault", "opencode-gantry/dist/index.js, which is no build", "fetches it again"],
    ),
    (
        "a wrong option of the entry",
        |home| entry(home, CONFIG, PACKAGE, json!({"budgetTokns": 1000})),
        ["options", "fault", "opencode.json:1: no option \"budgetTokns\"", "no mission is accepted"],
    ),
    (
        "options that another entry covers",
        |home| {
            entry(home, CONFIG, PACKAGE, json!({"budgetTokens": 1000}));
            home.write("app/opencode.json", "{\"plugin\": [\"opencode-gantry\"]}");
        },
        ["plugin", "warning", "opencode.json do not count", "gantry.jsonc"],
    ),
];

#[test]
fn each_fault_is_named_with_a_remedy() {
    for (case, breaks, [code, level, what, remedy]) in CASES {
        let home = healthy();
        breaks(&home);
        let (exit, findings) = findings(&home, &[]);
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let found = findings.iter().find(|finding| {
            finding["code"] == code
                && finding["level"] == level
                && text(finding, "what").contains(what)
                && text(finding, "remedy").contains(remedy)
        });
        assert!(found.is_some(), "{case}: {findings:#?}");
        let sick = findings.iter().any(|finding| finding["level"] == "fault");
        assert_eq!(exit, i32::from(sick), "{case}");
        assert_eq!(level == "fault", sick, "{case}: {findings:#?}");
    }
}

#[test]
fn a_sidecar_that_the_environment_names_is_asked() {
    let home = healthy();
    let ask = |bin: &str| {
        let mut command = home.command(&["doctor", "app", "--json"]);
        let output = command.env("GANTRY_BIN", bin).output().unwrap();
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let found = findings.into_iter().find(|finding| finding["code"] == "sidecar").unwrap();
        (output.status.code(), found["level"].as_str().unwrap().to_owned(), found["what"].to_string())
    };
    assert_eq!(ask(env!("CARGO_BIN_EXE_gantry")).0, Some(0));
    home.program("other", "echo gantry 9.9.9");
    for (bin, said) in [
        ("/gone", "/gone, which is not there"),
        (&*home.path("bin/other").display().to_string(), "is \\\"gantry 9.9.9\\\"; this is gantry "),
    ] {
        let (code, level, what) = ask(bin);
        assert_eq!((code, level.as_str()), (Some(1), "fault"), "{what}");
        assert!(what.contains(said), "{what}");
    }
}

#[test]
fn open_missions_are_named_and_ended_ones_are_not() {
    let at = |kind: &str, code: &str| {
        let home = healthy();
        mission_until(&home, kind);
        let (exit, found) = findings(&home, &[]);
        assert_eq!(exit, 0, "{found:#?}");
        found.iter().find(|finding| finding["code"] == code).unwrap()["what"].as_str().unwrap().to_owned()
    };
    assert_eq!(at("planned", "missions"), "1 open, in /home/ada/calc");
    assert_eq!(at("planned", "sessions"), "no turn of an ended mission is left");
    assert_eq!(at("turn_ended", "missions"), "none is open");
    assert_eq!(at("turn_ended", "sessions"), "no turn of an ended mission is left");
}

#[test]
fn of_two_entries_one_is_left() {
    let home = healthy();
    let other = built(&home);
    home.write("app/opencode.json", &format!("{{\n  \"a\": 1,\n  \"plugin\": [\"{other}\"]\n}}\n"));
    assert_eq!(findings(&home, &[]).0, 1);
    let (exit, fixed) = findings(&home, &["--fix"]);
    assert_eq!(exit, 0, "{fixed:#?}");
    assert_eq!(home.read("app/opencode.json").as_deref(), Some("{\n  \"a\": 1,\n  \"plugin\": []\n}\n"));
    assert!(home.read(CONFIG).unwrap().contains(PACKAGE));
    assert_eq!(findings(&home, &[]).0, 0);
}

#[test]
fn no_option_is_lost_where_one_entry_is_made_of_two() {
    let of = |home: &Home, file: &str| {
        let config: Value = serde_json::from_str(&home.read(file).unwrap()).unwrap();
        config["plugin"].clone()
    };
    let options = json!({"budgetTokens": 9000, "permissions": ["deny webfetch"]});
    // To the host these are one entry, with the options of the project.
    let home = healthy();
    entry(&home, "app/opencode.json", "opencode-gantry", options.clone());
    assert_eq!(findings(&home, &["--fix"]).0, 0);
    assert_eq!(of(&home, "app/opencode.json"), json!([["opencode-gantry", options]]));
    assert!(home.read(CONFIG).unwrap().contains(PACKAGE));
    // These are two; the sidecar went with the file.
    let mut local = options.clone();
    local["bin"] = json!(GANTRY);
    entry(&home, "app/opencode.json", &built(&home), local);
    assert_eq!(findings(&home, &[]).0, 1);
    let (exit, fixed) = findings(&home, &["--fix"]);
    assert_eq!(exit, 0, "{fixed:#?}");
    assert_eq!(of(&home, "app/opencode.json"), json!([[PACKAGE, options]]));
    assert!(home.read(CONFIG).unwrap().contains(PACKAGE));
    // Which of two sets of options in one folder is meant, nobody can tell.
    let both = json!({"plugin": [["opencode-gantry", {"workers": 2}], [built(&home), {"workers": 3}]]});
    home.write("app/opencode.json", &both.to_string());
    let (exit, found) = findings(&home, &["--fix"]);
    assert_eq!(exit, 1);
    assert!(
        found.iter().any(|f| f["remedy"].as_str().is_some_and(|r| r.contains("yours to say"))),
        "{found:#?}"
    );
    assert_eq!(home.read("app/opencode.json"), Some(both.to_string()));
}

/// What is said of the checks, asked in a folder of the project.
fn checks_of_sub(home: &Home) -> String {
    let found = findings_in(home, "app/sub", &[]).1;
    found.iter().find(|f| f["code"] == "checks").unwrap()["what"].as_str().unwrap().to_owned()
}

#[test]
fn the_plugin_is_found_where_the_host_finds_it() {
    let plugin = |home: &Home, folder: &str, env: &[(&str, String)]| {
        let mut command = home.command(&["doctor", folder, "--json"]);
        let output = command.envs(env.iter().map(|(name, value)| (name, value))).output().unwrap();
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let found = findings.into_iter().find(|finding| finding["code"] == "plugin").unwrap();
        (found["level"].as_str().unwrap().to_owned(), found["what"].as_str().unwrap().to_owned())
    };
    let list = format!("{{\"plugin\": [\"{PACKAGE}\"]}}");
    let bare = || {
        let home = Home::new();
        home.program("opencode", "echo 1.18.33");
        home.write("app/.git/HEAD", "");
        home.write("app/sub/a.txt", "");
        home.write("app/Makefile", "test:\n\ttrue\n");
        home
    };
    let checks = checks_of_sub(&bare());
    assert!(checks.contains("make test"), "{checks}");
    assert_eq!(plugin(&bare(), "app/sub", &[]).0, "fault");
    for file in [
        "app/opencode.json",
        "app/opencode.jsonc",
        "app/sub/opencode.json",
        "app/.opencode/opencode.json",
        ".opencode/opencode.jsonc",
        ".config/opencode/config.json",
    ] {
        let home = bare();
        home.write(file, &list);
        let (level, what) = plugin(&home, "app/sub", &[]);
        assert!(level == "good" && what.contains(file), "{file}: {what}");
    }
    // Above the root of the working tree the host does not look.
    let home = bare();
    home.write("opencode.json", &list);
    assert_eq!(plugin(&home, "app/sub", &[]).0, "fault");
    home.write("named.json", &list);
    let named = home.path("named.json").display().to_string();
    let (level, what) = plugin(&home, "app/sub", &[("OPENCODE_CONFIG", named)]);
    assert!(level == "good" && what.contains("named.json"), "{what}");
    let (level, what) = plugin(&home, "app/sub", &[("OPENCODE_CONFIG_CONTENT", list.clone())]);
    assert!(level == "good" && what.contains("OPENCODE_CONFIG_CONTENT"), "{what}");
    // In the user's folder the list of a later file takes the place of one before it.
    home.write(".config/opencode/config.json", &list);
    home.write(CONFIG, "{\"plugin\": [\"other\"]}");
    assert_eq!(plugin(&home, "app/sub", &[]).0, "fault");
    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    assert!(home.read(CONFIG).unwrap().contains(&format!("[\"other\", \"{PACKAGE}\"]")));
    assert_eq!(plugin(&home, "app/sub", &[]).0, "good");
}

#[test]
fn of_two_panels_one_is_left_and_a_missing_one_is_added() {
    let home = healthy();
    let theirs = "{\n  // mine\n  \"theme\": \"nord\"\n}\n";
    let other = built(&home).replace("index", "tui");
    let twice = theirs.replace("\"nord\"", &format!("\"nord\",\n  \"plugin\": [\"{other}\"]"));
    home.write("app/tui.json", &twice);
    assert_eq!(findings(&home, &["--fix"]).0, 0);
    assert!(
        home.read("app/tui.json")
            .is_some_and(|text| text.contains("// mine") && !text.contains("opencode-gantry"))
    );
    assert!(home.read(PANEL).is_some_and(|text| text.contains(PACKAGE)));
    home.write(PANEL, theirs);
    let (exit, fixed) = findings(&home, &["--fix"]);
    assert!(exit == 0 && fixed.iter().any(|f| f["code"] == "panel" && f["level"] == "good"), "{fixed:#?}");
    assert!(home.read(PANEL).is_some_and(|text| text.contains("// mine") && text.contains(PACKAGE)));
    // The 2.x line draws it with the plugin.
    home.write(PANEL, theirs);
    home.program("opencode", "echo 2.0.22");
    assert!(findings(&home, &["--fix"]).1.iter().all(|f| f["code"] != "panel"));
    assert_eq!(home.read(PANEL).as_deref(), Some(theirs));
    // What it has taken over from 1.x may be of another version.
    home.write(CLIENT, "{\"plugins\": [\"opencode-gantry@0.0.1\"]}");
    let stale = |f: &&Value| f["code"] == "panel" && f["what"].as_str().unwrap().contains("cli.json names");
    let found = findings(&home, &[]).1;
    assert!(found.iter().find(stale).is_some_and(|f| f["level"] == "warning"), "{found:#?}");
    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    let found = findings(&home, &[]).1;
    assert!(found.iter().any(|f| f["code"] == "panel" && f["level"] == "good"), "{found:#?}");
}
