//! Writing what a rewrite made.
use crate::ports::code::{Change, CodeError};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Either all files are as they were when the rewrite was made, or nothing is written. A file that cannot be written
/// in the middle leaves those before it changed; the error says which.
pub(super) fn apply(root: &Path, changes: &[Change]) -> Result<(), CodeError> {
    let changed = |change: &&Change| {
        fs::read(root.join(&change.path)).ok().as_deref() != Some(change.before.as_bytes())
    };
    let stale: Vec<_> = changes.iter().filter(changed).map(|c| c.path.as_str()).collect();
    if !stale.is_empty() {
        return Err(CodeError::Failed(format!(
            "nothing was written, for these files have changed meanwhile: {}; make the rewrite again",
            stale.join(", ")
        )));
    }
    for (done, change) in changes.iter().enumerate() {
        write(&root.join(&change.path), change.after.as_bytes()).map_err(|e| {
            CodeError::Failed(format!("{}: {e}; {done} of {} files are written", change.path, changes.len()))
        })?;
    }
    Ok(())
}

/// Whole or not at all, with the mode the file had.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().prefix(".gantry-").tempfile_in(folder)?;
    temp.write_all(bytes)?;
    temp.as_file().set_permissions(fs::metadata(file)?.permissions())?;
    temp.as_file().sync_all()?;
    temp.persist(file)?;
    Ok(())
}
