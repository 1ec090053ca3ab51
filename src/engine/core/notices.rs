//! What the user is told by toasts: one for a change of state, those of half a second as one, and no more than he wants to hear.
//!
//! Nothing here is written down: a toast that is lost with its process is of a moment that has passed, and the panel shows what is.
use super::Core;
use super::event::Toasts;
use super::io::Action;
use crate::domain::ids::{Directory, Millis, MissionId, TaskId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::task::TaskState;
use crate::engine::prompts::clip;
use crate::engine::report;
use crate::ports::host::ToastKind;

/// Notices within this time are shown as one.
const MERGE_MS: u64 = 500;
/// A mission that has stood still this long for want of a free place says so.
pub(super) const STANDSTILL_MS: u64 = 10_000;
/// Notices besides the first that one toast has room for.
const MOST: usize = 4;
/// Longest title and message of one, in bytes.
const MAX_TITLE: usize = 80;
const MAX_LINE: usize = 240;

struct Notice {
    /// The user is waited for, or all is over: it stands before the rest.
    first: bool,
    kind: ToastKind,
    title: String,
    message: String,
}

/// Of one directory, since its first notice that was not shown yet.
pub(super) struct Pending {
    due: Millis,
    notices: Vec<Notice>,
}

impl Core {
    /// Shown to who wants to hear as much as `from`.
    pub(super) fn notify(
        &mut self,
        id: &MissionId,
        from: Toasts,
        kind: ToastKind,
        title: impl Into<String>,
        message: impl Into<String>,
    ) {
        let first = from == Toasts::Quiet;
        let notice = Notice { first, kind, title: title.into(), message: message.into() };
        let created = &self.missions[id].created;
        if created.options.toasts.unwrap_or_default() < from {
            return;
        }
        let due = self.now.plus(MERGE_MS);
        let fresh = || Pending { due, notices: Vec::new() };
        self.notices.entry(created.directory.clone()).or_insert_with(fresh).notices.push(notice);
    }

    /// The mission is at its end, with the figures.
    pub(super) fn notify_end(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let kind = match mission.state {
            MissionState::Completed => ToastKind::Success,
            MissionState::PartiallyCompleted | MissionState::Stopped | MissionState::Cancelled => {
                ToastKind::Warning
            }
            _ => ToastKind::Error,
        };
        let (title, message) = report::end_notice(mission);
        self.notify(id, Toasts::Quiet, kind, title, message);
    }

    /// What a change of phase means to who follows the mission.
    pub(super) fn notify_phase(&mut self, id: &MissionId, to: Phase) {
        let mission = &self.missions[id];
        let title = clip(&mission.created.title, 60);
        match to {
            // Not when it is accepted: a toast while the host opens the conversation would garble its screen.
            Phase::Planning if mission.plan.is_none() && mission.edition == 0 => {
                self.notify(id, Toasts::Normal, ToastKind::Info, "Mission started", title);
            }
            Phase::Executing => {
                let tasks = mission.planned().count();
                let message = format!("{title}: {tasks} {}", if tasks == 1 { "task" } else { "tasks" });
                self.notify(id, Toasts::Verbose, ToastKind::Info, "Work begins", message);
            }
            Phase::Reviewing => {
                self.notify(id, Toasts::Verbose, ToastKind::Info, "The whole is being reviewed", title);
            }
            Phase::Briefing | Phase::Planning | Phase::Integrating => {}
        }
    }

    pub(super) fn notify_task(&mut self, id: &MissionId, task: &TaskId, to: TaskState) {
        let known = self.missions[id].task(task).filter(|t| !t.spec.is_try());
        let Some(title) = known.map(|t| clip(&t.spec.title, 60)) else { return };
        if to == TaskState::Completed {
            self.notify(id, Toasts::Verbose, ToastKind::Success, format!("Task {task} completed"), title);
        }
    }

    /// Says once of each standstill that a mission waits for a place that others have.
    pub(super) fn notify_standstill(&mut self) {
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            let mission = &self.missions[&id];
            let wants = self.wants.get(&id).is_some_and(|wants| !wants.is_empty());
            let stands = mission.running() && wants && mission.open_attempts().next().is_none();
            let now = self.now;
            let Some(live) = self.live.get_mut(&id) else { continue };
            let still = &mut live.standstill;
            match still {
                None if stands => *still = Some((now, false)),
                Some((since, told)) if stands && !*told && now.since(*since) >= STANDSTILL_MS => {
                    *told = true;
                    let message = "Other missions have all the places there are; it goes on by itself.";
                    self.notify(&id, Toasts::Normal, ToastKind::Info, "Mission waits for a place", message);
                }
                Some(_) if !stands => *still = None,
                _ => {}
            }
        }
    }

    /// When a mission that stands still says so.
    pub(super) fn standstill_at(&self, id: &MissionId) -> Option<Millis> {
        let (since, told) = self.live.get(id)?.standstill?;
        (!told).then(|| since.plus(STANDSTILL_MS))
    }

    pub(super) fn notices_at(&self) -> Option<Millis> {
        self.notices.values().map(|pending| pending.due).min()
    }

    pub(super) fn show_notices(&mut self) {
        let due: Vec<_> =
            self.notices.iter().filter(|(_, p)| p.due <= self.now).map(|(d, _)| d.clone()).collect();
        for directory in due {
            if let Some(pending) = self.notices.remove(&directory) {
                self.show(directory, pending.notices);
            }
        }
    }

    fn show(&mut self, directory: Directory, mut notices: Vec<Notice>) {
        notices.sort_by_key(|notice| (!notice.first, std::cmp::Reverse(weight(notice.kind))));
        let mut all = notices.into_iter();
        let Some(first) = all.next() else { return };
        let line = |n: Notice| match clip(&n.message, MAX_LINE) {
            // The title says it of all of them.
            message if n.title == first.title => message,
            message => format!("{}: {message}", clip(&n.title, MAX_TITLE)),
        };
        let rest: Vec<_> = all.map(line).collect();
        let mut lines = vec![first.message];
        lines.extend(rest.iter().take(MOST).cloned());
        if rest.len() > MOST {
            lines.push(format!("and {} more", rest.len() - MOST));
        }
        let message = lines.join("\n");
        self.act(Action::Toast { directory, kind: first.kind, title: first.title, message });
    }
}

fn weight(kind: ToastKind) -> u8 {
    match kind {
        ToastKind::Info => 0,
        ToastKind::Success => 1,
        ToastKind::Warning => 2,
        ToastKind::Error => 3,
    }
}
