//! Permissions that a turn asks for: written down when the host asks, answered by whoever is first, and by the clock at
//! the latest. The host keeps the list of what is open; a look at it makes up for events that were lost.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::AskView;
use super::state::Mission;
use crate::domain::ids::{AttemptId, Millis, MissionId, TaskId};
use crate::domain::permission::{self, Action as Word};
use crate::engine::prompts::{clip, duration};
use crate::ports::host::{HostAsk, ToastKind};

/// Where the conversation is on the screen the host's own dialog is there at once; who is told elsewhere is told later.
const TELL_MS: u64 = 2_000;
/// Title of that; the host's own dialog stands in the conversation that the ask is of.
const WAITS: &str = "A permission waits for you (/task-allow or /task-deny)";
/// Longest name or reason that is kept, in bytes.
const MAX_TEXT: usize = 400;
/// Longest pattern of an ask, in bytes, and most of them: a command is to be read to its end before it is allowed.
const MAX_PATTERN: usize = 4_000;
const MAX_PATTERNS: usize = 20;

/// Answered asks are kept up to this many in all; the journal has the others.
const ASKS_KEPT: usize = 50;

/// A permission that the host was asked for by an agent's tool call.
#[derive(Clone, PartialEq, Debug)]
pub struct Ask {
    /// The host's.
    pub id: String,
    pub attempt: AttemptId,
    pub permission: String,
    pub patterns: Vec<String>,
    pub at: Millis,
    pub verdict: Option<AskVerdict>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct AskVerdict {
    pub allow: bool,
    pub by: Judge,
    pub reason: Option<String>,
}

/// As much of them as is kept; that something is missing can be seen.
fn kept(patterns: &[String]) -> Vec<String> {
    let mut kept: Vec<_> = patterns.iter().take(MAX_PATTERNS).map(|p| clip(p, MAX_PATTERN)).collect();
    if patterns.len() > MAX_PATTERNS {
        kept.push(format!("and {} more…", patterns.len() - MAX_PATTERNS));
    }
    kept
}

impl Core {
    pub(super) fn asked(&mut self, id: &MissionId, attempt: &AttemptId, ask: HostAsk) {
        let now = self.now;
        self.pulse(id, attempt).open_asks.insert(ask.id.clone());
        self.live(id).asks.entry(ask.id.clone()).or_insert(AskView { since: now, told: false });
        if self.missions[id].ask(&ask.id).is_none() {
            let patterns = kept(&ask.patterns);
            let permission = clip(&ask.permission, MAX_TEXT);
            let rules = self.missions[id].created.options.rules();
            let verdict = permission::verdict(&rules, &ask.permission, &ask.patterns);
            let (name, attempt) = (ask.id.clone(), attempt.clone());
            self.emit(id, Event::Asked { ask: ask.id, attempt, permission, patterns });
            match verdict {
                Some(Word::Allow) => self.judge_ask(id, &name, true, Judge::Policy, None),
                Some(Word::Deny) => self.judge_ask(id, &name, false, Judge::Policy, None),
                Some(Word::Ask) | None => {}
            }
        }
    }

    /// The host says that it was answered: by its own dialog, or as it was told by us.
    pub(super) fn ask_over(&mut self, id: &MissionId, attempt: &AttemptId, ask: &str, allow: bool) {
        // A refusal of ours carries a sentence, with which the turn goes on.
        let ours = self.missions[id].ask(ask).and_then(|a| a.verdict.as_ref());
        let ends_turn =
            !allow && !ours.is_some_and(|v| matches!(v.by, Judge::User | Judge::Policy | Judge::Time));
        let pulse = self.pulse(id, attempt);
        pulse.refused |= ends_turn;
        pulse.open_asks.remove(ask);
        self.close_ask(id, ask, allow, Judge::Host, None);
    }

    fn close_ask(&mut self, id: &MissionId, ask: &str, allow: bool, by: Judge, reason: Option<String>) {
        self.live(id).asks.remove(ask);
        if self.missions[id].ask(ask).is_some_and(Ask::open) {
            self.emit(id, Event::AskJudged { ask: ask.to_owned(), allow, by, reason });
        }
    }

    /// A word of the user's that did not come through the host; about the oldest ask when none is named.
    pub(super) fn answer_ask(
        &mut self,
        id: &MissionId,
        which: Option<&str>,
        allow: bool,
        reason: Option<String>,
    ) -> Result<(), Refusal> {
        let mission = &self.missions[id];
        let found = match which {
            Some(ask) => mission.ask(ask),
            None => mission.open_asks().next(),
        };
        match found {
            Some(ask) if ask.open() => {
                let ask = ask.id.clone();
                self.judge_ask(id, &ask, allow, Judge::User, reason.map(|r| clip(&r, MAX_TEXT)));
                Ok(())
            }
            Some(ask) => Err(Refusal::Conflict(format!(
                "{} was answered already; `gantry permissions` lists what is open",
                ask.id
            ))),
            None => Err(Refusal::NotFound(
                "no permission of this mission waits for an answer; `gantry permissions` lists what is open"
                    .into(),
            )),
        }
    }

    fn judge_ask(&mut self, id: &MissionId, ask: &str, allow: bool, by: Judge, reason: Option<String>) {
        self.close_ask(id, ask, allow, by, reason);
        self.tell_host(id, ask);
    }

