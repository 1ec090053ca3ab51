//! A door for the user's own programs: a socket in the data folder that only this user can open.
use super::files::make_folder;
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// Removed when dropped.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Why there is none on this system.
    pub const MISSING: Option<&str> = None;

    /// `run/PID.sock` in the data folder. What processes that were killed have left there is cleared away.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("run");
        // For this user alone, as is what it holds.
        make_folder(&folder)?;
        clear(&folder);
        let path = folder.join(format!("{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// The doors of all processes of this user, whether or not somebody is still behind them.
    pub fn all(data_dir: &Path) -> Vec<PathBuf> {
        sockets(&data_dir.join("run"))
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
    use std::os::unix::fs::PermissionsExt;

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
}
