//! `gantry doctor` on set-ups that are in order, and on broken ones.
use crate::home::Home;
use serde_json::Value;
use std::fs;

const CONFIG: &str = ".config/opencode/opencode.json";
const PACKAGE: &str = concat!("opencode-gantry@", env!("CARGO_PKG_VERSION"));

/// A home where all is well.
fn healthy() -> Home {
    let home = Home::new();
    home.program("opencode", "echo 1.18.33");
    home.write("app/package.json", "{\"scripts\": {\"test\": \"node --test\"}}");
    home.gantry(&["install", "--plugin", PACKAGE]).ok();
    home
}

fn findings(home: &Home, args: &[&str]) -> (i32, Vec<Value>) {
    let said = home.gantry(&[&["doctor", "app", "--json"], args].concat());
    (said.code, serde_json::from_str(&said.out).unwrap())
}

#[test]
fn all_in_order() {
    let home = healthy();
    let said = home.gantry(&["doctor", "app"]).ok();
    let lines: Vec<_> = said.lines().filter(|line| !line.contains("MB free")).collect();
    let git = lines.iter().find(|line| line.contains("git version")).copied().unwrap_or_default();
    let gantry = lines.iter().find(|line| line.contains("  sidecar")).copied().unwrap_or_default();
    let wanted = [
        "ok    host       opencode 1.18.33",
        &format!("ok    plugin     registered in ~/{CONFIG} as {PACKAGE}"),
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

const CASES: [Case; 17] = [
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
        |home| home.write("app/opencode.json", "{\"plugin\": [\"opencode-gantry\"]}"),
        ["plugin", "fault", "registered 2 times", "--fix"],
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
        ["store", "fault", "gantry.db", ""],
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
        |home| {
            home.write(
                CONFIG,
                &format!(
                    "{{\"plugin\": [[\"file://{}\", {{\"bin\": \"/gone/gantry\"}}]]}}",
                    concat!(env!("CARGO_MANIFEST_DIR"), "/plugin-shim/package.json")
                ),
            )
        },
        ["plugin", "fault", "/gone/gantry, which is not there", "gantry install"],
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
fn of_two_entries_one_is_left() {
    let home = healthy();
    home.write("app/opencode.json", "{\n  \"a\": 1,\n  \"plugin\": [\"opencode-gantry\"]\n}\n");
    assert_eq!(findings(&home, &[]).0, 1);
    let (exit, fixed) = findings(&home, &["--fix"]);
    assert_eq!(exit, 0, "{fixed:#?}");
    let entries = |name: &str| home.read(name).unwrap_or_default().matches("opencode-gantry").count();
    assert_eq!(entries(CONFIG) + entries("app/opencode.json"), 1);
    assert_eq!(findings(&home, &[]).0, 0);
}
