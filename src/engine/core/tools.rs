//! Calls of Gantry's tools by models. Every answer is a text the model can act on.
use super::Core;
use super::event::*;
use super::io::*;
use super::state::Attempt;
use crate::domain::ids::{HostSessionId, MissionId};
use crate::domain::mask::masked;
use crate::domain::verdict::{Finding, Verdict};
use crate::engine::report;

impl Core {
    pub(super) fn tool(&mut self, reply: ReplyTo, session: HostSessionId, call: String, tool: ToolInput) {
        match tool {
            ToolInput::Mission { brief, acceptance, constraints } => {
                self.brief(reply, session, call, Brief { text: brief, acceptance, constraints });
            }
            ToolInput::Status { mission } => self.tool_status(reply, &session, mission),
            ToolInput::ContextPut(put) => self.context_put(reply, &session, put),
            ToolInput::ContextGet { key } => self.context_get(reply, &session, key.as_deref()),
            ToolInput::Control { mission, control } => self.tool_control(reply, &session, mission, control),
            submit => self.tool_submit(reply, &session, &call, submit),
        }
    }

    /// The mission a Commander means: by id, else the open one of his conversation, else the newest of it.
    fn meant(&self, session: &HostSessionId, mission: Option<MissionId>) -> Option<MissionId> {
        mission
            .or_else(|| self.mission_of_parent(session))
            .or_else(|| self.missions.values().rfind(|m| m.parent == *session).map(|m| m.id.clone()))
    }

    /// What the work of a conversation is seen against: the task it is for, unless the `whole` is asked for.
    pub fn ground(&self, session: &HostSessionId, whole: bool) -> Option<Ground> {
        if let Some((mission, attempt)) = self.attempt_of(session) {
            let subject = match &attempt.kind {
                AttemptKind::Work(task) if !whole => Subject::Task(task.clone()),
                AttemptKind::Review(subject) if !whole => subject.clone(),
                _ => Subject::Whole,
            };
            return Some(mission.ground(&subject));
        }
        let mission = self.meant(session, None)?;
        self.missions.get(&mission).map(|m| m.ground(&Subject::Whole))
    }

    fn tool_status(&mut self, reply: ReplyTo, session: &HostSessionId, mission: Option<MissionId>) {
        let found = self.meant(session, mission).and_then(|id| self.missions.get(&id));
        match found.map(|m| (report::progress(m), report::status(m))) {
            Some((title, text)) => self.say(reply, title, text),
            None => self.say(
                reply,
                "no mission",
                "There is no open mission in this conversation. A mission begins with /task.",
            ),
        }
    }

    fn tool_control(
        &mut self,
        reply: ReplyTo,
        session: &HostSessionId,
        mission: Option<MissionId>,
        control: Control,
    ) {
        let Some(id) = self.meant(session, mission) else {
            return self.say(
                reply,
                "no mission",
                "There is no mission in this conversation. A mission begins with /task.",
            );
        };
        let control = match super::control::rollback_of(control) {
            Ok(ask) => return self.ask_rollback(Some(reply), &id, ask, true),
            Err(control) => control,
        };
        match self.apply_control(&id, control) {
            Ok(()) => {
                let text = self.missions.get(&id).map(report::status).unwrap_or_default();
                self.say(reply, "done", text);
            }
            Err(refusal) => self.say(reply, "refused", format!("Not done: {refusal}.")),
        }
    }

    fn tool_submit(&mut self, reply: ReplyTo, session: &HostSessionId, call: &str, tool: ToolInput) {
        let Some((id, attempt)) = self.owner_of(session) else {
            return self.say(reply, "not taken", "This conversation works for no mission. Stop here.");
        };
        let Some(attempt) = self.open(&id, &attempt).cloned() else {
            self.late_reports += 1;
            return self.say(
                reply,
                "not taken",
                "This work is no longer yours: it was ended or given to another. Stop here.",
            );
        };
        if attempt.submission.is_some() {
            return self.say(reply, "taken already", "It has been handed in already. End your turn now.");
        }
        if let Some(text) = self.tell_first(&id, &attempt, call) {
            return self.say(reply, "not taken", text);
        }
        let text = self.submit(&id, &attempt, tool);
        let taken = self.open(&id, &attempt.id).is_none_or(|a| a.submission.is_some());
        self.say(reply, if taken { "taken" } else { "not taken" }, text);
    }

    /// One submission of an open attempt; answers with what its model is told.
    pub(super) fn submit(&mut self, id: &MissionId, attempt: &Attempt, tool: ToolInput) -> String {
        let wrong = |tool: &str| {
            format!("{tool} is not yours to call; your work ends with {}.", attempt.submit_tool())
        };
        match (&attempt.kind, without_secrets(tool)) {
            (AttemptKind::Planning, ToolInput::Plan(draft)) => self.plan_submitted(id, attempt, draft),
            (AttemptKind::Planning, ToolInput::Malformed { tool, fault }) if tool == "submit_plan" => {
                self.plan_refused(id, attempt, vec![fault])
            }
            (AttemptKind::Work(_), ToolInput::Report { status, summary, files, notes }) => {
                let submission = Submission::Report { status, summary, files, notes };
                self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission });
                "The report is taken. Change nothing more, and end your turn now.".into()
            }
            (
                AttemptKind::Review(Subject::Task(task)),
                ToolInput::Review { approved, summary, findings, choice },
            ) if self.missions[id].races(task) => {
                let verdict = Verdict { approved, tree: None, summary, findings };
                self.compared(id, attempt, &task.clone(), verdict, choice.as_deref())
            }
            (AttemptKind::Review(subject), ToolInput::Review { approved, summary, findings, .. }) => {
                let submission =
                    Submission::Review { approved, summary: summary.clone(), findings: findings.clone() };
                self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission });
                // A reviewer reads only, so its verdict need not wait for the end of its turn.
                self.judge(id, subject.clone(), Verdict { approved, tree: None, summary, findings });
                "The verdict is taken. End your turn now.".into()
            }
            (_, ToolInput::Malformed { tool, fault }) if tool == attempt.submit_tool() => {
                format!(
                    "{tool} was not understood: {fault}. Call it once more with arguments that fit its schema."
                )
            }
            (_, ToolInput::Malformed { tool, .. }) => wrong(&tool),
            (_, ToolInput::Plan(_)) => wrong("submit_plan"),
            (_, ToolInput::Report { .. }) => wrong("submit_report"),
            (_, ToolInput::Review { .. }) => wrong("submit_review"),
            (
                _,
                ToolInput::Mission { .. }
                | ToolInput::Status { .. }
                | ToolInput::Control { .. }
                | ToolInput::ContextPut(_)
                | ToolInput::ContextGet { .. },
            ) => wrong("that tool"),
        }
    }
}

/// What is handed in goes into the prompts of others, the report and the journal. A plan keeps its words: they are those
/// of the user's brief, which a worker may need to the letter.
fn without_secrets(tool: ToolInput) -> ToolInput {
    let clean = |text: String| masked(&text).into_owned();
    match tool {
        ToolInput::Report { status, summary, files, notes } => {
            ToolInput::Report { status, summary: clean(summary), files, notes: notes.map(clean) }
        }
        ToolInput::Review { approved, summary, findings, choice } => {
            let finding = |f: Finding| Finding { message: clean(f.message), ..f };
            let findings = findings.into_iter().map(finding).collect();
            ToolInput::Review { approved, summary: clean(summary), findings, choice }
        }
        other => other,
    }
}
