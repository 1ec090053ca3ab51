//! Actions on their way out: to the lanes, or as jobs of their own beside them.
use super::*;
use crate::domain::ids::Role;
use crate::domain::plan::Priority;
use crate::engine::effects::Work;
use crate::engine::lanes::{Entry, Finished, Key, What};

/// Which lane carries out an action, and in which order.
struct Place {
    key: Key,
    role: Role,
    priority: Priority,
    near: Option<AttemptId>,
}

impl Dispatcher {
    pub(super) fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.tally.action(&action);
            match action {
                Action::Answer { to, answer } => self.send(to, answer),
                Action::StopWork { mission } => self.stop_jobs(&mission),
                Action::UnwatchTodo { mission } => self.unwatch(&mission),
                // It may be long since anybody looked into the conversation, and another process have said it.
                Action::HandBack { mission, text, .. } if !self.index.owned() => {
                    let result = Err(HostError::TimedOut(OWNER_TTL_MS));
                    self.inbox.push_back(Input::HandBackTaken { mission, text, result });
                }
                action => {
                    let place = self.place_of(&action);
                    if let Some(work) = self.effects.work(action) {
                        self.carry_out(work, place);
                    }
                }
            }
        }
    }

    pub(super) fn send(&mut self, to: ReplyTo, answer: Answer) {
        if let Some(tx) = self.replies.remove(&to) {
            // Who asked may have gone; nothing depends on the answer being read.
            let _ = tx.send(answer);
        }
    }

    /// Through the lanes goes what an attempt asks of the host, and the look at its tree; not what must not wait behind it
    /// (looks at a turn that is in doubt, aborts, notices, the report) nor what takes minutes (checks).
    fn place_of(&self, action: &Action) -> Option<Place> {
        let place = |mission: &MissionId, what, role, priority, near| {
            Some(Place { key: Key { mission: mission.clone(), what }, role, priority, near })
        };
        match action {
            Action::CreateSession { mission, attempt, role, .. } => {
                let (priority, near) = self.core.precedence(mission, attempt);
                place(mission, What::Attempt(attempt.clone()), *role, priority, near)
            }
            Action::Prompt { mission, attempt, role, .. } => {
                let (priority, _) = self.core.precedence(mission, attempt);
                place(mission, What::Attempt(attempt.clone()), *role, priority, Some(attempt.clone()))
            }
            // What passes its gate gives up its files: others wait for it.
            Action::Inspect { mission, .. } => {
                place(mission, What::Look, Role::Reviewer, Priority::High, None)
            }
            _ => None,
        }
    }

    fn carry_out(&mut self, work: Work, place: Option<Place>) {
        let Some(Place { key, role, priority, near }) = place else { return self.spawn(work) };
        let Work { mission, stoppable, watch, broken, job } = work;
        let entry = Entry { key, role, priority, near, stoppable, broken, job };
        if let Err(entry) = self.lanes.push(entry) {
            let Entry { stoppable, broken, job, .. } = *entry;
            self.spawn(Work { mission, stoppable, watch, broken, job });
        }
    }

    /// Whether something is still under way that the mission asked of the host.
    pub(super) fn acts_for(&self, mission: &MissionId) -> bool {
        self.acting.values().any(|m| m == mission) || self.lanes.act_for(mission)
    }

    pub(super) fn carried_out(&mut self, done: Finished) {
        if done.panicked {
            self.tally.jobs_broken += 1;
            tracing::error!(key = ?done.key, "a job in a lane broke down");
        }
        self.inbox.extend(done.input);
    }

    fn spawn(&mut self, work: Work) {
        let handle = self.jobs.spawn(async move { Done::Input(work.job.await.map(Box::new)) });
        if let Some(broken) = work.broken {
            self.broken.insert(handle.id(), broken);
        }
        match (work.stoppable, work.mission) {
            (_, Some(mission)) if work.watch => {
                self.watches.insert(mission, handle);
            }
            (true, Some(mission)) => {
                let handles = self.stoppable.entry(mission).or_default();
                handles.retain(|h| !h.is_finished());
                handles.push(handle);
            }
            (false, Some(mission)) => {
                self.acting.insert(handle.id(), mission);
            }
            (_, None) => {}
        }
    }

    pub(super) fn stop_jobs(&mut self, mission: &MissionId) {
        self.lanes.withdraw_looks(mission);
        for handle in self.stoppable.remove(mission).unwrap_or_default() {
            handle.abort();
        }
        self.unwatch(mission);
    }

    pub(super) fn unwatch(&mut self, mission: &MissionId) {
        if let Some(watch) = self.watches.remove(mission) {
            watch.abort();
        }
    }
}
