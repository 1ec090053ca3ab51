//! One command from start to end.
use super::super::group::Group;
use super::super::tail::Tail;
use super::super::watchdog::Watchdog;
use super::words::{Line, parse};
use crate::domain::verdict::{CheckOutcome, CheckResult};
use crate::ports::workspace::NO_PROGRAM;
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

/// From asking a command to end to killing it.
const GRACE: Duration = Duration::from_secs(2);
/// For the last output after the command ended. A process that left the group may hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(
    root: PathBuf,
    command: String,
    timeout_ms: u64,
    watchdog: Option<Arc<Watchdog>>,
) -> CheckResult {
    let started = Instant::now();
    let mut tail = Tail::default();
    let outcome = match start(&root, &command, watchdog) {
        Ok((group, output)) => finish(group, output, Duration::from_millis(timeout_ms), &mut tail).await,
        Err(text) => {
            tail.push(text.as_bytes());
            CheckOutcome::NotRun
        }
    };
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    CheckResult { command, outcome, millis, tail: tail.text() }
}

/// Both streams share one pipe, so that lines keep the order in which they were written.
fn start(
    root: &Path,
    line: &str,
    watchdog: Option<Arc<Watchdog>>,
) -> Result<(Group, impl AsyncRead + Unpin + use<>), String> {
    if !root.is_dir() {
        return Err(format!("{} is not a folder: check the path of the project", root.display()));
    }
    let mut command = prepare(line)?;
    let (reader, writer) = io::pipe().map_err(|e| format!("no pipe: {e}"))?;
    let second = writer.try_clone().map_err(|e| format!("no pipe: {e}"))?;
    command.current_dir(root).stdin(Stdio::null()).stdout(writer).stderr(second);
    let group = Group::spawn(command, watchdog).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            format!("{line}: {NO_PROGRAM}: install it, or name other checks")
        }
        io::ErrorKind::PermissionDenied => format!("{line}: the program may not be executed: check its mode"),
        _ => format!("{line}: could not be started: {e}"),
    })?;
    Ok((group, receiver(reader).map_err(|e| format!("no pipe: {e}"))?))
}

#[allow(clippy::disallowed_methods, reason = "this is the port's one start of a check")]
fn prepare(line: &str) -> Result<Command, String> {
    let mut command = match parse(line) {
        Line::Empty => return Err("the command is empty: name one, or take it out of the checks".into()),
        Line::Words(words) if cfg!(unix) => {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            command
        }
        #[cfg(windows)]
        _ => {
            let mut command = Command::new("cmd");
            // It takes off the outer quotation marks, and reads the rest as it is written.
            command.args(["/D", "/S", "/C"]).raw_arg(format!("\"{line}\""));
            command
        }
        #[cfg(not(windows))]
        _ => {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            command
        }
    };
    command.env_clear().envs(environment(std::env::vars_os()));
    Ok(command)
}

/// The user's, without what Gantry was told, and with the sign that nobody watches (no prompts, no watchers).
fn environment(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, _)| !name.to_string_lossy().starts_with("GANTRY_") && name != "CI")
        .chain([(OsString::from("CI"), OsString::from("1"))])
}

#[cfg(unix)]
fn receiver(reader: PipeReader) -> io::Result<tokio::net::unix::pipe::Receiver> {
    tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())
}

#[cfg(not(unix))]
fn receiver(reader: PipeReader) -> io::Result<tokio::fs::File> {
    Ok(tokio::fs::File::from_std(std::fs::File::from(std::os::windows::io::OwnedHandle::from(reader))))
}

async fn finish(
    mut group: Group,
    mut output: impl AsyncRead + Unpin,
    limit: Duration,
    tail: &mut Tail,
) -> CheckOutcome {
    let ended = {
        let work = async {
            // The output may end before the process and the process before the output.
            let mut open = true;
            loop {
                tokio::select! {
                    status = group.wait() => return status,
                    more = read(&mut output, tail), if open => open = more,
                }
            }
        };
        timeout(limit, work).await
    };
    if ended.is_err() {
        group.ask_to_end();
        let _ = timeout(GRACE, async { tokio::join!(group.wait(), drain(&mut output, tail)).0 }).await;
    }
    // A command that is over leaves nothing running: a stray server would hold ports and files of the next.
    group.kill();
    let _ = timeout(DRAIN, drain(&mut output, tail)).await;
    match ended {
        Ok(Ok(status)) => outcome(status),
        Ok(Err(error)) => {
            tail.push(format!("\nits end was not seen: {error}\n").as_bytes());
            CheckOutcome::NotRun
        }
        Err(_) => CheckOutcome::TimedOut,
    }
}

async fn drain(output: &mut (impl AsyncRead + Unpin), tail: &mut Tail) {
    while read(output, tail).await {}
}

/// Takes over what is there; false at the end.
async fn read(output: &mut (impl AsyncRead + Unpin), tail: &mut Tail) -> bool {
    let mut buffer = [0; 4096];
    match output.read(&mut buffer).await {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            tail.push(&buffer[..count]);
            true
        }
    }
}

fn outcome(status: ExitStatus) -> CheckOutcome {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    match (status.code(), signal) {
        (Some(0), _) => CheckOutcome::Passed,
        (Some(code), _) => CheckOutcome::Failed(code),
        (None, signal) => CheckOutcome::Failed(128 + signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_the_users_without_gantrys() {
        let set = [("PATH", "/bin"), ("GANTRY_HOME", "/data"), ("CI", "false"), ("MY_GANTRY_X", "1")];
        let set = set.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let kept: Vec<(OsString, OsString)> = environment(set).collect();
        let expected = [("PATH", "/bin"), ("MY_GANTRY_X", "1"), ("CI", "1")];
        assert_eq!(kept, expected.map(|(name, value)| (OsString::from(name), OsString::from(value))));
    }
}
