//! Conversations of the host that are kept for the tasks that follow.
//!
//! Off unless the user wants it (`sessionReuse`): a conversation used again is no quicker than a new one, and its prompts are
//! longer; what it saves is to read once more what the task before has read. So only the worker of a task that the new one
//! depends on hands its conversation on, in the same folder, and only once that task is accepted.
//!
//! The pool is a view of the journal and no store of its own: who works in which conversation is a fact, and a
//! process that takes over sees the same. Nothing is deleted in the host: conversations are what the user reads later.
use super::Core;
use super::event::*;
use super::io::*;
use super::state::{Attempt, Mission, Task};
use crate::domain::ids::{HostSessionId, Millis, MissionId, TaskId};
use crate::domain::task::TaskState;
use crate::ports::host::{HostError, TurnState};

/// Tasks in one conversation.
const MOST_USES: usize = 10;
/// Longest time between two tasks in it; by then providers have forgotten its prompts as well.
const MOST_IDLE_MS: u64 = 300_000;
/// Conversations that wait in one folder; of more the oldest are not taken any more.
const MOST_WAITING: usize = 5;
/// A conversation that nothing was heard of for so long is looked at before it is used.
const HEALTHY_MS: u64 = 60_000;

#[derive(Default, Debug)]
pub struct PoolCounts {
    /// Tasks that went on in the conversation of one before, and tasks that would have liked to.
    pub hits: u64,
    pub misses: u64,
    /// Of these, for a conversation that was there, and too old, too much used, one of too many, or not in order.
    pub evicted: u64,
}

/// What the host said of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    asked: bool,
    good: bool,
    at: Millis,
}

/// Where a task is to be worked.
pub(super) enum Placed {
    In(HostSessionId),
    /// The host is asked about it.
    Waits,
    Anew,
}

enum Found<'a> {
    Free(&'a Attempt),
    Evicted,
    None,
}

impl Core {
    /// The conversation a task goes on in that no worker has been at.
    pub(super) fn placed(&mut self, id: &MissionId, task: &TaskId) -> Placed {
        let mission = &self.missions[id];
        let Found::Free(last) = mission.handed_on(task, self.now) else { return Placed::Anew };
        let Some(session) = last.session.clone() else { return Placed::Anew };
        let heard = last.closed_at.unwrap_or_default();
        let directory = mission.created.directory.clone();
        let now = self.now;
        let health = self.live(id).health.entry(session.clone()).or_insert(Health {
            asked: false,
            good: true,
            at: heard,
        });
        if health.asked {
            return Placed::Waits;
        }
        if !health.good {
            return Placed::Anew;
        }
        if now.since(health.at) <= HEALTHY_MS {
            return Placed::In(session);
        }
        health.asked = true;
        self.act(Action::CheckSession { mission: id.clone(), directory, session });
        Placed::Waits
    }

    pub(super) fn session_checked(
        &mut self,
        id: &MissionId,
        session: &HostSessionId,
        result: Result<Look, HostError>,
    ) {
        let at = self.now;
        let Some(health) = self.live.get_mut(id).and_then(|l| l.health.get_mut(session)) else { return };
        let rests = |look: &Look| {
            !matches!(look.state, TurnState::Busy | TurnState::Retry)
                && look.messages.last().is_none_or(|m| m.completed)
        };
        *health = Health { asked: false, good: result.is_ok_and(|look| rests(&look)), at };
    }

    /// A worker begins at a task for the first time.
    pub(super) fn count_reuse(&mut self, id: &MissionId, task: &TaskId, reused: bool) {
        let mission = &self.missions[id];
        let first = mission.task(task).filter(|t| t.attempts == 0 && !t.spec.depends_on.is_empty());
        if first.is_none() || mission.created.options.follow != Some(true) {
            return;
        }
        // One that is free and was not taken is one that the host did not find in order.
        let evicted = !matches!(mission.handed_on(task, self.now), Found::None);
        if reused {
            self.pool.hits += 1;
        } else {
            self.pool.misses += 1;
            self.pool.evicted += u64::from(evicted);
        }
    }
}

impl Mission {
    /// The conversation of the newest task that this one depends on, if there is one to be had.
    fn handed_on(&self, task: &TaskId, now: Millis) -> Found<'_> {
        let wanted = self.created.options.follow == Some(true);
        let Some(task) = self.task(task).filter(|t| wanted && t.attempts == 0) else { return Found::None };
        let before = task.spec.depends_on.iter().filter_map(|dep| self.waiting_in(self.task(dep)?));
        let here = before.filter(|(of, _)| of.place() == task.place());
        let Some((of, last)) = here.max_by_key(|(_, last)| last.token) else { return Found::None };
        let idle = now.since(of.ended_at.unwrap_or_default());
        let uses = self.attempts.values().filter(|a| a.session == last.session).count();
        let newer = self.tasks.iter().filter(|t| t.place() == of.place() && t.ended_at > of.ended_at);
        let crowd = newer.filter(|t| self.waiting_in(t).is_some()).count();
        if idle > MOST_IDLE_MS || uses >= MOST_USES || crowd >= MOST_WAITING {
            return Found::Evicted;
        }
        Found::Free(last)
    }

    /// The last attempt at a task that is accepted, when its conversation can be gone on in.
    fn waiting_in<'a>(&'a self, task: &'a Task) -> Option<(&'a Task, &'a Attempt)> {
        let last = self.resting(task).filter(|_| task.state == TaskState::Completed)?;
        Some((task, last))
    }

    /// The last attempt at a task, when its conversation can be gone on in: it is at its end and in order, nobody else is
    /// in it, and it is where the task is worked on. A task that was begun anew may have another worktree than before.
    pub(super) fn resting(&self, task: &Task) -> Option<&Attempt> {
        let last = self.newest_work(&task.spec.id)?;
        let taken = || self.attempts.values().any(|a| a.session == last.session && a.token > last.token);
        let rests = last.session.is_some() && last.outcome == Some(Outcome::Done) && !last.cut_off;
        let here = last.worktree == task.worktree.as_ref().map(|w| w.number);
        (rests && here && !taken()).then_some(last)
    }
}

impl Task {
    /// Its working tree; none for the user's own.
    fn place(&self) -> Option<&str> {
        self.worktree.as_ref().map(|w| w.path.as_str())
    }
}
