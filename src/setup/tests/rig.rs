//! A folder of configuration and a data folder in a scratch place, on a disk that can fail.
use crate::setup::disk::{Access, Disk, RealDisk};
use crate::setup::edit::HostLine;
use crate::setup::install::{Error, Installer, Outcome, Part};
use crate::setup::places::Kind;
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Rig {
    root: tempfile::TempDir,
    count: Cell<u64>,
}

impl Rig {
    pub fn new() -> Self {
        let rig = Self { root: tempfile::tempdir().expect("a folder"), count: Cell::new(0) };
        fs::create_dir(rig.folder()).expect("a folder");
        rig
    }

    pub fn folder(&self) -> PathBuf {
        self.root.path().join("config")
    }

    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    pub fn with<T>(&self, disk: &dyn Disk, dry_run: bool, work: impl FnOnce(&Installer<'_>) -> T) -> T {
        let stamp = || {
            self.count.set(self.count.get() + 1);
            format!("{:06}", self.count.get())
        };
        work(&Installer { disk, home: &self.home(), stamp: &stamp, dry_run })
    }

    pub fn install_on(&self, disk: &dyn Disk) -> Result<Vec<Outcome>, Error> {
        self.install_entry(disk, entry())
    }

    pub fn install_entry(&self, disk: &dyn Disk, entry: Value) -> Result<Vec<Outcome>, Error> {
        self.with(disk, false, |i| i.install(&self.folder(), &[host(entry)]))
    }

    /// Both halves.
    pub fn install_pair(&self, disk: &dyn Disk) -> Result<Vec<Outcome>, Error> {
        let panel = Part { kind: Kind::Terminal, ..host(entry()) };
        self.with(disk, false, |i| i.install(&self.folder(), &[host(entry()), panel]))
    }

    pub fn install(&self) -> Result<Vec<Outcome>, Error> {
        self.install_on(&RealDisk)
    }

    pub fn uninstall_on(&self, disk: &dyn Disk) -> Result<Vec<Outcome>, Error> {
        self.with(disk, false, |i| i.uninstall(&self.folder(), &[Kind::Host, Kind::Terminal, Kind::Client]))
    }

    pub fn uninstall(&self) -> Result<Vec<Outcome>, Error> {
        self.uninstall_on(&RealDisk)
    }

    /// Names in the folder of configuration.
    pub fn names(&self) -> Vec<String> {
        let list = RealDisk.list(&self.folder()).expect("a folder");
        list.iter().map(|p| p.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
    }
}

pub fn host(entry: Value) -> Part {
    Part { kind: Kind::Host, entry, line: HostLine::Auto, wanted: true }
}

pub fn entry() -> Value {
    json!("opencode-gantry@0.1.0")
}

/// What happens to one call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fate {
    /// It fails; the calls after it work.
    Fails,
    /// It does its work, and says that it failed; the calls after it work.
    Late,
    /// A write stops half way, and nothing comes after it.
    Killed,
    /// A write stops half way, as do all after it; what takes no room works.
    Full,
}

/// The real disk until call `at`, counted from 0.
pub struct Faulty {
    pub at: u64,
    pub fate: Fate,
    calls: Cell<u64>,
}

impl Faulty {
    pub fn new(at: u64, fate: Fate) -> Self {
        Self { at, fate, calls: Cell::new(0) }
    }

    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    fn call<T>(&self, whole: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let n = self.calls.replace(self.calls.get() + 1);
        let fails = match self.fate {
            Fate::Fails => n == self.at,
            Fate::Killed => n >= self.at,
            Fate::Full | Fate::Late => false,
        };
        if n == self.at && self.fate == Fate::Late {
            whole()?;
            return Err(io::Error::other("the disk failed (scripted)"));
        }
        if fails { Err(io::Error::other("the disk failed (scripted)")) } else { whole() }
    }

    /// A call that needs room; `half` is what is left of it.
    fn write<T>(&self, half: impl FnOnce(), whole: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let n = self.calls.get();
        if n >= self.at && self.fate == Fate::Full {
            self.calls.set(n + 1);
            half();
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if n == self.at && self.fate == Fate::Killed {
            half();
        }
        self.call(whole)
    }
}

impl Disk for Faulty {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.call(|| RealDisk.read(path))
    }
    fn access(&self, path: &Path) -> io::Result<Access> {
        self.call(|| RealDisk.access(path))
    }
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.call(|| RealDisk.resolve(path))
    }
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.write(|| (), || RealDisk.make_folder(path))
    }
    fn write_new(&self, path: &Path, bytes: &[u8], access: Option<Access>) -> io::Result<()> {
        let half = || {
            let _ = RealDisk.write_new(path, bytes.get(..bytes.len() / 2).unwrap_or_default(), access);
        };
        self.write(half, || RealDisk.write_new(path, bytes, access))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|| RealDisk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|| RealDisk.remove(path))
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.call(|| RealDisk.list(folder))
    }
    fn lock(&self, path: &Path, patience: Duration) -> io::Result<Box<dyn Send>> {
        self.call(|| RealDisk.lock(path, patience))
    }
}
