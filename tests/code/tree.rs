//! A project in a scratch folder.
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Tree {
    folder: TempDir,
}

impl Tree {
    /// With the `.git` that makes `.gitignore` count.
    pub fn of<B: AsRef<[u8]>>(files: &[(&str, B)]) -> Self {
        let tree = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(tree.root().join(".git")).unwrap();
        for (path, bytes) in files {
            tree.write(path, bytes.as_ref());
        }
        tree
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub fn link(&self, target: &Path, link: &str) {
        let link = self.root().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap().block_on(work)
}
