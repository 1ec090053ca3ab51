//! Notes between the agents of a mission: `context_put` and `context_get`.
//!
//! Two scopes: the mission's notes are for all its agents and stay; a task's are for its own attempts and reviews, and go
//! when it is over. No other mission sees any of them.
use super::Core;
use super::event::*;
use super::io::*;
use super::state::{Attempt, Mission};
use crate::domain::context::{Change, Context};
use crate::domain::ids::{HostSessionId, TaskId};
use crate::domain::mask::masked;
use crate::engine::prompts::clip;

/// Longest answer to a question for notes, in bytes.
const MAX_ANSWER: usize = 24_000;
/// Changes of a note that are told with it.
const MAX_BEFORE: usize = 5;

impl Core {
    pub(super) fn context_put(&mut self, reply: ReplyTo, session: &HostSessionId, put: NotePut) {
        let Some((id, attempt)) = self.owner_of(session) else {
            return self.say(reply, "not noted", "This conversation works for no mission. Stop here.");
        };
        let Some(attempt) = self.open(&id, &attempt).cloned() else {
            self.late_reports += 1;
            return self.say(reply, "not noted", "This work is no longer yours: it was ended. Stop here.");
        };
        let mission = &self.missions[&id];
        let task = task_of(&attempt);
        let (scope, context) = match (put.of_task, &task) {
            (true, Some(task)) => (Some(task.clone()), mission.task(task).map(|t| &t.context)),
            (true, None) => {
                return self.say(
                    reply,
                    "not noted",
                    "You work on no single task: leave the scope at mission.",
                );
            }
            (false, _) => (None, Some(&mission.context)),
        };
        let Some(context) = context else {
            return self.say(reply, "not noted", "The task of this note is not there any more.");
        };
        let NotePut { key, value, expected, .. } = put;
        // What looks like a secret is not kept, for it would go into every prompt from here on.
        let value = value.map(|v| masked(&v).into_owned());
        if let Err(fault) = context.check(&key, value.as_deref(), expected) {
            return self.say(reply, "not noted", format!("Not noted: {fault}."));
        }
        let by = attempt.id.clone();
        self.emit(&id, Event::ContextPut { task: scope.clone(), key: key.clone(), value, by });
        let mission = &self.missions[&id];
        let context = match &scope {
            Some(task) => mission.task(task).map(|t| &t.context),
            None => Some(&mission.context),
        };
        let version =
            context.and_then(|c| c.below(Some(&key)).find(|(k, _)| *k == key)).map(|(_, n)| n.version);
        match version {
            Some(version) => self.say(reply, "noted", format!("{key} is at version {version}.")),
            None => self.say(reply, "noted", format!("{key} is taken away.")),
        }
    }

    pub(super) fn context_get(&mut self, reply: ReplyTo, session: &HostSessionId, key: Option<&str>) {
        let Some((id, attempt)) = self.owner_of(session) else {
            return self.say(reply, "no notes", "This conversation works for no mission. Stop here.");
        };
        let mission = &self.missions[&id];
        let task = mission.attempts.get(&attempt).and_then(task_of);
        let own = task.as_ref().and_then(|t| mission.task(t)).map(|t| &t.context);
        let mut out = lines("", &mission.context, key);
        if let (Some(own), Some(task)) = (own.filter(|c| !c.is_empty()), task) {
            out.push_str(&lines(&format!(" (of task {task})"), own, key));
        }
        if let Some(key) = key {
            out.push_str(&before(&mission.context, key));
        }
        if out.is_empty() {
            out = "There is no such note.".into();
        }
        self.say(reply, "notes", clip(&out, MAX_ANSWER));
    }
}

fn lines(scope: &str, context: &Context, key: Option<&str>) -> String {
    context
        .below(key)
        .map(|(name, note)| format!("{name}{scope}, version {}: {}\n", note.version, note.value))
        .collect()
}

/// What a note said before, the newest first.
fn before(context: &Context, key: &str) -> String {
    let of_key = context.history().rev().filter(|c| c.key == key).take(MAX_BEFORE);
    let line = |c: &Change| {
        let (old, new) = (c.old.as_deref().unwrap_or("(nothing)"), c.new.as_deref().unwrap_or("(nothing)"));
        format!("  {} changed it from {} to {}\n", c.by, clip(old, 200), clip(new, 200))
    };
    of_key.map(line).collect()
}

/// The one task an attempt is for.
fn task_of(attempt: &Attempt) -> Option<TaskId> {
    match &attempt.kind {
        AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(task.clone()),
        AttemptKind::Planning => attempt.node.clone(),
        AttemptKind::Review(Subject::Whole) => None,
    }
}

impl Mission {
    pub(super) fn apply_note(
        &mut self,
        at: crate::domain::ids::Millis,
        task: Option<&TaskId>,
        key: &str,
        value: Option<&String>,
        by: &str,
    ) -> Result<(), String> {
        let context = match task {
            None => &mut self.context,
            Some(id) => {
                let found = self.tasks.iter_mut().find(|t| t.spec.id == *id);
                &mut found.ok_or_else(|| format!("no task {id}"))?.context
            }
        };
        context.put(key, value.cloned(), at, by);
        Ok(())
    }
}
