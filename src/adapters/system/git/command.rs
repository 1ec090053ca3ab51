//! One call of git, with the user's settings for the repository but none that act on their own.
#![allow(clippy::disallowed_methods, reason = "this is the port's one start of git")]
use crate::ports::workspace::WorkspaceError;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// A filter of the user's that hangs must not hold a mission for ever. The first look at a huge project
/// without git reads all of it, so this is long.
const LIMIT: Duration = Duration::from_secs(300);

/// What would run programs (hooks, the file monitor), refuse a file over its line ends, or write beside the
/// index. `batch` flushes all new objects to the disk at once instead of one by one.
const SETTINGS: [&str; 7] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "core.fsyncMethod=batch",
    "advice.addEmbeddedRepo=false",
    "gc.auto=0",
];

/// Variables that would send git to another repository than that of the folder it is called in, or change its
/// output. `git rev-parse --local-env-vars` lists the first group.
const FOREIGN: [&str; 20] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
];

pub(super) struct Git {
    program: OsString,
}

/// One call: where, with which variables, and what it reads.
pub(super) struct Call<'a> {
    pub(super) folder: &'a Path,
    pub(super) env: Vec<(&'static str, OsString)>,
    pub(super) input: Vec<u8>,
}

impl<'a> Call<'a> {
    pub(super) fn at(folder: &'a Path) -> Self {
        Self { folder, env: Vec::new(), input: Vec::new() }
    }

    pub(super) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }
}

impl Git {
    pub(super) fn new(program: &str) -> Self {
        Self { program: program.into() }
    }

    /// Standard output of a call that has to succeed.
    pub(super) async fn text<I: AsRef<OsStr>>(
        &self,
        call: Call<'_>,
        args: impl IntoIterator<Item = I>,
    ) -> Result<Vec<u8>, WorkspaceError> {
        let folder = call.folder.to_path_buf();
        let output = self.output(call, args).await?;
        if output.status.success() { Ok(output.stdout) } else { Err(failed(&folder, &output.stderr)) }
    }

    pub(super) async fn output<I: AsRef<OsStr>>(
        &self,
        call: Call<'_>,
        args: impl IntoIterator<Item = I>,
    ) -> Result<Output, WorkspaceError> {
        let mut command = self.command(&call, args);
        let work = async {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // Git may end without reading everything; its own message is the better one then.
                let _ = stdin.write_all(&call.input).await;
            }
            child.wait_with_output().await
        };
        timeout(LIMIT, work)
            .await
            .map_err(|_| too_slow(call.folder))?
            .map_err(|e| self.not_started(call.folder, &e))
    }

    /// At most `max` bytes of what a call prints, and whether that is all of it. Git is stopped after them.
    pub(super) async fn head<I: AsRef<OsStr>>(
        &self,
        call: Call<'_>,
        args: impl IntoIterator<Item = I>,
        max: usize,
    ) -> Result<(Vec<u8>, bool), WorkspaceError> {
        let mut command = self.command(&call, args);
        let work = async {
            let mut child = command.spawn()?;
            let mut head = Vec::new();
            if let Some(stdout) = child.stdout.take() {
                stdout.take(max as u64 + 1).read_to_end(&mut head).await?;
            }
            if head.len() > max {
                child.kill().await?;
                head.truncate(max);
                return Ok(Ok((head, false)));
            }
            let end = child.wait_with_output().await?;
            Ok(if end.status.success() { Ok((head, true)) } else { Err(failed(call.folder, &end.stderr)) })
        };
        let done: std::io::Result<_> = timeout(LIMIT, work).await.map_err(|_| too_slow(call.folder))?;
        done.map_err(|e| self.not_started(call.folder, &e))?
    }

    fn command<I: AsRef<OsStr>>(&self, call: &Call<'_>, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(&self.program);
        for name in FOREIGN {
            command.env_remove(name);
        }
        // Messages are looked at, so they must not be translated. Pathspecs are names, not patterns.
        command
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .envs(call.env.iter().map(|(name, value)| (name, value)));
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let stdin = if call.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command
            .args(args)
            .current_dir(call.folder)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn not_started(&self, folder: &Path, error: &std::io::Error) -> WorkspaceError {
        if !folder.is_dir() {
            let path = folder.display().to_string();
            return WorkspaceError::File {
                path,
                reason: "no such folder: check the path of the project".into(),
            };
        }
        let program = self.program.display();
        WorkspaceError::Git(match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("{program} was not found: install git, and see that it is on PATH")
            }
            _ => format!("{program} could not be run: {error}"),
        })
    }
}

fn too_slow(folder: &Path) -> WorkspaceError {
    WorkspaceError::Git(format!(
        "git took more than {} s in {}: add large generated files to .gitignore",
        LIMIT.as_secs(),
        folder.display()
    ))
}

pub(super) fn failed(folder: &Path, stderr: &[u8]) -> WorkspaceError {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    WorkspaceError::Git(format!(
        "git in {}: {}",
        folder.display(),
        if text.is_empty() { "failed" } else { text }
    ))
}
