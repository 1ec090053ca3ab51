//! A log file of a bounded size that several processes write to.
use super::place::Places;
use super::{LOST, same};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// The file, and one older part beside it. Each write is one line, appended as a whole. It is looked for anew when it is
/// not where it was: another process has set it aside, or somebody cleared up the temp folder.
pub struct Rotating {
    places: Places,
    open: Option<(PathBuf, File)>,
    max: u64,
    /// The last line was cut short.
    torn: bool,
}

impl Rotating {
    /// `max` in bytes, for each of the two parts. Opened with the first line, and with each one until that succeeds.
    pub fn new(places: Places, max: u64) -> Self {
        Self { places, open: None, max, torn: false }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<usize> {
        let stays = match &self.open {
            Some((path, file)) if same::at(path) == Some(same::of(file)?) => {
                file.metadata()?.len() < self.max || !set_aside(path, file, self.max)?
            }
            _ => false,
        };
        if !stays {
            (self.open, self.torn) = (None, false);
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => self.places.open()?,
        };
        append_to(&mut self.open.insert(open).1, line, &mut self.torn)
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Nobody waits for the answer.
        self.append(line).inspect_err(|_| {
            LOST.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |(_, file)| file.flush())
    }
}

/// A line that the disk took a part of ends before the next one begins.
fn append_to(file: &mut impl Write, line: &[u8], torn: &mut bool) -> io::Result<usize> {
    if *torn {
        file.write_all(b"\n")?;
        *torn = false;
    }
    let taken = file.write(line)?;
    *torn = 0 < taken && taken < line.len();
    if taken < line.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
}

/// Whether a new part is to be begun.
fn set_aside(path: &Path, file: &File, max: u64) -> io::Result<bool> {
    // By one process only: a second one would put the new part, still empty, in the place of the old one. Where there are
    // no locks that risk is taken. Closing the file gives the lock back.
    let _ = file.lock();
    if same::at(path) != Some(same::of(file)?) || fs::rename(path, older(path)).is_ok() {
        return Ok(true);
    }
    // Something that is not ours stands in the place of the older part, which leaves its room to this one.
    let kept = if file.metadata()?.len() < 2 * max { Ok(()) } else { file.set_len(0) };
    let _ = file.unlock();
    kept.map(|()| false)
}

/// Where the part before the present one is.
pub fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> (Places, PathBuf) {
        (Places::new(folder, None), folder.join("opencode-orchestrator.log"))
    }

    fn lines(path: &Path) -> Vec<u32> {
        let text = fs::read_to_string(path).expect("a part of the log");
        text.lines().map(|line| line.parse().expect("a whole line")).collect()
    }

    #[test]
    fn two_writers_keep_the_newest_lines_and_both_parts_small() {
        let folder = tempfile::tempdir().expect("a folder");
        let (places, path) = places(folder.path());
        let mut writers = [(); 2].map(|()| Rotating::new(places.clone(), 1_000));
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

    #[test]
    fn writers_that_set_the_log_aside_at_one_moment_lose_no_part() {
        let folder = tempfile::tempdir().expect("a folder");
        let (places, path) = places(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut log = Rotating::new(places.clone(), 1_000);
                let older = older(&path);
                scope.spawn(move || {
                    for _ in 0..5_000 {
                        log.write_all(b"1234567\n").expect("written");
                        // Whoever reads finds a part that was full when it was set aside.
                        let bytes = fs::metadata(&older).map_or(1_000, |meta| meta.len());
                        assert!((1_000..1_100).contains(&bytes), "{bytes} bytes");
                    }
                });
            }
        });
        assert!(fs::metadata(&path).expect("a log").len() < 1_100);
    }

    #[test]
    fn a_log_that_was_deleted_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (places, path) = places(folder.path());
        let mut log = Rotating::new(places, 1_000);
        log.write_all(b"1\n").expect("written");
        fs::remove_file(&path).expect("removed");
        log.write_all(b"2\n").expect("written");
        assert_eq!(lines(&path), [2]);
    }

    #[test]
    fn a_log_that_cannot_be_set_aside_keeps_to_its_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let (places, path) = places(folder.path());
        fs::create_dir(older(&path)).expect("something in the way");
        let mut log = Rotating::new(places, 1_000);
        for n in 0..1_000_u32 {
            log.write_all(format!("{n:04}\n").as_bytes()).expect("written");
            assert!(fs::metadata(&path).expect("a log").len() <= 2_005);
        }
        assert_eq!(lines(&path).last(), Some(&999));
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_tried_again_and_what_is_lost_is_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let (places, path) = places(folder.path());
        fs::create_dir(&path).expect("something in the way");
        let mut log = Rotating::new(places, 1_000);
        let before = LOST.load(Ordering::Relaxed);
        log.write_all(b"1\n").expect_err("no log");
        assert!(LOST.load(Ordering::Relaxed) > before);
        fs::remove_dir(&path).expect("out of the way");
        log.write_all(b"2\n").expect("written");
        assert_eq!(lines(&path), [2]);
    }

    #[test]
    fn a_line_that_was_cut_short_spoils_no_other() {
        struct Disk(Vec<u8>, usize);
        impl Write for Disk {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                let taken = line.len().min(self.1 - self.0.len());
                self.0.extend(&line[..taken]);
                Ok(taken)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut disk, mut torn) = (Disk(Vec::new(), 10), false);
        append_to(&mut disk, b"first\n", &mut torn).expect("written");
        append_to(&mut disk, b"second\n", &mut torn).expect_err("full");
        append_to(&mut disk, b"third\n", &mut torn).expect_err("full");
        disk.1 = 100;
        append_to(&mut disk, b"fourth\n", &mut torn).expect("written");
        assert_eq!(String::from_utf8_lossy(&disk.0), "first\nseco\nfourth\n");
    }
}
