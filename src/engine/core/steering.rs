//! What the user says to a mission at work: who is told, and when.
//!
//! A turn that runs is never talked into. Its agent is told in the answer to the call that would end its work, which is not
//! taken then, or by the next prompt where the turn ends without one; at once where the user wants the turn interrupted for
//! it. That an agent was told is a fact, so an attempt hears nothing twice, unless the host may have died with the answer it
//! stood in.
use super::Core;
use super::event::*;
use super::io::*;
use super::state::{Attempt, Mission, Task};
use crate::domain::ids::{AttemptId, MissionId, TaskId};
use crate::domain::task::TaskState;
use crate::engine::prompts::{self, clip};

/// Longest text of the user's that is passed on, in bytes, and how many of them a mission takes.
const MAX_STEER: usize = 4_000;
const MAX_STEERS: usize = 100;

/// Something the user has said since the mission was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Steer {
    pub text: String,
    /// What it is about; none for all.
    pub task: Option<TaskId>,
}

impl Core {
    pub(super) fn steer(
        &mut self,
        id: &MissionId,
        text: &str,
        task: Option<TaskId>,
        now: bool,
    ) -> Result<(), Refusal> {
        let mission = &self.missions[id];
        if !mission.state.is_open() {
            let text = format!("a mission that is {} cannot be steered: it has ended", mission.state.name());
            return Err(Refusal::Conflict(text));
        }
        if mission.steers.len() >= MAX_STEERS {
            return Err(Refusal::Conflict(format!(
                "it was steered {MAX_STEERS} times already: start a new mission with what is left"
            )));
        }
        if let Some(task) = &task {
            mission.may_be_steered(task)?;
        }
        let replan = task.is_none() && self.may_revise(id)?;
        self.take_words(id, text, task.clone(), replan);
        if let Some(task) = &task {
            self.call_back(id, task);
        } else if replan {
            self.lay_down_whole(id);
        }
        if now {
            let mission = &self.missions[id];
            let just = mission.steers.last();
            // Who is only owed an earlier word hears it in its time.
            let meant = |a: &&Attempt| mission.untold(a).last().copied() == just;
            let open: Vec<_> = mission.open_attempts().filter(meant).map(|a| a.id.clone()).collect();
            open.iter().for_each(|attempt| self.interrupt(id, attempt));
        }
        Ok(())
    }

    pub(super) fn take_words(&mut self, id: &MissionId, text: &str, task: Option<TaskId>, replan: bool) {
        let replan = replan.then_some(true);
        self.emit(id, Event::Steered { text: clip(text, MAX_STEER), task, replan });
    }

    /// A task whose report waits for its verdict, and whose worker has not heard what the user wants of it, is worked on
    /// once more.
    pub(super) fn call_back(&mut self, id: &MissionId, task: &TaskId) {
        let mission = &self.missions[id];
        let Some(t) = mission.task(task).filter(|t| t.state == TaskState::InReview) else { return };
        // A try has one attempt until it is taken.
        if mission.in_race(task) {
            return;
        }
        let worker = mission.newest_work(task);
        if t.attempts >= super::MAX_ATTEMPTS
            || worker.is_none_or(|a| mission.untold(a).iter().all(|s| s.task.is_none()))
        {
            return;
        }
        self.lay_down(id, &Subject::Task(task.clone()));
        self.send_back(id, task, "the user has added something");
    }

    /// The answer to a submission that comes before its author has heard all that the user wants; none when he has.
    pub(super) fn tell_first(&mut self, id: &MissionId, attempt: &Attempt, call: &str) -> Option<String> {
        let mission = &self.missions[id];
        let again = attempt.told_in.as_deref() == Some(call);
        if !again {
            if mission.untold(attempt).is_empty() {
                return None;
            }
            let (attempt, steers) = (attempt.id.clone(), mission.steers.len() as u32);
            self.emit(id, Event::Told { attempt, steers, call: Some(call.to_owned()) });
        }
        let mission = &self.missions[id];
        Some(prompts::not_taken_yet(mission, &mission.attempts[&attempt.id]))
    }

