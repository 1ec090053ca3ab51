//! SQLite's result codes in the store's words.
use super::place;
use crate::ports::store::StoreError;
use rusqlite::ErrorCode;
use std::io;
use std::path::Path;

/// Why a piece of work failed, before the file's name is added.
#[derive(Debug)]
pub(super) enum Failure {
    Said(StoreError),
    Db(rusqlite::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Said(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(error)
    }
}

impl Failure {
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Said(error) => error,
            Self::Db(error) => of_db(&error, path),
        }
    }
}

fn of_db(error: &rusqlite::Error, file: &Path) -> StoreError {
    let path = file.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        // SQLite calls only ENOSPC in a plain write a full disk; growing its shared memory, for one, ends here.
        Some(ErrorCode::SystemIoFailure) if place::is_full(file) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly { path },
        Some(ErrorCode::CannotOpen) if !place::is_writable(file) => StoreError::ReadOnly { path },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Corrupt { path, detail: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Other(format!(
            "{path} is held by another process: try again, or find out which program has it open"
        )),
        _ => StoreError::Other(format!("{path}: {error}")),
    }
}

pub(super) fn of_io(error: &io::Error, file: &Path) -> StoreError {
    let path = file.display().to_string();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
        _ => StoreError::Other(format!("{path} cannot be used ({error}): set GANTRY_STORE to another path")),
    }
}
