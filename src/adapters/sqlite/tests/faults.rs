use super::super::SqliteStore;
use super::super::schema::FORMAT;
use super::{contract, scratch};
use crate::ports::store::{Store, StoreError};
use std::fs;
use std::path::Path;

fn refusal(path: &Path) -> StoreError {
    match SqliteStore::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_store_is_found_again() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    store.append(vec![contract::append("m1", 1, 4)]).await.expect("an append");
    drop(store);
    let log = path.with_extension("db-wal");
    assert!(!log.exists(), "an orderly end leaves one file");
    let again = SqliteStore::open(&path).expect("the same store");
    assert_eq!(contract::length(&again, "m1").await, 5);
    assert_eq!(again.location(), path.display().to_string());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |p: &Path| fs::metadata(p).expect("a file").permissions().mode() & 0o777;
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    let folder = path.parent().expect("a folder");
    assert_eq!(mode(folder), 0o700);
    assert_eq!(mode(folder.parent().expect("a folder")), 0o700);
    for name in ["gantry.db", "gantry.db-wal", "gantry.db-shm"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).expect("another mode");
    let _again = SqliteStore::open(&path).expect("the same store");
    assert_eq!(mode(&path), 0o600, "a mode that grew is taken back");
    // While somebody else has it open, so that the side files are there with the old one.
    for name in ["gantry.db", "gantry.db-wal", "gantry.db-shm"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o644)).expect("another mode");
    }
    let _third = SqliteStore::open(&path).expect("the same store");
    for name in ["gantry.db", "gantry.db-wal", "gantry.db-shm"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn every_commit_reaches_the_disk() {
    let (store, path, _folder) = scratch();
    let settings = store
        .writer
        .write(|db| {
            let one = |name| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
            Ok((one("synchronous")?, one("user_version")?, one("foreign_keys")?))
        })
        .await;
    assert_eq!(settings, Ok((2, i64::from(FORMAT), 1)));
    assert!(path.with_extension("db-wal").exists());
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_alone() {
    let (store, path, _folder) = scratch();
    store.pragma("user_version", i64::from(FORMAT) + 1).await.expect("a newer version");
    drop(store);
    let before = fs::read(&path).expect("the file");
    let newer = StoreError::Newer { path: path.display().to_string(), found: FORMAT + 1, known: FORMAT };
    assert_eq!(refusal(&path), newer);
    assert_eq!(fs::read(&path).expect("the file"), before);
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("text.db");
    fs::write(&text, "Dear diary, this is not a database. ".repeat(100)).expect("a file");
    let other = folder.path().join("other.db");
    let db = rusqlite::Connection::open(&other).expect("a database");
    db.execute_batch("CREATE TABLE recipes (name TEXT)").expect("a table");
    drop(db);
    for path in [text, other] {
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o664)).expect("a mode");
        let look =
            || (fs::read(&path).expect("the file"), fs::metadata(&path).expect("the file").permissions());
        let before = look();
        let error = refusal(&path);
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert_eq!(look(), before, "its text and its mode");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2, "nothing is left beside them");
}

#[tokio::test]
async fn a_damaged_page_is_reported() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    for after in 0..40 {
        store.append(vec![contract::append("m1", 1 + after * 50, 50)]).await.expect("an append");
    }
    drop(store);
    let mut bytes = fs::read(&path).expect("the file");
    let page = 4096;
    assert!(bytes.len() > 20 * page, "only {} bytes", bytes.len());
    // All but the header, the schema and the first tables.
    bytes[10 * page..].fill(0xa5);
    fs::write(&path, bytes).expect("a damaged file");
    let store = SqliteStore::open(&path).expect("its first pages are whole");
    let error = store.load("m1".into()).await.expect_err("damage");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    contract::create(&store, "m2", 0).await.expect("a mission");
    store.pragma("max_page_count", 1).await.expect("a limit: SQLite takes the present size");
    let full = StoreError::Full { path: path.display().to_string() };
    let mut big = contract::append("m2", 1, 1);
    big.records[0].2 = "x".repeat(1 << 20);
    assert_eq!(store.append(vec![big.clone()]).await, Err(full.clone()));
    // In a group with others the big one fails alone.
    let small = contract::append("m1", 1, 1);
    let (open, gate) = std::sync::mpsc::channel();
    // Holds the writer until the other two wait; a second run of it finds the sender gone and goes on.
    let hold = store.writer.write(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    let (held, one, two, ()) =
        tokio::join!(hold, store.append(vec![small]), store.append(vec![big.clone()]), async move {
            open.send(()).expect("the writer waits")
        },);
    assert_eq!((held, one, two), (Ok(()), Ok(()), Err(full)));
    assert_eq!((contract::length(&store, "m1").await, contract::length(&store, "m2").await), (2, 1));
    store.pragma("max_page_count", 1 << 20).await.expect("more room");
    assert_eq!(store.append(vec![big]).await, Ok(()));
    assert_eq!(contract::length(&store, "m2").await, 2);
}

#[tokio::test]
async fn a_store_that_turns_read_only_says_so() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    store.pragma("query_only", 1).await.expect("a setting");
    let read_only = StoreError::ReadOnly { path: path.display().to_string() };
    assert_eq!(store.append(vec![contract::append("m1", 1, 1)]).await, Err(read_only));
    assert_eq!(contract::length(&store, "m1").await, 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("file"), "").expect("a file");
    let path = folder.path().join("file/home/gantry.db");
    let error = refusal(&path).to_string();
    assert!(error.contains(&path.display().to_string()) && error.contains("GANTRY_STORE"), "{error}");
    let error = refusal(folder.path()).to_string();
    assert!(error.contains("GANTRY_STORE"), "a folder is no file: {error}");
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_noticed() {
    let (store, path, folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    let aside = folder.path().join("aside.db");
    fs::rename(&path, &aside).expect("a move");
    let error = store.append(vec![contract::append("m1", 1, 1)]).await.expect_err("a refusal");
    assert!(error.to_string().contains("moved or deleted"), "{error}");
    fs::rename(&aside, &path).expect("a move back");
    assert_eq!(store.append(vec![contract::append("m1", 1, 1)]).await, Ok(()));
}
