//! Commands of the user that need no model, for hosts whose terminal interface does not serve them itself. What comes back is
//! for the user to read, refusals too; only a fault of the store or the wire is an error.
use super::asks::{Which, ask_line, choice_of_asks, which_ask};
use super::{Service, convert};
use crate::domain::ids::{Directory, HostSessionId, MissionId, TaskId};
use crate::engine::handle::{Answer, Control, Refusal, RollbackAsk, ToolInput, rollback_text};
use crate::ports::store::MissionRow;
use crate::protocol::types::*;
use crate::rpc::{CallContext, RpcError};

/// Shortest beginning of an id that is taken for one: a word of a sentence is not.
const LEAST_ID: usize = 8;
/// As much of an id as tells missions apart.
const SHORT_ID: usize = 13;
/// Missions among which an id is looked for.
const LOOK_BACK: u32 = 200;

/// Which mission a command is about.
enum Meant {
    This(MissionId),
    /// A sentence for the user instead.
    Asks(String),
}

impl Service {
    pub(super) async fn command_run(
        &self,
        p: CommandRunParams,
        _: CallContext,
    ) -> Result<CommandRunResult, RpcError> {
        said(self.run_command(p).await)
    }

    /// As `command_run`, for one who has other processes to ask where this one does not have what is meant.
    pub(super) async fn visitors_command(
        &self,
        p: CommandRunParams,
        _: CallContext,
    ) -> Result<CommandRunResult, RpcError> {
        self.is_open(&Directory(p.directory.clone()))?;
        match self.run_command(p).await {
            Err(unknown @ Refusal::NotFound(_)) => Err(convert::refusal(unknown)),
            answered => said(answered),
        }
    }

    async fn run_command(&self, p: CommandRunParams) -> Result<String, Refusal> {
        let directory = Directory(p.directory);
        let (id, words) = self.named_in(&directory, p.text.trim()).await?;
        let meant = match id {
            Some(id) => Meant::This(id),
            None => self.meant_by(&directory, &p.session, p.command).await?,
        };
        match meant {
            Meant::Asks(sentence) => Ok(sentence),
            Meant::This(id) => self.order(id, p.command, words, &p.session).await,
        }
    }

    async fn order(
        &self,
        id: MissionId,
        command: Command,
        words: &str,
        session: &str,
    ) -> Result<String, Refusal> {
        let said = |what: &str, example: &str| {
            Refusal::Invalid(format!("say {what}, as in /task-{} {example}", command.name()))
        };
        if takes_no_words(command) && !words.is_empty() {
            return Err(nothing_of_that(command, words));
        }
        let (control, done) = match command {
            Command::Status | Command::Report => return self.told(id, command, session).await,
            Command::Rollback => return self.take_back(id, words).await,
            Command::Pause => (Control::Pause, "The mission is paused"),
            Command::Suspend => (Control::Suspend, "The mission is suspended"),
            Command::Resume => (Control::Resume, "The mission goes on"),
            Command::Cancel => (Control::Cancel { by: "you" }, "The mission is cancelled"),
            Command::Retry => (Control::Retry, "The mission is tried again"),
            Command::Approve => (Control::Approve, "The work begins"),
            Command::Steer => {
                let (task, now, text) = steer_words(words).map_err(Refusal::Invalid)?;
                if text.is_empty() {
                    return Err(said("what the workers are to know", "use the date helper"));
                }
                (Control::Steer { text: text.into(), task, now }, "The workers are told")
            }
            Command::Refuse if words.is_empty() => {
                return Err(said("what is to be different in the plan", "fewer tasks"));
            }
            Command::Refuse => (Control::Refuse { text: words.into() }, "It is planned anew"),
            Command::Accept => {
                let (task, reason) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
                if reason.trim().is_empty() {
                    return Err(said(
                        "which task (or whole), and why it counts as done",
                        "T3 I tried it by hand",
                    ));
                }
                let subject = convert::subject((task != "whole").then(|| task.to_owned()));
                let reason = reason.trim().to_owned();
                (Control::Accept { subject, by: "the user", reason }, "It counts as done by your word")
            }
            Command::Allow | Command::Deny => return self.answer_ask(id, command, words).await,
        };
        self.engine.control(id.clone(), control).await?;
        let view = self.engine.view(id).await?;
        Ok(format!("{done}: {}.", line(&view.row)))
    }

