//! What is true only for this process and this moment: who waits for an answer, signs of life, jobs under way.
//! Nothing here is written down, and losing all of it costs at most a question to the host.
use super::ahead::Ahead;
use super::event::{Moment, PromptReason, Spent, Subject};
use super::io::ReplyTo;
use super::pool::Health;
use super::rollback::Asked;
use super::worktrees::TreeJob;
use crate::domain::ids::{AttemptId, HostSessionId, Millis, TaskId};
use crate::domain::todo::Edit;
use crate::domain::verdict::{CheckResult, TreeId};
use crate::ports::host::HostMessage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Longest time between looks at a turn whose events cannot be relied on.
pub const LOOK_MS: u64 = 5_000;
/// Shortest time between looks, when something is in doubt.
pub const DOUBT_MS: u64 = 500;
/// Time between looks at a turn that is silent, in a directory whose events arrive: less than one request a minute, of
/// which a look takes two.
pub const CALM_MS: u64 = 150_000;
/// A look found what no event had told: so long events of the directory are not relied on.
pub const DISTRUST_MS: u64 = 300_000;
/// Looks in a row that must agree before a turn that the host has forgotten counts as lost.
pub const STABLE_LOOKS: u32 = 3;
/// Least time between two titles of one running call.
pub const PROGRESS_MS: u64 = 500;
/// The title shows elapsed time; with nothing else new it is drawn again this often.
pub const PROGRESS_IDLE_MS: u64 = 2_000;

#[derive(Default)]
pub struct Live {
    /// Calls of the `mission` tool that wait for the end.
    pub waiters: Vec<Waiter>,
    pub pulses: BTreeMap<AttemptId, Pulse>,
    /// Jobs on the tree or the checks under way, with the round they were asked for.
    pub jobs: BTreeMap<Job, u64>,
    pub next_round: u64,
    pub ahead: Ahead,
    /// Conversations that are kept for the tasks that follow.
    pub health: BTreeMap<HostSessionId, Health>,
    /// Failures in a row of work on trees.
    pub tree_faults: u32,
    /// What the checks said of the smallest part of the batch that is known to fail.
    pub batch_failure: Vec<CheckResult>,
    /// What the look at the tree that is under way is for.
    pub recording: Vec<Moment>,
    /// Checkpoints on demand whose tree is still to be recorded.
    pub unrecorded: BTreeSet<u32>,
    pub rollback: Option<Asked>,
    pub todo_published: bool,
    pub todo_busy: bool,
    pub todo_dirty: BTreeSet<TaskId>,
    /// The section of the mission stands in the file since this process has the mission.
    pub todo_written: bool,
    /// Edits of people in the file as they were last told, and those that the next write may overwrite.
    pub todo_known: Vec<Edit>,
    pub todo_seen: Vec<Edit>,
    /// Tasks whose shell commands have ended since the last look began, and those that it is for.
    pub shells: BTreeSet<TaskId>,
    pub shells_looked_at: BTreeSet<TaskId>,
    /// The tree that the last look found.
    pub shell_tree: Option<TreeId>,
    /// The plan file could not be written; said once.
    pub todo_fault: Option<String>,
    /// Messages of conversations whose attempt has ended: told once more, they say nothing of the next.
    pub heard: BTreeMap<HostSessionId, BTreeSet<String>>,
    pub asks: BTreeMap<String, AskView>,
    pub parent: ParentView,
    pub progress_at: Millis,
    pub progress_text: String,
    /// When the brief is given up waiting for.
    pub brief_by: Option<Millis>,
    pub hand_back: HandBackView,
    /// Since when it has wanted turns and had none, and whether the user was told.
    pub standstill: Option<(Millis, bool)>,
    /// When the mission was read, or its newest fact was made.
    pub last_fact: Millis,
    /// When this process took it over from an earlier one; before all time where it did not.
    pub adopted_at: Millis,
    /// The user knows that the budget is nearly spent.
    pub warned: bool,
    /// … and which of its tasks' budgets are.
    pub warned_tasks: BTreeSet<TaskId>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    Survey,
    Baseline,
    WatchTodo,
    Trespass,
    Inspect(Subject),
    Check(Subject),
    Trees(TreeJob),
    Record,
    PlanRollback,
    RestoreFiles,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub reply: ReplyTo,
    pub session: HostSessionId,
    pub call: String,
}

/// An open ask.
#[derive(Debug, Clone, Copy)]
pub struct AskView {
    /// Its time runs from here.
    pub since: Millis,
    /// The user has had a notice.
    pub told: bool,
}

/// What is known of the conversation that asked.
#[derive(Default, Debug)]
pub struct ParentView {
    /// A turn was seen to begin in it since the mission was accepted.
    pub seen_busy: bool,
    /// The host was started anew since: a turn that had begun will not go on.
    pub restarted: bool,
    /// Looks in a row that found its turn over and its answer not finished.
    pub doubtful: u32,
    pub idle: bool,
    pub looking: bool,
    pub look_at: Option<Millis>,
}

#[derive(Default, Debug)]
pub struct HandBackView {
    /// Looks in a row that found the call not at its end, and the conversation not at work.
    pub doubtful: u32,
    pub sending: bool,
    pub try_at: Option<Millis>,
}

