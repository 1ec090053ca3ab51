use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

struct Rig {
    root: tempfile::TempDir,
    plugin: Vec<Given>,
    env: Vec<(String, &'static str)>,
    flags: Vec<Flag>,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("user")).expect("a folder");
        fs::create_dir(root.path().join("project")).expect("a folder");
        Self { root, plugin: Vec::new(), env: Vec::new(), flags: Vec::new() }
    }

    /// An option of the plugin's entry.
    fn plugin(&mut self, name: &str, value: Value) {
        self.plugin.push(Given { name: name.to_owned(), value, origin: Origin::Plugin });
    }

    fn env(&mut self, name: &str, value: &'static str) {
        self.env.push((name.to_owned(), value));
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.root.path().join(file), text).expect("a file");
    }

    fn resolve(&self) -> Resolved {
        let env = self.env.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
        let project = self.root.path().join("project");
        let user = Some(self.root.path().join("user"));
        let (plugin, flags) = (self.plugin.clone(), self.flags.clone());
        Layers { user, project: &project, plugin, env, flags }.resolve()
    }

    fn workers(&self) -> (Value, String) {
        let resolved = self.resolve();
        assert_eq!(resolved.faults, []);
        let (_, value, origin) = resolved.values.iter().find(|(n, ..)| *n == "workers").expect("a default");
        let place = format!("{}/", self.root.path().display());
        (value.clone(), origin.to_string().replace(&place, ""))
    }

    fn faults(&self) -> Vec<String> {
        let place = format!("{}/", self.root.path().display());
        self.resolve().faults.iter().map(|f| f.to_string().replace(&place, "")).collect()
    }
}

#[test]
fn each_layer_covers_the_one_before() {
    let mut rig = Rig::new();
    assert_eq!(rig.workers(), (json!(10), "default".into()));
    rig.write("user/gantry.json", "\u{feff}{\n  // fewer\n  \"workers\": 2,\n}");
    assert_eq!(rig.workers(), (json!(2), "user/gantry.json:3".into()));
    rig.write("project/gantry.jsonc", "{ \"$schema\": \"x\", \"workers\": 3 }");
    assert_eq!(rig.workers(), (json!(3), "project/gantry.jsonc:1".into()));
    rig.plugin("workers", json!(4));
    rig.plugin("bin", json!("/opt/gantry"));
    assert_eq!(rig.workers(), (json!(4), "the plugin's options in OpenCode's configuration".into()));
    rig.env("GANTRY_WORKERS", "5");
    assert_eq!(rig.workers(), (json!(5), "GANTRY_WORKERS".into()));
    rig.flags.push(flag("workers=6").expect("good"));
    assert_eq!(rig.workers(), (json!(6), "--set".into()));
    let options = rig.resolve().options().expect("no fault");
    let wanted = json!({"workers": 6, "diagnostics": "auto", "fractal": "auto", "integrate": "apply", "isolation": "shared", "worktreeLinks": ["node_modules", ".venv", "venv"], "worktreeSetup": [], "worktreesAhead": 4, "sessionReuse": "off", "permissionTimeoutSeconds": 600, "planApproval": "auto", "planners": 10, "reviewers": 10, "maxDurationSeconds": 86400, "resume": "auto", "toasts": "normal", "todo": "TODO.md", "turnTimeoutSeconds": 600});
    assert_eq!(options, wanted);
}

