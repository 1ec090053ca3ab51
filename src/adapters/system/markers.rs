//! One small file per project with an open mission, so that a host that starts there can tell with a single
//! look whether there is something to resume.
use super::files;
use super::real::real_path;
use crate::domain::ids::Directory;
use crate::ports::Fut;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

#[derive(Clone)]
pub struct OpenMarkers {
    folder: PathBuf,
}

impl OpenMarkers {
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("open") }
    }

    /// Says whether `directory` has an open mission. Blocks for one or two `fsync`s. A directory that is gone
    /// is taken as it is written.
    pub fn set(&self, directory: &Path, open: bool) -> io::Result<()> {
        let real = real_path(directory).unwrap_or_else(|_| directory.to_path_buf());
        let marker = self.folder.join(digest(&real));
        if !open {
            return files::remove(&marker);
        }
        files::make_folder(&self.folder)?;
        // The shim looks at the name only; the path is for people.
        files::write_atomic(&marker, format!("{}\n", real.display()).as_bytes())
    }
}

impl OpenMarkers {
    /// Digests of all folders that have an open mission in them or below.
    pub(super) fn projects(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let paths = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        paths
            .flat_map(|path| {
                Path::new(path.trim_end_matches('\n')).ancestors().map(digest).collect::<Vec<_>>()
            })
            .collect()
    }
}

impl crate::ports::system::OpenMarkers for OpenMarkers {
    fn set(&self, directory: Directory, open: bool) -> Fut<'_, io::Result<()>> {
        let markers = self.clone();
        let write = move || OpenMarkers::set(&markers, Path::new(directory.as_str()), open);
        Box::pin(async move { tokio::task::spawn_blocking(write).await.map_err(io::Error::other)? })
    }
}

/// Stands for a path where a file name is needed: the first 32 hex digits of its SHA-256.
pub(super) fn digest(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_which_the_shim_looks_for() {
        // printf %s /home/ann/project | sha256sum
        assert_eq!(digest(Path::new("/home/ann/project")), "78a036e7334eb9834cd06cba268ab7ea");
    }

    #[cfg(unix)]
    #[test]
    fn a_marker_comes_and_goes_with_the_real_directory() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let real = home.path().canonicalize().expect("its path").join("project");
        let link = home.path().join("link");
        fs::create_dir(&real).expect("a project");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        let markers = OpenMarkers::new(&home.path().join("data"));
        let marker = home.path().join("data/open").join(digest(&real));
        markers.set(&real, false).expect("nothing to remove, no folder even");
        markers.set(&link, true).expect("a marker");
        markers.set(&link, true).expect("the same marker");
        assert_eq!(fs::read_to_string(&marker).expect("a marker"), format!("{}\n", real.display()));
        fs::remove_dir(&real).expect("the project goes");
        markers.set(&real, false).expect("a removal");
        assert!(!marker.exists());
    }
}
