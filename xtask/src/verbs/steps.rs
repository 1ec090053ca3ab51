//! Steps that several verbs share: tools, builds, and a list of what went well.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// A program that has to be there, and how to get it.
pub(super) struct Tool {
    program: &'static str,
    install: &'static str,
}

pub(super) const GIT: Tool = Tool { program: "git", install: "Debian: apt-get install git" };
pub(super) const NPM: Tool =
    Tool { program: "npm", install: "it comes with Node.js; Debian: apt-get install npm" };
const NODE: &str = "node";
/// Oldest Node.js that runs the shim's build and the sample's tests.
const NODE_MAJOR: u32 = 20;
/// The bundled SQLite is compiled from C.
const COMPILERS: [&str; 3] = ["cc", "gcc", "clang"];

/// Checks everything the demo and the tests need, and names all that is missing at once.
pub(super) fn require_tools() -> Result<()> {
    let mut missing = Vec::new();
    for tool in [GIT, NPM] {
        if version(tool.program).is_none() {
            missing.push(format!("{} ({})", tool.program, tool.install));
        }
    }
    let node = version(NODE);
    match node.as_deref().and_then(major) {
        Some(found) if found >= NODE_MAJOR => {}
        Some(found) => {
            missing.push(format!("Node.js {NODE_MAJOR} or later (found {found}; see https://nodejs.org)"))
        }
        None => missing.push(format!("Node.js {NODE_MAJOR} or later (Debian: apt-get install nodejs)")),
    }
    let compiler = std::env::var_os("CC").is_some() || COMPILERS.iter().any(|name| version(name).is_some());
    if !compiler {
        missing.push("a C compiler (Debian: apt-get install build-essential)".to_owned());
    }
    ensure!(missing.is_empty(), "install what is missing, then try again:\n  {}", missing.join("\n  "));
    Ok(())
}

/// What the program answers to `--version`; nothing when it cannot be started.
pub(super) fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// "v20.20.2" → 20.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Root of the workspace.
pub(super) fn workspace() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")
}

/// The cargo that started us, in the workspace.
pub(super) fn cargo(args: &[&str]) -> Result<Command> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(args).current_dir(workspace()?);
    Ok(command)
}

/// npm in the shim's folder.
pub(super) fn npm(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(NPM.program);
    command.args(args).current_dir(workspace()?.join("plugin-shim"));
    Ok(command)
}

/// Runs it with our terminal; an unsuccessful end is an error.
pub(super) fn check(mut command: Command) -> Result<()> {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let line = words.join(" ");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

/// Installs what the shim is built with, unless that has not changed, and builds it. Returns the built file.
pub(super) fn build_shim() -> Result<PathBuf> {
    install_shim()?;
    check(npm(&["run", "--silent", "build"])?)?;
    let file = workspace()?.join("plugin-shim/dist/index.js");
    ensure!(file.is_file(), "the shim's build made no {}", file.display());
    Ok(file)
}

pub(super) fn install_shim() -> Result<()> {
    let shim = workspace()?.join("plugin-shim");
    let changed = |file: &str| shim.join(file).metadata().and_then(|data| data.modified()).ok();
    // npm writes this file last.
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    check(npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])?)
}

/// Builds the sidecar and returns its path, wherever the build output goes.
///
/// The development build: the release one, with link-time optimisation, takes minutes longer and shows
/// nothing else.
pub(super) fn build_gantry() -> Result<PathBuf> {
    build(&[])
}

/// The same as users get it, for figures.
pub(super) fn build_release() -> Result<PathBuf> {
    build(&["--release"])
}

fn build(profile: &[&str]) -> Result<PathBuf> {
    let format = "--message-format=json-render-diagnostics";
    let mut build = cargo(&["build", "--package", "opencode-gantry", "--bin", "gantry", format])?;
    build.args(profile);
    let output =
        build.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "the sidecar could not be built; the compiler's messages are above");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        if message["target"]["name"] == "gantry"
            && let Some(executable) = message["executable"].as_str()
        {
            return Ok(executable.into());
        }
    }
    bail!("cargo built the sidecar without saying where it is")
}

/// Steps that all run, and a summary of how each ended.
#[derive(Default)]
pub(super) struct Steps {
    done: Vec<(&'static str, Option<String>, Duration)>,
}

impl Steps {
    pub(super) fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<()>) -> bool {
        eprintln!("── {name}");
        let started = Instant::now();
        let failure = run().err().map(|error| format!("{error:#}"));
        let passed = failure.is_none();
        self.done.push((name, failure, started.elapsed()));
        passed
    }

    /// Prints one line per step; failure if any failed.
    pub(super) fn finish(self) -> ExitCode {
        eprintln!("──");
        for (name, failure, took) in &self.done {
            let verdict = if failure.is_none() { "ok    " } else { "FAILED" };
            eprintln!("{verdict} {name} ({:.1} s)", took.as_secs_f64());
            if let Some(failure) = failure {
                eprintln!("       {}", failure.replace('\n', "\n       "));
            }
        }
        if self.done.iter().all(|(_, failure, _)| failure.is_none()) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_read_from_what_node_says() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("git version 2.47"), None);
    }

    #[test]
    fn one_failed_step_fails_the_whole_and_the_rest_still_runs() {
        let mut steps = Steps::default();
        assert!(!steps.step("first", || bail!("broken")));
        assert!(steps.step("second", || Ok(())));
        assert_eq!(format!("{:?}", steps.finish()), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn a_failing_command_is_named() {
        let mut command = Command::new("false");
        command.arg("now");
        let error = check(command).unwrap_err().to_string();
        assert!(error.starts_with("`false now` failed"), "{error}");
    }
}
