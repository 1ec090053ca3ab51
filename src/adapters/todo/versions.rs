//! The last versions of one plan file, `v12.md` and so on: for people who want one back, and the newest of them for
//! whoever changes the plan next, whether the file has it yet or not.
use std::io;
use std::path::PathBuf;

const KEPT: usize = 20;

pub(super) struct Versions {
    folder: PathBuf,
    /// Ascending.
    numbers: Vec<u64>,
}

impl Versions {
    /// The caller holds the lock of the file.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let name = entry?.file_name();
            let number: Option<u64> =
                name.to_str().and_then(|name| name.strip_prefix('v')?.strip_suffix(".md")?.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(Self { folder, numbers })
    }

    pub(super) fn newest(&self) -> u64 {
        self.numbers.last().copied().unwrap_or(0)
    }

    pub(super) fn newest_text(&self) -> Option<String> {
        self.text(*self.numbers.last()?)
    }

    pub(super) fn text(&self, number: u64) -> Option<String> {
        std::fs::read_to_string(self.path(number)).ok()
    }

    /// Not synced: a copy that a power cut takes is worth less than the time of every write. Renamed all the
    /// same, so that a killed process leaves no half of one. Those beyond the last twenty go, as long as they are
    /// older than what the file has.
    pub(super) fn keep(&mut self, number: u64, text: &str, published: u64) -> io::Result<()> {
        let unfinished = self.folder.join("unfinished");
        std::fs::write(&unfinished, text)?;
        std::fs::rename(&unfinished, self.path(number))?;
        if let Err(place) = self.numbers.binary_search(&number) {
            self.numbers.insert(place, number);
        }
        let surplus = self.numbers.len().saturating_sub(KEPT);
        let old = self.numbers[..surplus].partition_point(|number| *number < published);
        self.numbers.drain(..old).collect::<Vec<_>>().into_iter().try_for_each(|old| self.remove(old))
    }

    pub(super) fn keep_only(&mut self, kept: impl Fn(u64) -> bool) -> io::Result<()> {
        let (numbers, gone) = self.numbers.iter().partition(|number| kept(**number));
        self.numbers = numbers;
        let gone: Vec<u64> = gone;
        gone.into_iter().try_for_each(|number| self.remove(number))
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        std::fs::remove_file(self.path(number))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("v{number}.md"))
    }
}
