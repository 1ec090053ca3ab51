//! Which file the log is. The temp folder may be everybody's, so what stands there is trusted only when it is a plain file
//! of this user and has no second name: who plants something else there gets no line, and loses us none.
use super::rotating::older;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "opencode-orchestrator.log";

/// Where the log may be: in the temp folder, else in the data folder, which is this user's own.
#[derive(Clone)]
pub struct Places {
    temp: PathBuf,
    home: Option<PathBuf>,
}

/// Where the log is, as far as a look can say that changes nothing.
pub struct Look {
    /// None where no place can be written to.
    pub path: Option<PathBuf>,
    /// Its size in bytes, once it has begun.
    pub bytes: Option<u64>,
    /// Places that cannot be used, each with the reason.
    pub passed_over: Vec<String>,
}

impl Places {
    pub fn new(temp: &Path, data: Option<&Path>) -> Self {
        Self { temp: temp.join(FILE), home: data.map(|data| data.join(FILE)) }
    }

    /// The first that can be opened, to append to.
    pub(super) fn open(&self) -> io::Result<(PathBuf, File)> {
        match (append_to(&self.temp), &self.home) {
            (Ok(file), _) => Ok((self.temp.clone(), file)),
            (Err(error), None) => Err(error),
            (Err(_), Some(path)) => {
                make_folder(path)?;
                Ok((path.clone(), append_to(path)?))
            }
        }
    }

    pub fn look(&self) -> Look {
        let (mut usable, mut passed_over) = (Vec::new(), Vec::new());
        for path in [Some(&self.temp), self.home.as_ref()].into_iter().flatten() {
            match size(path) {
                Ok(bytes) => usable.push((path.clone(), bytes)),
                Err(error) => passed_over.push(format!("{}: {error}", path.display())),
            }
        }
        let begun = usable.iter().position(|(_, bytes)| bytes.is_some());
        let (path, bytes) = usable.into_iter().nth(begun.unwrap_or(0)).unzip();
        Look { path, bytes: bytes.flatten(), passed_over }
    }
}

/// For this user alone, and the part before it too: earlier editions let everybody read them.
fn append_to(path: &Path) -> io::Result<File> {
    let file = open(path, OpenOptions::new().create(true).append(true))?;
    let before = open(&older(path), OpenOptions::new().append(true));
    #[cfg(unix)]
    for part in [Some(&file), before.as_ref().ok()].into_iter().flatten() {
        use std::os::unix::fs::PermissionsExt;
        // A file system without modes gives each file that of its mount.
        let _ = part.set_permissions(fs::Permissions::from_mode(0o600));
    }
    #[cfg(not(unix))]
    drop(before);
    Ok(file)
}

/// To read from; none where nothing stands.
pub(super) fn read(path: &Path) -> io::Result<Option<File>> {
    match open(path, OpenOptions::new().read(true)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Without waiting: at a pipe there may never be anybody at the other end.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let opened = options.open(path);
    if opened.is_err() && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
        return Err(io::Error::other("it is a link"));
    }
    let file = opened?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
        if meta.nlink() > 1 {
            return Err(io::Error::other("it has a second name"));
        }
    }
    Ok(file)
}

/// Of a log that can be written to; none of one that can be begun.
fn size(path: &Path) -> io::Result<Option<u64>> {
    match open(path, OpenOptions::new().append(true)) {
        Ok(file) => Ok(Some(file.metadata()?.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => may_begin(path).map(|()| None),
        Err(error) => Err(error),
    }
}

fn may_begin(path: &Path) -> io::Result<()> {
    let there = path.ancestors().skip(1).find(|folder| folder.exists());
    #[cfg(unix)]
    if let Some(folder) = there {
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    }
    there.map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The folder of a file in the data folder, for this user alone.
pub(super) fn make_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// What somebody plants at the log's path, with the path of a file of the user's; and what is said of it.
    type Plant = (fn(&Path, &Path), &'static str);

    #[test]
    fn what_is_not_this_users_own_plain_file_is_passed_over() {
        let plants: &[Plant] = &[
            (|log, precious| symlink(precious, log).unwrap(), "it is a link"),
            (|log, _| symlink("/nowhere/at/all", log).unwrap(), "it is a link"),
            (|log, precious| fs::hard_link(precious, log).unwrap(), "it has a second name"),
            (|log, _| fs::create_dir(log).unwrap(), ""),
            #[cfg(target_os = "linux")]
            (
                |log, _| {
                    use rustix::fs::{CWD, FileType, Mode, mknodat};
                    mknodat(CWD, log, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
                },
                "",
            ),
        ];
        for &(plant, said) in plants {
            let folder = tempfile::tempdir().unwrap();
            let precious = folder.path().join("precious");
            fs::write(&precious, "mine").unwrap();
            let data = folder.path().join("data");
            let places = Places::new(folder.path(), Some(&data));
            plant(&folder.path().join(FILE), &precious);
            let look = places.look();
            assert_eq!((look.path, look.bytes), (Some(data.join(FILE)), None));
            assert!(look.passed_over[0].contains(said), "{:?}", look.passed_over);
            assert!(!data.exists(), "looking makes nothing");
            let (path, mut file) = places.open().unwrap();
            file.write_all(b"a line\n").unwrap();
            assert_eq!(path, data.join(FILE));
            assert_eq!(fs::read(&precious).unwrap(), b"mine");
            let look = places.look();
            assert_eq!((look.path, look.bytes), (Some(data.join(FILE)), Some(7)));
            assert!(Places::new(folder.path(), None).open().is_err());
            assert!(Places::new(folder.path(), None).look().path.is_none());
        }
    }

    #[test]
    fn the_log_of_another_user_is_left_alone() {
        use rustix::fs::{Uid, chown};
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), Some(&folder.path().join("data")));
        fs::write(folder.path().join(FILE), "theirs\n").unwrap();
        if chown(folder.path().join(FILE), Some(Uid::from_raw(4_711)), None).is_err() {
            // Only the superuser gives files away; for others the kernel keeps such a file closed in any case.
            return;
        }
        assert!(places.look().passed_over[0].ends_with("it belongs to another user"));
        assert!(read(&folder.path().join(FILE)).is_err());
        assert_eq!(places.open().unwrap().0, folder.path().join("data").join(FILE));
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"theirs\n");
    }

    #[test]
    fn both_parts_are_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join(FILE);
        for part in [&log, &older(&log)] {
            fs::write(part, "").unwrap();
            fs::set_permissions(part, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Places::new(folder.path(), None).open().unwrap();
        for part in [&log, &older(&log)] {
            assert_eq!(fs::metadata(part).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
