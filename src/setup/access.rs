//! Who may do what with a file.
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Access {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self { mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid() }
    }

    pub(super) fn read_only(self) -> bool {
        self.mode & 0o222 == 0
    }

    pub(super) fn give(self, file: &File) -> io::Result<()> {
        let mine = file.metadata()?;
        if (self.uid, self.gid) != (mine.uid(), mine.gid()) {
            std::os::unix::fs::fchown(file, Some(self.uid), Some(self.gid))?;
        }
        file.set_permissions(Permissions::from_mode(self.mode))
    }
}

/// A file that is made is for this user alone.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// What was renamed into it stays so after a crash.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