    async fn answer_ask(&self, id: MissionId, command: Command, words: &str) -> Result<String, Refusal> {
        let allow = command == Command::Allow;
        let view = self.engine.view(id.clone()).await?;
        let tasks: Vec<_> = view.tasks.iter().map(|task| task.id.as_str()).collect();
        let (ask, reason) = match which_ask(&view.asks, &tasks, allow, words)? {
            Which::Several(open) => return Ok(choice_of_asks(&open, command)),
            Which::One(ask, reason) => (ask, reason),
        };
        let answer = Control::Answer { ask: Some(ask.id.clone()), allow, reason: reason.map(str::to_owned) };
        self.engine.control(id, answer).await?;
        Ok(format!("It is {}: {}.", if allow { "allowed" } else { "refused" }, ask_line(ask)))
    }

    /// The files of a mission or of one task, or `undo`. What stands in the way is the refusal.
    async fn take_back(&self, id: MissionId, words: &str) -> Result<String, Refusal> {
        let (task, undo) = match words {
            "" => (None, false),
            "undo" => (None, true),
            task => (Some(task.to_owned()), false),
        };
        let scope = convert::scope(task, None, undo).map_err(Refusal::Invalid)?;
        let ask = RollbackAsk { scope, dry_run: false, force: false, with_state: false };
        Ok(rollback_text(&self.engine.rollback(id, ask).await?).trim_end().to_owned())
    }

    async fn told(&self, id: MissionId, command: Command, session: &str) -> Result<String, Refusal> {
        if let (Command::Report, None) = (command, self.engine.view(id.clone()).await?.report) {
            return Err(Refusal::Conflict("it has not ended yet; /task-status says where it stands".into()));
        }
        let asked = ToolInput::Status { mission: Some(id) };
        match self
            .engine
            .tool(self.engine.reply(), HostSessionId(session.into()), String::new(), asked)
            .await?
        {
            Answer::Tool { output, .. } => Ok(output.trim_end().to_owned()),
            other => Err(Refusal::Conflict(format!("unexpected answer {other:?}"))),
        }
    }

    /// The mission whose id the words begin with, and the rest of them.
    async fn named_in<'a>(
        &self,
        directory: &Directory,
        words: &'a str,
    ) -> Result<(Option<MissionId>, &'a str), Refusal> {
        let (first, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        if first.len() < LEAST_ID {
            return Ok((None, words));
        }
        let rows = self.engine.missions(directory.clone(), false, LOOK_BACK).await?;
        let mut named = rows.into_iter().filter(|row| row.id.as_str().starts_with(first));
        match (named.next(), named.next()) {
            (Some(row), None) => Ok((Some(row.id), rest.trim_start())),
            (None, _) => Ok((None, words)),
            (Some(_), Some(_)) => {
                Err(Refusal::Invalid(format!("several missions begin with {first}: give more of the id")))
            }
        }
    }

    /// The only open one of the conversation, else its newest, else the only open one of the project; what is over is meant
    /// only where none is open.
    async fn meant_by(
        &self,
        directory: &Directory,
        session: &str,
        command: Command,
    ) -> Result<Meant, Refusal> {
        let mut open = self.engine.missions(directory.clone(), true, LOOK_BACK).await?;
        let own: Vec<_> = open.iter().filter(|row| row.parent_session == session).cloned().collect();
        if own.len() > 1 {
            return Ok(Meant::Asks(choice(&own, command)));
        }
        if let Some(own) = self.engine.newest_of(directory.clone(), session).await? {
            return Ok(Meant::This(own));
        }
        if open.len() > 1 {
            return Ok(Meant::Asks(choice(&open, command)));
        }
        match open.pop() {
            Some(row) => Ok(Meant::This(row.id)),
            None => self.engine.newest(directory.clone()).await.map(Meant::This),
        }
    }
}

