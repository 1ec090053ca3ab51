//! Leases: which task of which mission may write which paths of one project.
//!
//! A table belongs to one project and knows no time: whoever owns it grants before an attempt starts and
//! releases when the task is over. At any moment no path is covered by the leases of two holders.
mod pattern;

pub use pattern::{PathFault, Pattern};

use super::ids::{MissionId, TaskId};
use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Holder {
    pub mission: MissionId,
    pub task: TaskId,
}

/// Why a lease was not given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// Another task holds a path that was asked for, through this pattern.
    Held { holder: Holder, pattern: Pattern },
    /// A later attempt of the same task has the lease already.
    Stale { newest: u64 },
    /// Nothing was granted to this task, or it was released: its work is over.
    NoLease,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Held { holder, pattern } => write!(
                f,
                "task {} of mission {} is writing `{pattern}`: work on other files first, or report partial and name this one",
                holder.task, holder.mission
            ),
            Conflict::Stale { newest } => {
                write!(
                    f,
                    "attempt {newest} of this task has taken over: stop, its work is not yours any more"
                )
            }
            Conflict::NoLease => {
                f.write_str("this task is not running: its files cannot be changed any more")
            }
        }
    }
}

impl std::error::Error for Conflict {}

/// Whose a path is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Check {
    Mine,
    Free,
    Held { holder: Holder, pattern: Pattern },
}

#[derive(Clone, Debug, Default)]
pub struct LeaseTable {
    leases: BTreeMap<Holder, Lease>,
}

#[derive(Clone, Debug)]
struct Lease {
    token: u64,
    patterns: Vec<Pattern>,
}

impl LeaseTable {
    /// Gives `holder` all of `patterns` or none of them. With no patterns it conflicts with nothing and gets
    /// its paths one by one through `extend`. A later attempt of the same task (a token that is not smaller)
    /// keeps what the earlier one held: what it had written is there, half done.
    pub fn grant(&mut self, holder: &Holder, patterns: &[Pattern], token: u64) -> Result<(), Conflict> {
        if let Some(lease) = self.leases.get(holder)
            && lease.token > token
        {
            return Err(Conflict::Stale { newest: lease.token });
        }
        for pattern in patterns {
            if let Some((holder, pattern)) = self.other(holder, pattern) {
                return Err(Conflict::Held { holder, pattern });
            }
        }
        let lease = self.leases.entry(holder.clone()).or_insert(Lease { token, patterns: Vec::new() });
        lease.token = token;
        for pattern in patterns {
            if !lease.patterns.contains(pattern) {
                lease.patterns.push(pattern.clone());
            }
        }
        Ok(())
    }

    /// Adds one path to a lease that is held, unless another task has it.
    pub fn extend(&mut self, holder: &Holder, path: &str) -> Result<(), Conflict> {
        if !self.leases.contains_key(holder) {
            return Err(Conflict::NoLease);
        }
        match self.check(holder, path) {
            Check::Mine => Ok(()),
            Check::Held { holder, pattern } => Err(Conflict::Held { holder, pattern }),
            Check::Free => {
                if let Some(lease) = self.leases.get_mut(holder) {
                    lease.patterns.push(Pattern::exact(path));
                }
                Ok(())
            }
        }
    }

    /// Gives everything of `holder` back; nothing happens when it holds nothing.
    pub fn release(&mut self, holder: &Holder) {
        self.leases.remove(holder);
    }

    /// `path` is relative to the project, with `/`.
    pub fn check(&self, holder: &Holder, path: &str) -> Check {
        let path = Pattern::exact(path);
        if self.leases.get(holder).is_some_and(|lease| lease.patterns.iter().any(|p| p.overlaps(&path))) {
            return Check::Mine;
        }
        match self.other(holder, &path) {
            Some((holder, pattern)) => Check::Held { holder, pattern },
            None => Check::Free,
        }
    }

    /// The first other holder, by name, with a pattern that can mean the same path.
    fn other(&self, holder: &Holder, wanted: &Pattern) -> Option<(Holder, Pattern)> {
        self.leases.iter().filter(|(other, _)| *other != holder).find_map(|(other, lease)| {
            let pattern = lease.patterns.iter().find(|pattern| pattern.overlaps(wanted))?;
            Some((other.clone(), pattern.clone()))
        })
    }
}

#[cfg(test)]
mod tests;
