//! Whether a built sidecar starts, here or in a root of another system, and answers the plugin's first call.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::bench::hello;

/// What it says of its version. `root` is a folder with the files of a system (its C library above all) that `chroot`
/// makes the root; this takes the rights of root.
pub fn starts(binary: &Path, root: Option<&Path>) -> Result<String> {
    let copy = Copy::make(binary, root)?;
    let version = copy.run(&["--version"], "")?;
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello()});
    let answer = copy.run(&["sidecar"], &format!("{hello}\n"))?;
    ensure!(answer.contains("\"protocolVersion\":"), "{} answers {answer:?}", binary.display());
    Ok(version.trim().to_owned())
}

/// The binary in a folder of its own, which is also all that it writes to.
struct Copy<'a> {
    root: Option<&'a Path>,
    folder: tempfile::TempDir,
}

impl<'a> Copy<'a> {
    fn make(binary: &Path, root: Option<&'a Path>) -> Result<Self> {
        let folder = match root {
            Some(root) => {
                tempfile::tempdir_in(root).with_context(|| format!("no root {}", root.display()))?
            }
            None => tempfile::tempdir()?,
        };
        fs::copy(binary, folder.path().join("gantry"))
            .with_context(|| format!("no binary {}", binary.display()))?;
        Ok(Self { root, folder })
    }

    fn run(&self, args: &[&str], input: &str) -> Result<String> {
        let (mut command, home) = match self.root {
            None => (Command::new(self.folder.path().join("gantry")), self.folder.path().to_owned()),
            Some(root) => {
                let home = Path::new("/").join(self.folder.path().file_name().context("a name")?);
                let mut command = Command::new("chroot");
                command.arg(root).arg(home.join("gantry"));
                (command, home)
            }
        };
        let home: PathBuf = home;
        command.args(args).env("HOME", &home).env("GANTRY_HOME", &home).env("TMPDIR", &home);
        command
            .env_remove("GANTRY_STORE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot be started")?;
        let mut stdin = child.stdin.take().context("no stdin pipe")?;
        // One that could not begin reads nothing, and says why.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{:?} ended with {}: {said}{error}", args, output.status);
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        file
    }

    #[test]
    fn one_that_answers_is_told_from_one_that_does_not() {
        let answers = "[ \"$1\" = --version ] && echo gantry 9 && exit\nread line; echo '{\"result\":{\"protocolVersion\":1}}'";
        assert_eq!(starts(script(answers).path(), None).expect("starts"), "gantry 9");
        for (text, said) in
            [("echo gantry 9", "answers \"gantry 9"), ("echo no loader >&2; exit 127", "no loader")]
        {
            let error = starts(script(text).path(), None).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(starts(Path::new("/gone"), None).is_err());
    }
}
