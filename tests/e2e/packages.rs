//! From nothing to a first mission: the packages as they are published, out of a registry, into the real host.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use xtask::dist::{self, Platform};
use xtask::lab::demo;
use xtask::lab::registry::Registry;
use xtask::lab::sample;
use xtask::lab::tui::Screen;

use crate::panel::first_status;
use crate::support::{BEAT, PATIENCE, Stage, sidecar};

const PACKAGE: &str = concat!("opencode-gantry@", env!("CARGO_PKG_VERSION"));

#[test]
fn one_command_installs_and_the_host_fetches_the_rest() {
    let stage =
        Stage::bare(|project| sample::create(project).unwrap(), |project| demo::script(project, BEAT));
    let out = stage.folder().join("packages");
    fs::create_dir(&out).unwrap();
    let plugin = dist::pack_plugin(&out).unwrap();
    let platform = dist::pack_platform(Platform::here().unwrap(), &sidecar(), &out).unwrap();
    let registry = Registry::start(&[plugin, platform]).unwrap();
    let home = stage.env.gantry_home().display().to_string();
    let mut stage =
        stage.adjust(|env| env.env("npm_config_registry", registry.url()).env("GANTRY_HOME", &home));
    let config = stage.env.settle().unwrap();
    let before = fs::read_to_string(&config).unwrap();

    let started = Instant::now();
    let said = npx(&stage, &["install"]);
    let installed = started.elapsed();
    assert!(said.contains("opencode.json: Gantry was added"), "{said}");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains(&format!("\"plugin\": [\"{PACKAGE}\"]")), "{text}");

    let finished = stage.task(demo::TASK);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(stage.only().state(), "completed", "{finished:?}");
    eprintln!(
        "figures: npx install {installed:.1?}, to the end of the first mission {:.1?}",
        started.elapsed()
    );
    stage.assert_nothing_left();
    let fetched =
        |name: &str| registry.asked().iter().filter(|path| path.starts_with(&format!("/-/{name}-"))).count();
    assert!(fetched("opencode-gantry") >= 2, "by npx and by the host: {:?}", registry.asked());
    let missions = npx(&stage, &["missions", "--json"]);
    assert!(missions.contains(r#""state":"completed""#), "{missions}");

    // What the host has fetched is what is looked at, and the sidecar in it is what is asked.
    let doctor =
        stage.env.command(Path::new("npx")).unwrap().args(["--yes", PACKAGE, "doctor", "--json"]).output();
    let found: Vec<Value> = serde_json::from_slice(&doctor.unwrap().stdout).unwrap();
    let of = |code: &str| {
        let one = found.iter().find(|finding| finding["code"] == code).unwrap();
        (one["level"].as_str().unwrap().to_owned(), one["what"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("plugin"), ("good".into(), format!("registered in {} as {PACKAGE}", config.display())));
    let (level, what) = of("sidecar");
    assert!(level == "good" && what.contains(&format!("/packages/{PACKAGE}/node_modules/")), "{what}");

    // The other half of the package, in the terminal interface.
    let terminal = config.with_file_name("tui.json");
    assert!(fs::read_to_string(&terminal).unwrap().contains(PACKAGE));
    let mut tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    first_status(&mut tui);
    // A host that ended before it had shown the report is waited for by a sidecar, which knows the mission.
    let answered = |screen: &Screen| {
        screen.contains("No mission is at work here")
            || screen.contains("✓ T5 Print and describe it (completed)")
    };
    tui.wait_for("answer of the panel's half", PATIENCE, answered).unwrap();
    drop(tui);

    let said = npx(&stage, &["uninstall"]);
    assert!(!terminal.exists(), "{said}");
    assert!(said.contains("opencode.json: Gantry was taken out"), "{said}");
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
}

fn npx(stage: &Stage, args: &[&str]) -> String {
    let mut command = stage.env.command(Path::new("npx")).unwrap();
    let output = command.args(["--yes", PACKAGE]).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "npx {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a package says of itself is what the plugin looks for, and a foreign binary is named as such.
#[test]
fn a_package_for_another_system_is_told_from_a_broken_one() {
    let stage = Stage::small(|_| Default::default());
    let foreign = stage.folder().join("foreign");
    // The head of a program for another kind of processor.
    let mut head = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0".to_vec();
    head.resize(200, 0);
    fs::write(&foreign, head).unwrap();
    fs::set_permissions(&foreign, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let stage = stage.adjust(|env| env.gantry(&foreign));
    let finished = stage.task("anything");
    assert!(finished.stdout.contains("is built for another system"), "{finished:?}");
}
