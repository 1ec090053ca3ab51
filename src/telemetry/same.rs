//! Which file it is, whatever its name.
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) type Identity = (u64, u64);

/// Of what stands at a path; none where nothing does.
pub(super) fn at(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|meta| of_meta(&meta))
}

pub(super) fn of(file: &File) -> io::Result<Identity> {
    file.metadata().map(|meta| of_meta(&meta))
}

fn of_meta(meta: &Metadata) -> Identity {
    (meta.dev(), meta.ino())
}
