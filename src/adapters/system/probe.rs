//! Short questions to programs that may be there.
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A program that says nothing for this long is ended.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(10);

/// The first line a program prints (a few hundred bytes at most); none when it cannot be started, fails, or takes too long.
#[allow(clippy::disallowed_methods, reason = "a part of the process port")]
pub fn first_line(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut waited = Duration::ZERO;
    while child.try_wait().ok()?.is_none() {
        if waited >= PATIENCE {
            // It may have ended by itself in this moment.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Whether it is a file that this user may run.
pub fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    let may = rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    #[cfg(not(unix))]
    let may = true;
    may && path.is_file()
}
