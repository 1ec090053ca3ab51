//! The demo as README gives it, from the command line: with the script, and with a provider of the user's own
//! configuration (here: the same script behind an OpenCode set-up in a scratch home).
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests; this one starts the command itself"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use xtask::lab::demo::{self, BEAT};
use xtask::lab::host::HostEnv;
use xtask::lab::model::Model;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().canonicalize().unwrap()
}

fn demo(args: &[&str], home: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("demo").args(args).current_dir(workspace());
    // The set-up of the tests themselves must not reach the host.
    command.env_remove("GANTRY_BIN").env_remove("GANTRY_HOME");
    if let Some(home) = home {
        for (name, folder) in [("HOME", "home"), ("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data")] {
            command.env(name, home.join(folder));
        }
        // Cargo and rustup are the developer's all the same.
        let own = std::env::home_dir().unwrap();
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(name).is_none() {
                command.env(name, own.join(folder));
            }
        }
    }
    command.output().unwrap()
}

fn check(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    for text in [
        "5 of 5 tasks done",
        "`npm test`: failed (exit 1) → passed",
        "TODO.md",
        "+++ b/src/invoice.js",
        "gantry.db",
        "completed after",
    ] {
        assert!(out.contains(text), "{text} is missing:\n{out}\n{err}");
    }
    for text in ["briefing", "planning", "executing: 1 of 5 tasks done, 2 running, 2 waiting", "reviewing"] {
        assert!(err.contains(text), "{text} is missing in the progress:\n{err}");
    }
}

// One test, for both runs use the demo's folder.
#[test]
fn the_demo_of_the_readme_runs_with_the_script_and_with_a_provider_of_the_user() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    assert!(
        readme.contains("cargo xtask demo  ") && readme.contains("cargo xtask demo --model provider/model")
    );

    check(&demo(&[], None));

    let project = workspace().join("target/lab/demo/project");
    let model = Model::start(demo::script(&project, BEAT)).unwrap();
    let home = tempfile::tempdir().unwrap();
    // The user's home is played by the scratch home of another environment, which has written its files.
    let user = HostEnv::new(home.path(), home.path()).unwrap().model(&model);
    user.command(Path::new("true")).unwrap();
    check(&demo(&["--model", "lab/scripted"], Some(home.path())));
    assert!(model.requests().len() > 30, "the user's provider did the work");
    assert_eq!(model.misses(), [""; 0]);
}
