//! A log file of a bounded size that several processes write to.
use super::same;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file, and one older part beside it. Each write is one line, appended as a whole.
pub struct Rotating {
    path: PathBuf,
    file: File,
    max: u64,
}

impl Rotating {
    /// `max` in bytes, for each of the two parts.
    pub fn open(path: &Path, max: u64) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: append_to(path)?, max })
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.max {
            return Ok(());
        }
        // Another process may have been first: what stands there now is the new part then.
        if same::at(&self.path) == Some(same::of(&self.file)?) {
            fs::rename(&self.path, older(&self.path))?;
        }
        self.file = append_to(&self.path)?;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A log that cannot be rotated goes on growing; that is better than none.
        let _ = self.rotate();
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Where the part before the present one is.
pub fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<u32> {
        let text = fs::read_to_string(path).expect("a part of the log");
        text.lines().map(|line| line.parse().expect("a whole line")).collect()
    }

    #[test]
    fn two_writers_keep_the_newest_lines_and_both_parts_small() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let mut writers = [(); 2].map(|()| Rotating::open(&path, 1_000).expect("a log"));
        for n in 0..1_000_u32 {
            writers[n as usize % 2].write_all(format!("{n:04}\n").as_bytes()).expect("written");
        }
        let (old, new) = (lines(&older(&path)), lines(&path));
        assert!(old.len() * 5 <= 1_010 && new.len() * 5 <= 1_010, "{} and {}", old.len(), new.len());
        let mut kept = [old, new].concat();
        kept.sort_unstable();
        assert_eq!(kept.last(), Some(&999));
        assert!(kept.windows(2).all(|w| w[1] == w[0] + 1), "none missing among the newest");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }
}