/// A refusal is an answer too.
fn said(answered: Result<String, Refusal>) -> Result<CommandRunResult, RpcError> {
    let text = answered.or_else(|refusal| match refusal {
        Refusal::Store(_) => Err(convert::refusal(refusal)),
        other => Ok(format!("Not done: {other}.")),
    });
    text.map(|text| CommandRunResult { text })
}

/// Those whose words can only be a mission. What is left over was meant to be one, and another must not be hit instead.
fn takes_no_words(command: Command) -> bool {
    use Command::*;
    matches!(command, Status | Report | Pause | Suspend | Resume | Cancel | Retry | Approve)
}

fn nothing_of_that(command: Command, words: &str) -> Refusal {
    let first = words.split_whitespace().next().unwrap_or_default();
    Refusal::Invalid(format!(
        "/task-{} takes a mission and nothing else, and no mission of this project is {first:?}: give the first {LEAST_ID} or more \
         letters of its id, as `gantry missions` lists them, or nothing for the mission of this conversation",
        command.name()
    ))
}

/// `--task T2 --now` before the text; the task it is about, whether who is at work is interrupted, and the text.
fn steer_words(words: &str) -> Result<(Option<TaskId>, bool, &str), String> {
    let (mut task, mut now, mut rest) = (None, false, words);
    loop {
        let (first, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let after = after.trim_start();
        match first {
            "--now" => (now, rest) = (true, after),
            "--task" => {
                let (id, text) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
                if id.is_empty() {
                    return Err("say which task, as in /task-steer --task T2 …".into());
                }
                (task, rest) = (Some(TaskId::new(id)), text.trim_start());
            }
            _ => return Ok((task, now, rest)),
        }
    }
}

fn choice(open: &[MissionRow], command: Command) -> String {
    let lines: Vec<_> = open.iter().map(|row| format!("- {}", line(row))).collect();
    let first = open.first().map_or("", |row| short(row));
    format!(
        "{} missions are open here. Say which one, as in /task-{} {first}\n{}",
        open.len(),
        command.name(),
        lines.join("\n")
    )
}

fn line(row: &MissionRow) -> String {
    let place = row.phase.as_ref().filter(|_| row.state == "running").unwrap_or(&row.state);
    format!("{} {}, {}/{} done: {}", short(row), place.replace('_', " "), row.done, row.total, row.title)
}

fn short(row: &MissionRow) -> &str {
    row.id.as_str().get(..SHORT_ID).unwrap_or(row.id.as_str())
}

impl Command {
    /// As it stands after `/task-`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Command::Status => "status",
            Command::Report => "report",
            Command::Pause => "pause",
            Command::Suspend => "suspend",
            Command::Resume => "resume",
            Command::Cancel => "cancel",
            Command::Retry => "retry",
            Command::Steer => "steer",
            Command::Approve => "approve",
            Command::Refuse => "refuse",
            Command::Accept => "accept",
            Command::Allow => "allow",
            Command::Deny => "deny",
            Command::Rollback => "rollback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_steer_is_about_stands_before_its_text() {
        let table = [
            ("use tabs", Ok((None, false, "use tabs"))),
            ("--task T2 use tabs", Ok((Some("T2"), false, "use tabs"))),
            ("--now --task T2.1  use --now tabs", Ok((Some("T2.1"), true, "use --now tabs"))),
            ("--task T2 --now", Ok((Some("T2"), true, ""))),
            ("--task", Err("say which task, as in /task-steer --task T2 …")),
        ];
        for (words, expected) in table {
            let found = steer_words(words);
            let found =
                found.as_ref().map(|(task, now, text)| (task.as_ref().map(TaskId::as_str), *now, *text));
            assert_eq!(found.map_err(String::as_str), expected, "{words}");
        }
    }
}
