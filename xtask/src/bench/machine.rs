//! What the figures were taken on, with the two prices that the product cannot change: a flush and a process.

use std::fs::File;
use std::io::{Seek, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::scratch;
use super::stats::Samples;

const FLUSHES: usize = 100;
const STARTS: usize = 30;

/// A few lines for the head of a table.
pub fn describe() -> Result<Vec<String>> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![format!(
        "{} {}, {} with {cores} cores",
        std::env::consts::OS,
        std::env::consts::ARCH,
        processor()
    )];
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        let load: Vec<&str> = load.split(' ').take(2).collect();
        lines.push(format!("load average before the run (1 and 5 minutes): {}", load.join(", ")));
    }
    let flush = Samples::millis(flushes()?);
    lines.push(format!(
        "writing and flushing 4 KiB to this disk: p50 {:.2} ms, p99 {:.2} ms",
        flush.p50(),
        flush.p99()
    ));
    let start = Samples::millis(starts()?);
    lines.push(format!(
        "one git process that does nothing: p50 {:.2} ms, p99 {:.2} ms",
        start.p50(),
        start.p99()
    ));
    Ok(lines)
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "a processor".to_owned(), |(_, name)| name.trim().to_owned())
}

fn flushes() -> Result<Vec<Duration>> {
    let folder = scratch::folder()?;
    let mut file = File::create(folder.path().join("flushed"))?;
    let flush = |_| {
        let started = Instant::now();
        file.rewind()?;
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        Ok(started.elapsed())
    };
    (0..FLUSHES).map(flush).collect()
}

fn starts() -> Result<Vec<Duration>> {
    let start = |_| {
        let started = Instant::now();
        let output = Command::new("git").arg("version").stdin(Stdio::null()).output();
        ensure!(output.context("git cannot be started")?.status.success(), "`git version` failed");
        Ok(started.elapsed())
    };
    (0..STARTS).map(start).collect()
}
