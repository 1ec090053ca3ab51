//! A race: several tries at one task side by side, of which one is taken. When it is over, and how.
//!
//! | tries | what follows |
//! |---|---|
//! | one is before its gate | it is waited for; that look and its checks have time limits |
//! | none is at work or before its gate, none has passed | the task is worked by one worker, with all that was found |
//! | none is at work or before its gate, one has passed | that one is taken |
//! | none is at work or before its gate, several have passed | a reviewer compares them |
//! | one has passed, others are at work | they have as long again as half of what the first took, a minute at least, counted anew where work was interrupted; then they are stopped |
use super::ids::Millis;

/// Most tries at one task.
pub const MAX_TRIES: u32 = 5;
/// Tries at a task that its planner wants raced, where the user does not say how many.
pub const DEFAULT_TRIES: u32 = 3;
/// Shortest time that those at work have once another has passed.
const LEAST_GRACE_MS: u64 = 60_000;

/// Whether a try may be told to run on this: a provider, and one of its models (whose name may have slashes).
pub fn is_model(name: &str) -> bool {
    let words = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    name.split_once('/').is_some_and(|(provider, model)| words(provider) && words(model))
}

/// How many tries somebody asks for: a race has two at least.
pub fn tries(text: &str) -> Result<u32, String> {
    let tries = text.parse().ok().filter(|tries| (2..=MAX_TRIES).contains(tries));
    tries.ok_or_else(|| format!("--race takes how many tries at each task: 2 to {MAX_TRIES}"))
}

/// Which tasks of a plan are raced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Races {
    /// None: tries side by side need a working tree each.
    #[default]
    NoWorktrees,
    /// None: the user wants none.
    Off,
    /// Those that the plan says.
    Asked,
    /// All of which the plan does not say that they are not.
    All,
}

/// Where one try stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has handed nothing in yet.
    AtWork,
    /// Its change is being looked at, or its checks run.
    BeforeGate,
    /// Nothing is held against its change.
    Passed { handed_in: Millis, took_ms: u64 },
    /// Failed, found wrong, or stopped.
    Out,
}

/// What is due. Tries are named by their place in the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Until something changes, or until then.
    Wait(Option<Millis>),
    /// These are too late.
    Stop(Vec<usize>),
    /// None was any good.
    Lost,
    Take(usize),
    Compare(Vec<usize>),
}

/// Work has gone on without a break from `since` on: nobody is behind for time in which none could work.
pub fn next(tries: &[Standing], since: Millis, now: Millis) -> Next {
    let those = |wanted: fn(&Standing) -> bool| -> Vec<usize> {
        tries.iter().enumerate().filter(|(_, s)| wanted(s)).map(|(i, _)| i).collect()
    };
    let at_work = those(|s| *s == Standing::AtWork);
    if let Some(until) = tries.iter().filter_map(|s| patience(s, since)).min().filter(|_| !at_work.is_empty())
    {
        return if until <= now { Next::Stop(at_work) } else { Next::Wait(Some(until)) };
    }
    if !at_work.is_empty() || tries.contains(&Standing::BeforeGate) {
        return Next::Wait(None);
    }
    match those(|s| matches!(s, Standing::Passed { .. })).as_slice() {
        [] => Next::Lost,
        [one] => Next::Take(*one),
        several => Next::Compare(several.to_vec()),
    }
}

/// Until when a try that has passed lets the others work.
fn patience(standing: &Standing, since: Millis) -> Option<Millis> {
    match standing {
        Standing::Passed { handed_in, took_ms } => {
            let from = *handed_in.max(&since);
            Some(from.plus((took_ms / 2).max(LEAST_GRACE_MS)))
        }
        Standing::AtWork | Standing::BeforeGate | Standing::Out => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `w` at work, `g` before its gate, `x` out, a number: passed, handed in at that minute after as many minutes.
    fn tries(text: &str) -> Vec<Standing> {
        let standing = |word: &str| match word {
            "w" => Standing::AtWork,
            "g" => Standing::BeforeGate,
            "x" => Standing::Out,
            minutes => {
                let ms = minutes.parse::<u64>().expect("minutes") * 60_000;
                Standing::Passed { handed_in: Millis(ms), took_ms: ms }
            }
        };
        text.split_whitespace().map(standing).collect()
    }

    #[test]
    fn a_race_ends_as_the_table_says() {
        let until = |minutes: u64| Next::Wait(Some(Millis(minutes * 60_000)));
        let table = [
            ("w w w", 99, Next::Wait(None)),
            ("g w x", 99, Next::Wait(None)),
            ("x x x", 1, Next::Lost),
            ("x 4 x", 4, Next::Take(1)),
            ("g 4 x", 99, Next::Wait(None)),
            ("3 4 x", 4, Next::Compare(vec![0, 1])),
            ("3 4 5", 5, Next::Compare(vec![0, 1, 2])),
            // The first took four minutes, so two more are given.
            ("w 4 w", 5, until(6)),
            ("w 4 w", 6, Next::Stop(vec![0, 2])),
            ("w 4 g", 6, Next::Stop(vec![0])),
            ("w 4 5", 5, until(6)),
            // Never less than a minute.
            ("1 w x", 1, until(2)),
            ("1 w x", 2, Next::Stop(vec![1])),
            ("", 0, Next::Lost),
        ];
        for (standings, minute, expected) in table {
            let found = next(&tries(standings), Millis(0), Millis(minute * 60_000));
            assert_eq!(found, expected, "{standings} at {minute}");
        }
    }

    #[test]
    fn time_before_work_went_on_again_is_nobodys() {
        let table = [
            ("w 4 w", 3, 6, Next::Stop(vec![0, 2])),
            ("w 4 w", 64, 64, Next::Wait(Some(Millis(66 * 60_000)))),
            ("w 4 w", 64, 66, Next::Stop(vec![0, 2])),
            ("x 4 x", 64, 64, Next::Take(1)),
        ];
        for (standings, since, minute, expected) in table {
            let at = |minute: u64| Millis(minute * 60_000);
            assert_eq!(next(&tries(standings), at(since), at(minute)), expected, "{standings} at {minute}");
        }
    }
}
