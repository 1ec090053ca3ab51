//! The contract on real files, then what only a file can do: be shared, full, read-only, damaged, too new,
//! and survive its writer.
mod faults;
mod processes;

use super::SqliteStore;
use crate::ports::store_contract as contract;
use std::path::PathBuf;
use tempfile::TempDir;

contract::store_contract!(|| {
    let (store, path, folder) = scratch();
    (store, (path, folder))
});

/// A new store in a folder of its own, which does not exist before.
fn scratch() -> (SqliteStore, PathBuf, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("deep/home/gantry.db");
    (SqliteStore::open(&path).expect("a new store"), path, folder)
}