#[test]
fn faults_name_the_place_and_what_would_be_right() {
    let cases: [(&str, &[&str]); 14] = [
        ("{\n\"worker\": 3}", &["project/gantry.json:2: no option \"worker\"; did you mean \"workers\"?"]),
        (
            "{\"turn_timeout\": 3}",
            &["project/gantry.json:1: no option \"turn_timeout\"; did you mean \"turnTimeoutSeconds\"?"],
        ),
        (
            "{\"providers\": {\"lab\": 0}}",
            &[
                "project/gantry.json:1: providers is {\"lab\":0}: it must be names with whole numbers from 1 to 50, as in {\"anthropic\": 4}, at most 50",
            ],
        ),
        (
            "{\"workers\": 0}",
            &["project/gantry.json:1: workers is 0: it must be a whole number from 1 to 50"],
        ),
        (
            "{\"workers\": 2.5}",
            &["project/gantry.json:1: workers is 2.5: it must be a whole number from 1 to 50"],
        ),
        (
            "{\"workers\": \"3\"}",
            &["project/gantry.json:1: workers is \"3\": it must be a whole number from 1 to 50"],
        ),
        (
            "{\"resume\": \"yes\"}",
            &["project/gantry.json:1: resume is \"yes\": it must be \"auto\" or \"report\""],
        ),
        (
            "{\"checks\": \"make\"}",
            &[
                "project/gantry.json:1: checks is \"make\": it must be a list of commands, as in [\"npm test\"]",
            ],
        ),
        (
            "{\"checks\": [\"\"]}",
            &["project/gantry.json:1: checks is [\"\"]: it must be a list of commands, as in [\"npm test\"]"],
        ),
        (
            "{\"todo\": \"../x\"}",
            &[
                "project/gantry.json:1: todo is \"../x\": it must be a path inside the project, such as \"TODO.md\"",
            ],
        ),
        (
            "{\"workers\": 1,\n\"workers\": 2}",
            &["project/gantry.json:2: workers stands here a second time: keep one"],
        ),
        ("[]", &["project/gantry.json:1: must hold an object { … }"]),
        (
            "{\n\n\"workers\" 3}",
            &[
                "project/gantry.json:3: is not valid JSON: expected colon after the string or word in object property",
            ],
        ),
        (
            "{\"worker\": 1, \"resume\": 2}",
            &[
                "project/gantry.json:1: no option \"worker\"; did you mean \"workers\"?",
                "project/gantry.json:1: resume is 2: it must be \"auto\" or \"report\"",
            ],
        ),
    ];
    for (text, wanted) in cases {
        let rig = Rig::new();
        rig.write("project/gantry.json", text);
        assert_eq!(rig.faults(), wanted, "{text}");
        assert!(rig.resolve().options().is_err());
    }
    let mut rig = Rig::new();
    rig.env("GANTRY_WORKERS", "many");
    rig.plugin("todo", json!("/etc"));
    rig.plugin("budgetTokns", json!(1_000));
    rig.plugin("bni", json!("/opt/gantry"));
    rig.plugin("bin", json!(3));
    rig.plugin("$schema", json!("x"));
    rig.write("user/gantry.json", "{}");
    rig.write("user/gantry.jsonc", "{}");
    let wanted = [
        "user/gantry.json:1: there is gantry.jsonc or gantry.json beside it: keep one of the two",
        "the plugin's options in OpenCode's configuration: todo is \"/etc\": it must be a path inside the project, such as \"TODO.md\"",
        "the plugin's options in OpenCode's configuration: no option \"budgetTokns\"; did you mean \"budgetTokens\"?",
        "the plugin's options in OpenCode's configuration: no option \"bni\"; did you mean \"bin\"?",
        "the plugin's options in OpenCode's configuration: bin is 3: it must be the path of Gantry's sidecar",
        "the plugin's options in OpenCode's configuration: no option \"$schema\"; did you mean \"checks\"?",
        "GANTRY_WORKERS: workers is \"many\": it must be a whole number from 1 to 50",
    ];
    assert_eq!(rig.faults(), wanted);
}

#[test]
fn a_variable_nearly_named_like_an_option_is_a_slip() {
    let mut rig = Rig::new();
    for name in ["BIN", "HOME", "LAUNCHED", "LOG", "POOLS", "STORE", "NAME", "TASK_NAME"] {
        rig.env(&format!("GANTRY_{name}"), "x");
    }
    rig.env("GANTRY_WORKRES", "");
    assert_eq!(rig.faults(), Vec::<String>::new());
    assert_eq!(rig.resolve().strangers, ["GANTRY_NAME", "GANTRY_TASK_NAME"]);
    for name in ["WROKERS", "TURNTIMEOUT_SECONDS", "STOR"] {
        rig.env(&format!("GANTRY_{name}"), "9");
    }
    let wanted = [
        "GANTRY_STOR: no such variable; did you mean GANTRY_STORE?",
        "GANTRY_TURNTIMEOUT_SECONDS: no such variable; did you mean GANTRY_TURN_TIMEOUT_SECONDS?",
        "GANTRY_WROKERS: no such variable; did you mean GANTRY_WORKERS?",
    ];
    assert_eq!(rig.faults(), wanted);
}

#[test]
fn a_flag_is_good_or_says_why_not() {
    let cases = [
        ("workers", "write NAME=VALUE, as in workers=3"),
        ("worker=3", "no option \"worker\"; did you mean \"workers\"?"),
        ("workers=0", "workers is 0: it must be a whole number from 1 to 50"),
        ("workers=", "workers is \"\": it must be a whole number from 1 to 50"),
        ("todo=/etc", "todo is \"/etc\": it must be a path inside the project, such as \"TODO.md\""),
    ];
    for (text, wanted) in cases {
        assert_eq!(flag(text).err().as_deref(), Some(wanted), "{text}");
    }
    for text in ["workers=3", "todo=a=b.md", "checks=[\"npm test\"]", "resume=report", "budgetDollars=0.5"] {
        let (field, value) = flag(text).expect(text);
        assert_eq!(format!("{}={}", field.name, Kind::written(&value)), text, "as the environment takes it");
    }
}

