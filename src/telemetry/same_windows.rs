//! Which file it is, whatever its name.
use std::fs::File;
use std::io;
use std::path::Path;

pub(super) type Identity = same_file::Handle;

/// Of what stands at a path; none where nothing does.
pub(super) fn at(path: &Path) -> Option<Identity> {
    Identity::from_path(path).ok()
}

pub(super) fn of(file: &File) -> io::Result<Identity> {
    Identity::from_file(file.try_clone()?)
}
