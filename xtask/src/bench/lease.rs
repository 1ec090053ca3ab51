//! What a write of a mission's agent waits for: the plugin's tool hook, the sidecar behind it, and the way back.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Built;
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};
use crate::lab::host;

const DECLARED: usize = 2_000;
/// Each is a write to the journal.
const TAKEN: usize = 300;
const FILES: usize = 100;
const SCRIPT: &str = include_str!("lease.mjs");

pub(super) fn measure(built: &Built) -> Result<Table> {
    let mut table = Table::default();
    let bun = host::find()?;
    for (name, program) in [("Node.js", Path::new("node")), ("the host's Bun", bun.as_path())] {
        let [declared, taken] = hook(built, program)?;
        let row = |what: &str, values| {
            Row::new(format!("tool hook of a write in {name}: {what}"), "ms", Samples::new(values))
        };
        table = table
            .row(row("a declared file", declared).below(Stat::P99, 0.5))
            .row(row("a file newly taken (one durable event)", taken).below(Stat::P50, 2.0));
    }
    Ok(table)
}

fn hook(built: &Built, program: &Path) -> Result<[Vec<f64>; 2]> {
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), FILES)?;
    let script = folder.path().join("lease.mjs");
    std::fs::write(&script, SCRIPT)?;
    let output = Command::new(program)
        .arg(&script)
        .args([built.shim.as_os_str(), project.as_os_str()])
        .args([DECLARED, TAKEN].map(|times| times.to_string()))
        // The host's binary runs a script like Bun itself when it is told to.
        .env("BUN_BE_BUN", "1")
        .env("GANTRY_BIN", &built.gantry)
        .env("GANTRY_HOME", folder.path().join("home"))
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} printed {}", program.display(), String::from_utf8_lossy(&output.stdout)))
}