    /// The host is told what was decided. It may be told again: an answer to what is answered changes nothing there.
    fn tell_host(&mut self, id: &MissionId, ask: &str) {
        let mission = &self.missions[id];
        let Some(ask) = mission.ask(ask) else { return };
        let Some(verdict) = &ask.verdict else { return };
        let Some(session) = mission.attempts.get(&ask.attempt).and_then(|a| a.session.clone()) else {
            return;
        };
        let directory = mission.created.directory.clone();
        let refusal = (!verdict.allow).then(|| match (&verdict.reason, verdict.by) {
            (Some(reason), _) => format!("The user refused this: {reason}"),
            (None, Judge::Policy) => permission::REFUSED.to_owned(),
            (None, Judge::Time) => "Nobody answered in time, so this was refused. Do the work without it; if it cannot be done without, say so in your report.".to_owned(),
            (None, _) => "The user refused this. Do the work without it; if it cannot be done without, say so in your report.".to_owned(),
        });
        let ask = ask.id.clone();
        self.act(Action::AnswerAsk { mission: id.clone(), directory, session, ask, refusal });
    }

    /// What the host has open for the session. `late` is a list that is older than the newest event.
    pub(super) fn asks_seen(&mut self, id: &MissionId, attempt: &AttemptId, listed: &[HostAsk], late: bool) {
        for ask in listed {
            match self.missions[id].ask(&ask.id).map(Ask::open) {
                Some(true) => {}
                None => self.asked(id, attempt, ask.clone()),
                // Answered, and the host has not heard of it.
                Some(false) => self.tell_host(id, &ask.id),
            }
        }
        if late {
            return;
        }
        let open = self.missions[id].open_asks().filter(|a| a.attempt == *attempt);
        let is_listed = |ask: &Ask| listed.iter().any(|l| l.id == ask.id);
        let gone: Vec<_> = open.filter(|a| !is_listed(a)).map(|a| a.id.clone()).collect();
        for ask in gone {
            self.close_ask(id, &ask, false, Judge::Nobody, None);
        }
        self.pulse(id, attempt).open_asks = listed.iter().map(|l| l.id.clone()).collect();
    }

    /// No turn is left that waits for these.
    pub(super) fn asks_closed(&mut self, id: &MissionId, attempt: &AttemptId) {
        let of = self.missions[id].open_asks().filter(|a| a.attempt == *attempt);
        for ask in of.map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.close_ask(id, &ask, false, Judge::Nobody, None);
        }
    }

    /// Asks of an earlier process: the user was told of them, and the clock begins anew, for it was another one.
    pub(super) fn asks_inherited(&mut self, id: &MissionId) {
        let since = self.now;
        let open: Vec<_> = self.missions[id].open_asks().map(|a| a.id.clone()).collect();
        self.live(id).asks = open.into_iter().map(|ask| (ask, AskView { since, told: true })).collect();
    }

    pub(super) fn ask_timers(&mut self, id: &MissionId) {
        let now = self.now;
        let limit = self.missions[id].created.options.permission_timeout_ms();
        let views: Vec<_> =
            self.live(id).asks.iter().map(|(ask, v)| (ask.clone(), v.since, v.told)).collect();
        let mut untold = Vec::new();
        for (ask, since, told) in views {
            if now.since(since) >= limit {
                self.judge_ask(id, &ask, false, Judge::Time, None);
            } else if !told && now.since(since) >= TELL_MS {
                untold.push(ask);
            }
        }
        self.tell_user(id, untold, limit);
    }

    fn tell_user(&mut self, id: &MissionId, untold: Vec<String>, limit: u64) {
        for ask in untold {
            if let Some(view) = self.live(id).asks.get_mut(&ask) {
                view.told = true;
            }
            let mission = &self.missions[id];
            let Some(ask) = mission.ask(&ask) else { continue };
            let message = format!("{}; after {} it is refused", ask.text(mission), duration(limit));
            self.notify(id, Toasts::Quiet, ToastKind::Warning, WAITS, message);
        }
    }

    pub(super) fn ask_wakes(&self, mission: &Mission) -> Option<Millis> {
        let limit = mission.created.options.permission_timeout_ms();
        let due = |view: &AskView| view.since.plus(if view.told { limit } else { TELL_MS.min(limit) });
        self.live.get(&mission.id)?.asks.values().map(due).min()
    }
}

impl Mission {
    pub fn ask(&self, id: &str) -> Option<&Ask> {
        self.asks.iter().find(|a| a.id == id)
    }
    pub fn open_asks(&self) -> impl Iterator<Item = &Ask> {
        self.asks.iter().filter(|a| a.open())
    }
    pub(super) fn drop_old_asks(&mut self) {
        while self.asks.len() > ASKS_KEPT {
            let Some(oldest) = self.asks.iter().position(|a| !a.open()) else { return };
            self.asks.remove(oldest);
        }
    }
}

impl Ask {
    pub fn open(&self) -> bool {
        self.verdict.is_none()
    }

    pub fn task<'a>(&self, mission: &'a Mission) -> Option<&'a TaskId> {
        match &mission.attempts.get(&self.attempt)?.kind {
            AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(task),
            _ => None,
        }
    }

    /// Who asks for what, in a few words.
    fn text(&self, mission: &Mission) -> String {
        let who = self.task(mission).map(|task| format!("{task}: ")).unwrap_or_default();
        format!("{who}{} ({})", self.permission, clip(&self.patterns.join(", "), 120))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_kept_to_its_end_and_what_is_left_out_shows() {
        let long = format!("{} | sh", "npm install && ".repeat(200));
        assert_eq!(kept(std::slice::from_ref(&long)), [long]);
        assert!(kept(&["x".repeat(5_000)])[0].ends_with("x…"));
        let many = kept(&vec!["x".to_owned(); MAX_PATTERNS + 3]);
        assert_eq!((many.len(), many.last().map(String::as_str)), (MAX_PATTERNS + 1, Some("and 3 more…")));
    }
}
