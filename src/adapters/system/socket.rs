//! A door for the user's own programs: a socket in the data folder that only this user can open.
use super::files::make_folder;
use super::markers::digest;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// Longest path of a socket that every system takes.
const MAX_PATH: usize = 103;
/// What comes behind the folder.
const NAME: usize = "/4294967295.sock".len();

/// Removed when dropped.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Why there is none on this system.
    pub const MISSING: Option<&str> = None;

    /// What processes that were killed have left there is cleared away.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = folder(data_dir);
        // For this user alone, as is what it holds.
        make_folder(&folder)?;
        if !own(&folder, data_dir) {
            let text = format!("{} is not this user's alone: remove it", folder.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        clear(&folder);
        let path = folder.join(format!("{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// The doors of all processes of this user, whether or not somebody is still behind them.
    pub fn all(data_dir: &Path) -> Vec<PathBuf> {
        let folder = folder(data_dir);
        if own(&folder, data_dir) { sockets(&folder) } else { Vec::new() }
    }

    pub async fn next(&self) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        Ok(self.listener.accept().await?.0.into_split())
    }

    /// From the other side.
    pub async fn visit(path: &Path) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        Ok(UnixStream::connect(path).await?.into_split())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // It may have been cleared away.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// `run` in the data folder; where its path is too long for a socket, one of the user's own that stands for it. The shim looks
/// in the same place.
fn folder(data_dir: &Path) -> PathBuf {
    let folder = data_dir.join("run");
    if folder.as_os_str().len() + NAME <= MAX_PATH {
        return folder;
    }
    let user = rustix::process::geteuid().as_raw();
    PathBuf::from(format!("/tmp/gantry-{user}-{}", &digest(data_dir)[..16]))
}

/// Nobody else can have put anything there. The data folder is the user's own affair; where the short one lies, others may write.
fn own(folder: &Path, data_dir: &Path) -> bool {
    if folder.starts_with(data_dir) {
        return true;
    }
    std::fs::symlink_metadata(folder).is_ok_and(|about| {
        about.is_dir() && about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o077 == 0
    })
}

/// A socket that refuses has nobody behind it.
fn clear(folder: &Path) {
    for path in sockets(folder) {
        if std::os::unix::net::UnixStream::connect(&path)
            .is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
        {
            // Another process may clear at the same time.
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// None where there is no folder yet.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_socket = |path: &PathBuf| path.extension().is_some_and(|e| e == "sock");
    let mut all: Vec<_> = entries.map(|entry| entry.path()).filter(is_socket).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_user_can_open_it_and_the_dead_are_cleared_away() {
        let home = tempfile::tempdir().expect("a folder");
        let run = home.path().join("run");
        std::fs::create_dir(&run).expect("the folder");
        std::fs::set_permissions(&run, PermissionsExt::from_mode(0o700)).expect("its mode");
        drop(std::os::unix::net::UnixListener::bind(run.join("1.sock")).expect("a socket of the dead"));
        let other = std::os::unix::net::UnixListener::bind(run.join("2.sock")).expect("one that lives");
        let door = Door::open(home.path()).expect("a door");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&run), mode(&door.path)), (0o700, 0o600));
        assert!(!run.join("1.sock").exists() && run.join("2.sock").exists());
        let (near, far) = tokio::join!(Door::visit(&door.path), door.next());
        assert!(near.is_ok() && far.is_ok());
        drop(door);
        assert_eq!(std::fs::read_dir(&run).expect("the folder").count(), 1);
        drop(other);
    }

    #[tokio::test]
    async fn a_data_folder_of_any_length_has_a_door() {
        let home = tempfile::tempdir().expect("a folder");
        let long = home.path().join("x".repeat(120));
        let folder = folder(&long);
        let door = Door::open(&long).expect("a door");
        assert_eq!(Door::all(&long), std::slice::from_ref(&door.path));
        assert_eq!(std::fs::metadata(&folder).expect("there").permissions().mode() & 0o777, 0o700);
        let (near, far) = tokio::join!(Door::visit(&door.path), door.next());
        assert!(near.is_ok() && far.is_ok());
        drop(door);
        // What others could have put there is not trusted.
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).expect("its mode");
        let refused = Door::open(&long).err().expect("no door");
        assert!(refused.to_string().contains("remove it"), "{refused}");
        std::fs::remove_dir(&folder).expect("empty");
        std::os::unix::fs::symlink(home.path(), &folder).expect("a link");
        assert!(Door::open(&long).is_err());
        assert!(Door::all(&long).is_empty());
        std::fs::remove_file(&folder).expect("the link");
    }

    #[test]
    fn the_short_folder_is_the_one_the_shim_looks_in() {
        let long = Path::new("/home/ann").join("x".repeat(100));
        let user = rustix::process::geteuid().as_raw();
        // printf '/home/ann/%s' "$(printf 'x%.0s' {1..100})" | sha256sum
        assert_eq!(folder(&long), PathBuf::from(format!("/tmp/gantry-{user}-aa78d9180c1d1b26")));
        assert_eq!(folder(Path::new("/home/ann")), Path::new("/home/ann/run"));
    }
}
