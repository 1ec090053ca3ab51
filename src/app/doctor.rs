//! `gantry doctor`: looks at everything a mission needs, sends nothing to a model, and changes nothing unless asked.
mod built;
mod host;
mod registered;
mod sidecar;
mod stored;

use super::configuration::{config_folder, configuration, env};
use crate::adapters::system::{self, dirs};
use crate::ports::workspace::Checks;
use crate::setup::config::Fault;
use crate::setup::findings::{Finding, Level};
use crate::setup::hosted::{self, Registered};
use crate::setup::places::Kind;
use crate::telemetry;
use std::path::Path;

/// What was found in the folder of a project; with `fix` what is safe to mend is mended first.
pub fn doctor(project: &Path, fix: bool) -> anyhow::Result<Vec<Finding>> {
    let project = config_folder(Some(project))?;
    let (host, major) = host::host();
    let mut found = vec![host];
    let (halves, entry) = registered::registered(&project, is_second(major), fix)?;
    found.extend(halves);
    found.push(started(&project, entry.as_ref()));
    found.extend(options(&project));
    found.extend(stored::store());
    found.push(git(&project));
    found.push(checks(&project)?);
    found.extend(host::providers(&project));
    found.extend(log());
    Ok(found)
}

/// Whether the host that is found is of the 2.x line.
pub(super) fn second_line() -> bool {
    is_second(host::host().1)
}

fn is_second(major: Option<u32>) -> bool {
    major.is_some_and(|major| major >= 2)
}

/// The sidecar that missions of the project run on.
fn started(project: &Path, entry: Option<&Registered>) -> Finding {
    let plugin = entry.and_then(|entry| built::file(Kind::Host, entry, &env));
    let bin = entry.and_then(Registered::bin);
    sidecar::Search { env: &env, bin, directory: project, plugin: plugin.as_deref() }.finding()
}

fn options(project: &Path) -> Vec<Finding> {
    match configuration(project, &[]) {
        Ok(resolved) => {
            let fault = |fault: &Fault| {
                Finding::new("options", Level::Fault, fault.to_string())
                    .remedy("correct it; no mission is accepted until then")
            };
            let stranger = |name: &String| {
                Finding::new("options", Level::Warning, format!("{name} means nothing to Gantry"))
                    .remedy("gantry config show lists all options; if it is another program's, let it be")
            };
            let mut found: Vec<_> = resolved.faults.iter().map(fault).collect();
            if found.is_empty() {
                found.push(Finding::new("options", Level::Good, "the configuration of Gantry is in order"));
            }
            found.extend(resolved.strangers.iter().map(stranger));
            found
        }
        Err(error) => {
            let remedy = "make the files of the configuration readable";
            vec![Finding::new("options", Level::Fault, error.to_string()).remedy(remedy)]
        }
    }
}

fn git(project: &Path) -> Finding {
    let Some(said) = system::first_line("git", &["--version"], Path::new("/")) else {
        return Finding::new("git", Level::Fault, "no git on the PATH")
            .remedy("install git: every gate hashes the working tree with it");
    };
    let inside = system::first_line("git", &["rev-parse", "--show-toplevel"], project).is_some();
    if inside {
        Finding::new("git", Level::Good, said)
    } else {
        Finding::new(
            "git",
            Level::Good,
            format!("{said}; {} is not a repository, which is fine", project.display()),
        )
    }
}

fn checks(project: &Path) -> anyhow::Result<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let configured = configuration(project, &[])?.values.into_iter().find(|(name, ..)| *name == "checks");
    let (list, how) = match configured {
        Some((_, value, origin)) => {
            (serde_json::from_value(value).unwrap_or_default(), format!("from {origin}"))
        }
        None => {
            let found: Vec<String> =
                runtime.block_on(system::CommandChecks::default().detect(hosted::worktree(project)));
            (found, "found in the project".to_owned())
        }
    };
    Ok(if list.is_empty() {
        Finding::new("checks", Level::Warning, "the project has no checks: reviews alone decide")
            .remedy("name them: \"checks\": [\"npm test\"] in gantry.jsonc")
    } else {
        Finding::new("checks", Level::Good, format!("{} ({how})", list.join("; ")))
    })
}

fn log() -> Vec<Finding> {
    let data = dirs::data_dir().ok();
    let mut found = vec![log_file(&telemetry::look(data.as_deref()))];
    let crashes = data.and_then(|data| std::fs::read_dir(data.join("crashes")).ok());
    let newest = crashes.and_then(|all| all.flatten().map(|entry| entry.path()).max());
    if let Some(newest) = newest {
        let text = format!("a sidecar broke down; the newest report is {}", newest.display());
        found.push(
            Finding::new("crash", Level::Warning, text)
                .remedy("please report it, with that file; then remove it"),
        );
    }
    found
}

fn log_file(look: &telemetry::Look) -> Finding {
    let passed_over = look.passed_over.join("; ");
    let Some(path) = &look.path else {
        return Finding::new("log", Level::Warning, format!("nothing can be logged: {passed_over}"))
            .remedy("make one of the two writable, or set TMPDIR; missions run all the same");
    };
    let size = look.bytes.map_or("not begun".to_owned(), |bytes| format!("{} KB", bytes >> 10));
    let why = if passed_over.is_empty() { String::new() } else { format!(", because of {passed_over}") };
    Finding::new("log", Level::Good, format!("{} ({size}){why}", path.display()))
}
