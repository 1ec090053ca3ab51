//! Who may do what with a file: on Windows what its folder says, which a file that is made there takes over.
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    read_only: bool,
}

impl Access {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self { read_only: meta.permissions().readonly() }
    }

    pub(super) fn read_only(self) -> bool {
        self.read_only
    }

    pub(super) fn give(self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Windows cannot open a folder as a file; there the rename itself has to do.
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
