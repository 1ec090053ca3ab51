//! Reading the log while it is being written and rotated.
use super::rotating::older;
use super::{place, same};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A place in a log.
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    at: u64,
}

impl Tail {
    /// The last lines there are, and the place after them. A log that has not begun is empty.
    pub fn start(path: &Path, lines: usize) -> io::Result<(String, Self)> {
        let mut tail = Self { path: path.to_owned(), file: place::read(path)?, at: 0 };
        let mut last = VecDeque::new();
        // A log that was just set aside has its last lines there.
        let before = place::read(&older(path)).ok().flatten();
        for mut file in before.iter().chain(&tail.file) {
            for line in BufReader::new(&mut file).split(b'\n') {
                last.push_back(line?);
                if last.len() > lines {
                    last.pop_front();
                }
            }
        }
        if let Some(file) = &mut tail.file {
            tail.at = file.stream_position()?;
        }
        Ok((last.iter().map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect(), tail))
    }

    /// What was written since, in whole lines; after a rotation the rest of the old part and then the new one.
    pub fn more(&mut self) -> io::Result<String> {
        let mut text = self.rest()?;
        let there = same::at(&self.path);
        let ours = self.file.as_ref().map(same::of).transpose()?;
        if there.is_some() && there != ours {
            (self.file, self.at) = (place::read(&self.path)?, 0);
            text += &self.rest()?;
        }
        Ok(text)
    }

    fn rest(&mut self) -> io::Result<String> {
        let Some(file) = &mut self.file else { return Ok(String::new()) };
        if file.metadata()?.len() < self.at {
            // It was emptied.
            self.at = 0;
        }
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        self.at += whole as u64;
        Ok(String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Places;
    use super::super::rotating::Rotating;
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn nothing_is_missed_or_shown_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("opencode-orchestrator.log");
        let (text, mut tail) = Tail::start(&path, 3).expect("no log yet");
        assert_eq!(text, "");
        let mut log = Rotating::new(Places::new(folder.path(), None), 100);
        let mut seen = String::new();
        let mut wanted = String::new();
        for n in 0..200 {
            let line = format!("line {n}\n");
            log.write_all(line.as_bytes()).expect("written");
            wanted += &line;
            if n % 3 == 0 {
                seen += &tail.more().expect("readable");
            }
        }
        seen += &tail.more().expect("readable");
        assert_eq!(seen, wanted);
        let mut half = fs::OpenOptions::new().append(true).open(&path).expect("there");
        half.write_all(b"half").expect("written");
        assert_eq!(tail.more().expect("readable"), "");
        half.write_all(b" whole\n").expect("written");
        assert_eq!(tail.more().expect("readable"), "half whole\n");
        let (text, _) = Tail::start(&path, 2).expect("a log");
        assert_eq!(text.lines().count(), 2);
        // As many as are asked for, also where the newest part is short of them.
        let there = fs::read_to_string(&path).expect("a log").lines().count();
        let (more, _) = Tail::start(&path, there + 3).expect("a log");
        assert_eq!(more.lines().count(), there + 3);
        assert!(more.starts_with("line ") && more.ends_with(&text), "{more}");
        assert!(text.ends_with("half whole\n"));
        half.set_len(0).expect("emptied");
        half.write_all(b"new\n").expect("written");
        assert_eq!(tail.more().expect("readable"), "new\n");
    }
}