    /// Before a prompt that says what the user has added since.
    pub(super) fn tell(&mut self, id: &MissionId, attempt: &AttemptId) {
        let mission = &self.missions[id];
        if self.open(id, attempt).is_some_and(|a| !mission.untold(a).is_empty()) {
            let steers = mission.steers.len() as u32;
            self.emit(id, Event::Told { attempt: attempt.clone(), steers, call: None });
        }
    }

    pub(super) fn has_untold(&self, id: &MissionId, attempt: &AttemptId) -> bool {
        self.open(id, attempt).is_some_and(|a| !self.missions[id].untold(a).is_empty())
    }
}

impl Mission {
    /// What an attempt has not been told and is concerned by. Reviewers judge what was done, and are told at their start.
    pub(super) fn untold(&self, attempt: &Attempt) -> Vec<&Steer> {
        self.steers_of(attempt, attempt.told as usize, self.steers.len())
    }

    /// What the attempt was told last, besides its first prompt.
    pub fn told_last(&self, attempt: &Attempt) -> Vec<&Steer> {
        self.steers_of(attempt, attempt.told_before as usize, attempt.told as usize)
    }

    fn steers_of(&self, attempt: &Attempt, from: usize, to: usize) -> Vec<&Steer> {
        let subject = match &attempt.kind {
            AttemptKind::Planning => attempt.node.as_ref(),
            AttemptKind::Work(task) => Some(task),
            AttemptKind::Review(_) => return Vec::new(),
        };
        let said = self.steers.get(from..to).unwrap_or_default();
        said.iter().filter(|steer| self.concerns(steer, subject)).collect()
    }

    /// Whether it is about the task, or about one that it is a part of. Planners of the mission hear what is said to all.
    pub fn concerns(&self, steer: &Steer, task: Option<&TaskId>) -> bool {
        let Some(about) = &steer.task else { return true };
        let mut task = task.and_then(|task| self.task(task));
        // A foreign journal may go in a circle.
        for _ in 0..=self.tasks.len() {
            let Some(t) = task else { return false };
            if t.spec.id == *about {
                return true;
            }
            task = t.spec.parent.as_ref().and_then(|p| self.task(p));
        }
        false
    }

    pub(super) fn newest_work(&self, task: &TaskId) -> Option<&Attempt> {
        let of_task = |a: &&Attempt| a.kind == AttemptKind::Work(task.clone());
        self.attempts.values().filter(of_task).max_by_key(|a| a.token)
    }

    fn may_be_steered(&self, task: &TaskId) -> Result<(), Refusal> {
        let conflict = |text: String| Err(Refusal::Conflict(text));
        let Some(t) = self.task(task) else {
            return Err(Refusal::NotFound(format!("the mission has no task {task}")));
        };
        if t.state.is_over() {
            return conflict(format!(
                "task {task} is {}: open its box again in {}, or say it to the whole mission",
                t.state.name(),
                self.created.options.todo
            ));
        }
        if t.state == TaskState::InReview && t.attempts >= super::MAX_ATTEMPTS {
            return conflict(format!(
                "task {task} is in its last review: wait for the verdict, or say it to the whole mission"
            ));
        }
        Ok(())
    }

    pub(super) fn apply_told(
        &mut self,
        id: &AttemptId,
        steers: u32,
        call: Option<&str>,
    ) -> Result<(), String> {
        if steers as usize > self.steers.len() {
            return Err(format!("attempt {id} was told {steers} words of {}", self.steers.len()));
        }
        let attempt = self.attempts.get_mut(id).ok_or_else(|| format!("no attempt {id}"))?;
        attempt.told_before = attempt.told;
        attempt.told = steers;
        attempt.told_in = call.map(str::to_owned);
        Ok(())
    }
}

impl Task {
    /// Said of it, and of all that it is a part of.
    pub fn steers<'a>(&'a self, mission: &'a Mission) -> impl Iterator<Item = &'a Steer> {
        mission.steers.iter().filter(|steer| mission.concerns(steer, Some(&self.spec.id)))
    }
}
