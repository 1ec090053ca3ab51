//! Files that are there whole or not at all.
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Replaces `file` so that a reader, or this machine after a crash, sees the old bytes or the new ones. The
/// folder must exist. The new file is readable by this user alone.
pub(super) fn write_atomic(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(file);
    let mut temp = tempfile::Builder::new().prefix(".gantry-").tempfile_in(folder)?;
    temp.write_all(bytes)?;
    temp.as_file().sync_all()?;
    temp.persist(file)?;
    sync_folder(folder)
}

/// Removes `file`, for good also after a crash. One that is not there is no error.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Ok(()) => sync_folder(folder_of(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Makes a folder and those above it, for this user alone.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Windows cannot open a folder as a file; there the rename itself has to do.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("deep/a");
        make_folder(file.parent().expect("a folder")).expect("folders");
        for text in ["first, a long one", "second"] {
            write_atomic(&file, text.as_bytes()).expect("a write");
            assert_eq!(fs::read_to_string(&file).expect("a read"), text);
        }
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("a list").count(), 1);
        remove(&file).expect("a removal");
        assert!(!file.exists());
        remove(&file).expect("nothing to remove");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taken = folder.path().join("taken");
        make_folder(&taken.join("inside")).expect("folders");
        write_atomic(&taken, b"x").expect_err("a folder is in the way");
        assert!(taken.join("inside").is_dir());
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 1, "no temporary file stays");
    }
}
