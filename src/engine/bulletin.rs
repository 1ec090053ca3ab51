//! The newest notices of this process, for interfaces that have to ask for them: on a host whose plugins cannot show any
//! from where they run. Lost with the process, as every notice is.
use crate::domain::ids::{Directory, Millis};
use crate::ports::host::ToastKind;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Kept over all directories; a merged notice for each half second is the most there are.
const KEPT: usize = 50;
/// Who knows no number yet is told what came within this time: while an interface was still being drawn, or since it last asked
/// in vain. Longer than the ten seconds between two looks of an idle interface, or what falls between them would be lost.
const FRESH_MS: u64 = 15_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Rises from notice to notice, over the ends of processes too: the moment it was told at, or one more than the last.
    pub number: u64,
    pub kind: ToastKind,
    pub title: String,
    pub message: String,
}

#[derive(Default)]
pub struct Bulletin(Mutex<VecDeque<(Directory, Notice)>>);

impl Bulletin {
    pub fn put_up(&self, now: Millis, directory: Directory, kind: ToastKind, title: String, message: String) {
        let mut all = self.0.lock();
        let number = all.back().map_or(now.0, |(_, last)| now.0.max(last.number + 1));
        all.push_back((directory, Notice { number, kind, title, message }));
        if all.len() > KEPT {
            all.pop_front();
        }
    }

    /// Those of a directory after the one of that number, oldest first; without a number, the fresh ones.
    pub fn after(&self, now: Millis, directory: &Directory, number: Option<u64>) -> Vec<Notice> {
        let from = number.map_or(now.0.saturating_sub(FRESH_MS), |number| number + 1);
        let all = self.0.lock();
        let here = all.iter().filter(|(of, notice)| of == directory && notice.number >= from);
        here.map(|(_, notice)| notice.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bulletin: &Bulletin, now: u64, directory: &str, number: Option<u64>) -> Vec<(u64, String)> {
        let all = bulletin.after(Millis(now), &Directory(directory.into()), number);
        all.into_iter().map(|notice| (notice.number, notice.title)).collect()
    }

    #[test]
    fn each_asker_is_told_what_is_new_in_his_directory() {
        let bulletin = Bulletin::default();
        let put = |now, directory: &str, title: &str| {
            bulletin.put_up(
                Millis(now),
                Directory(directory.into()),
                ToastKind::Info,
                title.into(),
                String::new(),
            );
        };
        put(5_999, "/a", "old");
        put(20_000, "/a", "one");
        put(20_000, "/b", "other");
        put(19_000, "/a", "two");
        let one_and_two = vec![(20_000, "one".to_owned()), (20_002, "two".to_owned())];
        assert_eq!(told(&bulletin, 21_000, "/a", None), one_and_two, "at first what is fresh");
        assert_eq!(
            told(&bulletin, 33_000, "/a", None),
            one_and_two,
            "after an idle interface's ten seconds, and a slow answer"
        );
        assert_eq!(told(&bulletin, 90_000, "/a", Some(5_999)), one_and_two, "then what came since");
        assert_eq!(told(&bulletin, 90_000, "/a", Some(20_002)), []);
        assert_eq!(told(&bulletin, 21_000, "/b", None), [(20_001, "other".to_owned())]);
        for n in 0..KEPT as u64 {
            put(30_000 + n, "/b", "more");
        }
        assert_eq!(told(&bulletin, 90_000, "/a", Some(0)), [], "the oldest go");
    }
}
