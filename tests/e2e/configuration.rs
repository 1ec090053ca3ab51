//! Which entries of the plugin the host loads, and that Gantry's own commands know the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use gantry::setup::hosted;
use gantry::setup::places::Kind;
use serde_json::{Value, json};
use xtask::lab::host::{HostEnv, find};

use crate::command_line::{gantry, stage as with_host};
use crate::script::{self, TASK};
use crate::support::{Stage, shim, sidecar, small_project};

/// An address that is known as Gantry's by the name of a folder; nothing is there.
fn entry(name: &str) -> Value {
    json!([format!("file:///nowhere/opencode-gantry/{name}.js"), { "from": name }])
}

fn list(entries: &[Value]) -> String {
    json!({ "plugin": entries }).to_string()
}

/// A file, and no download into its folder: the host makes one wherever no lock file lists its own package.
fn write(file: &Path, text: &str) {
    let folder = file.parent().unwrap();
    fs::create_dir_all(folder.join("node_modules")).unwrap();
    let lock =
        json!({"lockfileVersion": 3, "packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}});
    if folder.ends_with(".opencode") || folder.ends_with("own") {
        fs::write(folder.join("package-lock.json"), lock.to_string()).unwrap();
    }
    fs::write(file, text).unwrap();
}

/// Specifier and options of each entry that the host would load.
fn of_host(env: &HostEnv, folder: &Path, vars: &BTreeMap<&str, String>) -> Vec<Value> {
    let mut command = env.command(&find().unwrap()).unwrap();
    command.args(["debug", "config"]).current_dir(folder).env("PWD", folder).envs(vars);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let config: Value = serde_json::from_slice(&output.stdout).unwrap();
    config["plugin"].as_array().cloned().unwrap_or_default()
}

#[test]
fn gantry_finds_its_entries_where_the_host_does() {
    let stage = Stage::bare(small_project, |_| Default::default());
    let root = stage.env.root().to_owned();
    let (config, home, project) = (root.join("config/opencode"), root.join("home"), stage.project.clone());
    let deep = project.join("sub/deep");
    fs::create_dir_all(&deep).unwrap();
    let same = |options: Value| json!(["opencode-gantry@0.1.0", options]);
    write(&config.join("config.json"), &list(&[entry("replaced")]));
    write(&config.join("opencode.jsonc"), &list(&[entry("user"), json!("opencode-gantry"), json!("other")]));
    write(&project.parent().unwrap().join("opencode.json"), &list(&[entry("above")]));
    write(&project.join("opencode.json"), &list(&[entry("json"), same(json!({"budgetTokens": 9_000}))]));
    write(&project.join("opencode.jsonc"), &list(&[entry("jsonc"), json!("./opencode-gantry/a.js")]));
    write(&project.join("config.json"), &list(&[entry("not the host's")]));
    write(&project.join("sub/opencode.json"), &list(&[entry("sub"), entry("user")]));
    write(&deep.join("opencode.jsonc"), &list(&[entry("deep"), json!("/x/opencode-gantry/b.js")]));
    write(&project.join("sub/.opencode/opencode.json"), &list(&[entry("dotted")]));
    write(&project.join(".opencode/opencode.jsonc"), &list(&[entry("dotted above")]));
    write(&home.join(".opencode/opencode.json"), &list(&[entry("home")]));
    write(&root.join("own/opencode.json"), &list(&[entry("own folder")]));
    write(&root.join("named.json"), &list(&[entry("named"), json!("./opencode-gantry/c.js")]));
    let given = BTreeMap::from([
        ("OPENCODE_CONFIG", root.join("named.json").display().to_string()),
        ("OPENCODE_CONFIG_DIR", root.join("own").display().to_string()),
        ("OPENCODE_CONFIG_CONTENT", list(&[entry("content"), entry("sub")])),
    ]);
    let without = BTreeMap::from([("OPENCODE_DISABLE_PROJECT_CONFIG", "1".to_owned())]);
    for (folder, vars, least) in [(&deep, &given, 14), (&project, &BTreeMap::new(), 6), (&deep, &without, 3)]
    {
        let folders = BTreeMap::from([
            ("HOME", home.display().to_string()),
            ("XDG_CONFIG_HOME", root.join("config").display().to_string()),
        ]);
        let env = |name: &str| vars.get(name).or_else(|| folders.get(name)).cloned();
        let ours: Vec<_> = hosted::plugins(Kind::Host, folder, &env)
            .loaded
            .iter()
            .map(|entry| match entry.as_given() {
                options if options.is_empty() => json!(entry.spec()),
                options => json!([entry.spec(), options]),
            })
            .collect();
        let mut theirs = of_host(&stage.env, folder, vars);
        theirs.retain(|entry| entry != "other");
        assert_eq!(ours, theirs, "in {} with {vars:#?}", folder.display());
        assert!(ours.len() >= least, "{ours:#?}");
    }
}

/// An entry at the root of a repository serves a folder in it, with its options and those of the project.
#[test]
fn a_mission_runs_from_a_folder_of_the_project() {
    let stage = Stage::bare(small_project, script::one_task);
    let entry = json!([format!("file://{}", shim().display()), { "permissions": ["deny webfetch"] }]);
    fs::write(stage.project.join("opencode.json"), list(&[entry])).unwrap();
    fs::write(stage.project.join("gantry.jsonc"), "{ \"workers\": 3 }").unwrap();
    fs::create_dir(stage.project.join("sub")).unwrap();
    let stage = with_host(stage.adjust(|env| env.gantry(&sidecar())));
    let output = gantry(&stage, &["run", TASK, "--directory", "sub"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let options = stage.only().mission.created.options;
    assert_eq!((options.workers, options.permissions), (3, Some(vec!["deny webfetch".to_owned()])));
    let found: Value = serde_json::from_str(&stage.cli(&["doctor", "sub", "--json"])).unwrap();
    let what = |code: &str| {
        let one = found.as_array().unwrap().iter().find(|finding| finding["code"] == code);
        one.unwrap()["what"].as_str().unwrap().to_owned()
    };
    assert!(
        what("plugin").contains("opencode.json from ") && what("plugin").ends_with("dist/index.js"),
        "{found}"
    );
    assert!(what("sidecar").ends_with(&sidecar().display().to_string()), "{found}");
    stage.assert_nothing_left();
}