#[test]
fn nothing_written_means_the_defaults() {
    for text in ["", "// later\n", "{}", "{ /* none */ }"] {
        let rig = Rig::new();
        rig.write("project/gantry.json", text);
        assert_eq!(rig.faults(), Vec::<String>::new(), "{text}");
        assert_eq!(rig.resolve().values.len(), 18);
    }
}

proptest! {
    /// The schema that editors use says of every value what the reader says.
    #[test]
    fn the_schema_agrees(name in prop::sample::select(FIELDS.iter().map(|f| f.name).collect::<Vec<_>>()), value in value()) {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let field = FIELDS.iter().find(|f| f.name == name).expect("a field");
        let good = field.kind.fault(&value).is_none();
        prop_assert_eq!(validator.is_valid(&json!({ name: value.clone() })), good, "{}", value);
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            0_u64,
            1,
            9,
            10,
            999,
            1_000,
            1_000_001,
            1_000_000_000_001,
            50,
            51,
            59,
            60,
            600,
            86_400,
            86_401
        ])
        .prop_map(|n| json!(n)),
        prop::sample::select(vec![
            "auto", "report", "TODO.md", "a/b.md", "/a", "a//b", "../a", "a/..", ".", "", "a\\b", "..a",
            ".a/b", "a/", " "
        ])
        .prop_map(|text| json!(text)),
        ("[a-c /]{0,2}", 0_u64..60).prop_map(|(name, n)| json!({ name: n })),
        prop::sample::select(vec!["make", "", "  ", "npm test"]).prop_map(|text| json!([text])),
        Just(json!(null)),
        Just(json!([])),
        Just(json!([1])),
        Just(json!(-1)),
        Just(json!(1.5)),
    ]
}

#[test]
fn generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut schema = serde_json::to_string_pretty(&schema()).expect("JSON");
    schema.push('\n');
    let files = [("schemas/config.schema.json", schema), ("docs/configuration.md", reference())];
    for (name, wanted) in files {
        if std::env::var_os("GANTRY_BLESS").is_some() {
            fs::write(root.join(name), &wanted).expect("written");
        }
        let there = fs::read_to_string(root.join(name)).unwrap_or_default();
        assert!(there == wanted, "{name} differs from src/setup/config: run cargo xtask codegen");
    }
}

fn reference() -> String {
    let mut text = String::from(
        "<!-- Generated by `cargo xtask codegen` from src/setup/config; do not edit. -->\n# Configuration\n\nNothing has to be set. A value is taken from the last of these that has it:\n\n1. the default\n2. your own file: `gantry.jsonc` (or `.json`) in `$XDG_CONFIG_HOME/gantry`, by default `~/.config/gantry`\n3. the project's file: `gantry.jsonc` (or `.json`) at its root, which is that of the working tree\n4. the options of the plugin's entry in OpenCode's configuration; where several entries name the same package or file, OpenCode takes\n   the last one (that of a project before your own) with its options, and none of the others'\n5. the environment OpenCode was started with\n6. `--set NAME=VALUE` of `gantry run`, as often as you like\n\nThe files are JSON with comments; `{\"$schema\": \"…/schemas/config.schema.json\"}` gives completion in editors. They are read when a\nmission is accepted, so a change counts for the next one. A name that does not exist or a value that does not fit is an error with\nfile and line, in the plugin's entry too: no mission is accepted until it is corrected. A variable that is nearly named like one of\nthese is such an error as well; other names with `GANTRY_` are left to other programs. `gantry config check` looks for such, `gantry config show` says where\neach value comes from, `gantry config schema` prints the schema.\n\n| option | takes | default | environment | meaning |\n|---|---|---|---|---|\n",
    );
    for field in &FIELDS {
        let takes = match field.kind {
            Kind::Whole { least, most, unit } => format!("{least} to {most} {unit}"),
            Kind::Amount { least, most, unit } => format!("{least} to {most} {unit}"),
            other => other.wants(),
        };
        let default = field.default.map_or(String::new(), |default| format!("`{default}`"));
        text += &format!("| `{}` | {takes} | {default} | `{}` | {} |\n", field.name, field.env, field.about);
    }
    text += "\nBesides, from the environment alone: `GANTRY_BIN` (path of the sidecar; also the plugin option `bin`), `GANTRY_HOME` (data folder,\n`~/.local/share/gantry`), `GANTRY_STORE` (path of the database, `gantry.db` in the data folder), `GANTRY_LOG` (level of the log: `error`,\n`warn`, `info`, `debug`, `trace`; `info`), `GANTRY_POOLS` (`on` keeps attempts for those\nto come and shares names of models, which gains nothing; `off`).\n";
    text
}