/// Signs of life of one attempt.
#[derive(Debug)]
pub struct Pulse {
    pub stage: Stage,
    /// Last evidence that the turn goes on; in the future while the host waits for its provider.
    pub sign_at: Millis,
    pub look_at: Millis,
    /// After a sign of life the next look is so much later.
    pub every: u64,
    /// The look is one for safety: nothing has hinted that the turn is over.
    pub routine: bool,
    pub looking: bool,
    /// The look under way fetches messages even while the session is busy.
    pub transcript: bool,
    /// When the look under way was asked for, and when the last sign of life came.
    pub looked_at: Millis,
    pub signed_at: Millis,
    /// Looks in a row that found the session not busy and its last message unfinished.
    pub doubtful: u32,
    /// The idle notice came before the prompt was acknowledged.
    pub idle_early: bool,
    /// Last finished message of the assistant since the last prompt.
    pub finished: Option<HostMessage>,
    /// Messages already counted, so that a repeated event costs nothing.
    pub counted: BTreeSet<String>,
    pub spent: Spent,
    pub open_calls: BTreeSet<String>,
    pub open_asks: BTreeSet<String>,
    /// The turn was refused a permission; the host may end the turn with it.
    pub refused: bool,
    /// A prompt that waits, from when on it may go: after its backoff; then for the breaker and the gate.
    pub due: Option<(Millis, PromptReason)>,
    /// When that was decided: a sign of life since then means that a turn runs after all.
    pub decided_at: Millis,
    /// What it runs on, as the host said last: `provider/model`.
    pub model: Option<Arc<str>>,
    /// When the host tries its provider again, as it said last.
    pub retries_at: Option<Millis>,
    pub prompted_at: Millis,
    /// Turns in a row that its provider failed, and those of them during which it answered others.
    pub failed: u32,
    pub failed_alone: usize,
    pub salvaging: bool,
    /// Opened before the mission was read from the store.
    pub inherited: bool,
    /// Its host session has had turns that this process has not seen to their end: late news may be of those.
    pub second_hand: bool,
    /// Whether the host took the last prompt is not known: it was sent by an earlier process, or answered too late.
    pub unsure: bool,
    /// It was interrupted before its prompt was known to be taken, and that is still not known: the host may begin the
    /// turn at any moment.
    pub on_its_way: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has been asked of the host yet.
    New,
    Creating,
    /// A prompt is due, see `Pulse::due`.
    Waiting,
    /// A prompt is due, but the mission is paused. It holds no permit, and asks for one again when the mission runs.
    Shelved,
    Prompting,
    Running,
    /// Interrupted; how its turn ends in the host is still to be seen.
    Ending,
}

impl Pulse {
    pub fn new(now: Millis) -> Self {
        Self {
            stage: Stage::New,
            sign_at: now,
            look_at: now.plus(LOOK_MS),
            every: LOOK_MS,
            routine: true,
            looking: false,
            transcript: false,
            looked_at: now,
            signed_at: now,
            doubtful: 0,
            idle_early: false,
            finished: None,
            counted: BTreeSet::new(),
            spent: Spent::default(),
            open_calls: BTreeSet::new(),
            open_asks: BTreeSet::new(),
            refused: false,
            due: None,
            decided_at: now,
            model: None,
            retries_at: None,
            prompted_at: now,
            failed: 0,
            failed_alone: 0,
            salvaging: false,
            inherited: false,
            second_hand: false,
            unsure: false,
            on_its_way: false,
        }
    }

    pub fn sign(&mut self, now: Millis) {
        self.sign_at = now;
        self.signed_at = now;
        self.look_later(now);
        self.doubtful = 0;
    }

    pub fn look_later(&mut self, now: Millis) {
        self.look_at = now.plus(self.every);
        self.routine = true;
    }

    /// Something has happened that leads to a look.
    pub fn look_soon(&mut self, at: Millis) {
        self.look_at = at;
        self.routine = false;
    }

    /// Whether the look that came back is older than what has been heard since.
    pub fn outlived(&self) -> bool {
        self.signed_at > self.looked_at
    }

    pub fn prompted(&mut self, now: Millis) {
        self.stage = Stage::Prompting;
        self.prompted_at = now;
        self.retries_at = None;
        self.finished = None;
        self.idle_early = false;
        self.unsure = false;
        self.due = None;
        self.open_calls.clear();
        self.refused = false;
        self.sign(now);
    }

    /// The host will try its provider again then: silence counts from there.
    pub fn waits_until(&mut self, now: Millis, at: Millis) {
        self.retries_at = Some(at);
        self.sign(now);
        self.sign_at = at.max(now);
    }

    /// Its provider has answered it.
    pub fn answered(&mut self) {
        (self.failed, self.failed_alone) = (0, 0);
    }

    /// Whether the silence has an explanation: an open tool call, or an ask that waits for the user.
    pub fn excused(&self) -> bool {
        !self.open_calls.is_empty() || !self.open_asks.is_empty()
    }
}

impl Live {
    /// Marks a job as under way; none when it is already.
    pub fn begin(&mut self, job: Job) -> Option<u64> {
        if self.jobs.contains_key(&job) {
            return None;
        }
        self.next_round += 1;
        self.jobs.insert(job, self.next_round);
        Some(self.next_round)
    }

    /// True when this is the answer to the job that is under way.
    pub fn end(&mut self, job: &Job, round: u64) -> bool {
        let current = self.jobs.get(job) == Some(&round);
        if current {
            self.jobs.remove(job);
        }
        current
    }
}
