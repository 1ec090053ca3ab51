//! The kinds of record, one line each, and the way from an event to its record and back.
use super::form::*;
use crate::engine::core::event::Event;
use crate::engine::prompts::clip;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of every kind in the table. The first kind that needs a second one gets its own number and form.
const VERSION: u64 = 1;

/// Longest part of a parser's complaint that is passed on, in bytes: it may quote a whole diff.
const MAX_DETAIL: usize = 300;

/// Why a record is no event. Which mission and which record it was, the reader of the journal knows.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal has a record of the kind `{kind}`, which only a newer Gantry knows: update Gantry")]
    UnknownKind { kind: String },
    #[error(
        "the journal has a `{kind}` record of version {found} (this Gantry knows {known}): update Gantry"
    )]
    Newer { kind: String, found: u64, known: u64 },
    #[error("the journal has a damaged `{kind}` record ({field}: {detail}): restore a copy of the store")]
    Malformed {
        kind: String,
        /// Path within the body; of the object around it where a field is missing, which `detail` then names.
        field: String,
        detail: String,
    },
}

/// Name of the kind, and the body as JSON.
pub fn encode(event: &Event) -> (String, String) {
    (event.kind().to_owned(), body_of(event))
}

pub fn decode(kind: &str, body: &str) -> Result<Event, JournalError> {
    restore(kind, body)
}

macro_rules! kinds {
    ($($kind:literal $variant:ident { $($field:ident: $ty:ty),* $(,)? }
        $(maybe { $($option:ident: $option_ty:ty),* $(,)? })?
        $(lists { $($list:ident: $item:ty),* $(,)? })?)*) => {
        $(#[derive(Serialize, Deserialize)]
        struct $variant {
            $($field: $ty,)*
            $($(#[serde(default, skip_serializing_if = "Option::is_none")] $option: Option<$option_ty>,)*)?
            $($(#[serde(default, skip_serializing_if = "Vec::is_empty")] $list: Vec<$item>,)*)?
        })*

        fn body_of(event: &Event) -> String {
            match event {
                Event::Created(created) => write(&Created::store(created)),
                $(Event::$variant { $($field,)* $($($option,)*)? $($($list,)*)? } => write(&$variant {
                    $($field: Stored::store($field),)*
                    $($($option: Stored::store($option),)*)?
                    $($($list: Stored::store($list),)*)?
                }),)*
            }
        }

        fn restore(kind: &str, body: &str) -> Result<Event, JournalError> {
            Ok(match kind {
                "created" => Event::Created(read::<Created>(kind, body)?.restore()),
                $($kind => {
                    let form: $variant = read(kind, body)?;
                    Event::$variant {
                        $($field: form.$field.restore(),)*
                        $($($option: form.$option.restore(),)*)?
                        $($($list: form.$list.restore(),)*)?
                    }
                })*
                _ => return Err(JournalError::UnknownKind { kind: clip(kind, MAX_DETAIL) }),
            })
        }
    };
}

kinds! {
    "state_changed" StateChanged { to: MissionState, reason: String }
    "phase_changed" PhaseChanged { to: Phase }
    "briefed" Briefed { brief: Brief, source: BriefSource }
    "surveyed" Surveyed { checks: Vec<String> } maybe { tree: String, remark: String }
    "baselined" Baselined { results: Vec<CheckResult> } lists { wrote: String }
    "plan_refused" PlanRefused { faults: Vec<String> } maybe { task: String }
    "expanded" Expanded { task: String, parts: Vec<TaskSpec> } lists { remarks: String }
    "mode_chosen" ModeChosen { task: String, fractal: bool }
    "race_begun" RaceBegun { task: String, tries: Vec<TaskSpec> }
    "race_won" RaceWon { task: String, taken: String, why: String }
    "race_lost" RaceLost { task: String }
    "plan_judged" PlanJudged { approved: bool } maybe { reason: String }
    "planned" Planned { plan: Plan, source: PlanSource } lists { remarks: String }
    "plan_revised" PlanRevised {} lists { tasks: TaskSpec, dropped: String, remarks: String }
    "task_added" TaskAdded { spec: TaskSpec }
    "task_requested" TaskRequested { spec: TaskSpec }
    "task_reworded" TaskReworded { task: String, title: String }
    "task_changed" TaskChanged { task: String, to: TaskState } maybe { note: String }
    "accepted" Accepted { by: String, reason: String } maybe { task: String, tree: String }
    "reopened" Reopened { task: String }
    "attempt_opened" AttemptOpened { attempt: String, kind: AttemptKind, token: u64, ordinal: u32 }
        maybe { session: String, node: String }
    "attempt_session" AttemptSession { attempt: String, session: String }
    "prompted" Prompted { attempt: String, reason: PromptReason }
    "submitted" Submitted { attempt: String, submission: Submission }
    "turn_given_up" TurnGivenUp { attempt: String }
    "turn_ended" TurnEnded { attempt: String }
    "attempt_closed" AttemptClosed { attempt: String, outcome: Outcome, usage: Spent }
    "path_taken" PathTaken { task: String, path: String }
    "trespassed" Trespassed { task: String, finding: Finding }
    "inspected" Inspected { subject: Subject, inspection: Inspection }
    "checked" Checked { subject: Subject, results: Vec<CheckResult> } lists { wrote: String }
    "judged" Judged { subject: Subject, verdict: Verdict }
    "context_put" ContextPut { key: String, by: String } maybe { task: String, value: String }
    "worktree_given" WorktreeGiven { number: u32, path: String, base: String } maybe { task: String }
    "batch_made" BatchMade { onto: String } lists { steps: Step }
    "batch_checked" BatchChecked { changes: u32, passed: bool } lists { results: CheckResult }
    "batch_merged" BatchMerged { changes: u32 }
    "user_tree_taken" UserTreeTaken { seen: String } maybe { merged: String } lists { clashes: String }
    "landing_begun" LandingBegun { from: String, to: String }
    "landed" Landed { tree: String }
    "landing_ended" LandingEnded { half: bool, why: String }
    "result_left" ResultLeft {} maybe { branch: String, patch: String, fault: String } lists { outside: String }
    "worktrees_released" WorktreesReleased {} maybe { left_at: String }
    "steered" Steered { text: String } maybe { task: String, replan: bool }
    "told" Told { attempt: String, steers: u32 } maybe { call: String }
    "asked" Asked { ask: String, attempt: String, permission: String } lists { patterns: String }
    "ask_judged" AskJudged { ask: String, allow: bool, by: Judge } maybe { reason: String }
    "reported" Reported { text: String } lists { calls: String }
    "handed_back" HandedBack { how: HandBack }
    "attached" Attached { parent: String }
    "checkpointed" Checkpointed { trigger: Trigger }
    "tree_recorded" TreeRecorded { moments: Vec<Moment> } maybe { tree: String }
    "rollback_begun" RollbackBegun { scope: Scope, from: String, to: String, files: u32, with_state: bool }
    "rolled_back" RolledBack { left: Vec<String> } maybe { fault: String }
    "restored" Restored { checkpoint: u32 }
}

fn write<T: Serialize>(form: &T) -> String {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u64,
        #[serde(flatten)]
        form: &'a T,
    }
    serde_json::to_string(&Versioned { v: VERSION, form }).expect("stored forms are plain JSON objects")
}

/// The version comes first, and alone: what else a newer form holds is not for this program to judge.
fn read<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T, JournalError> {
    #[derive(Deserialize)]
    struct Head {
        v: u64,
    }
    match parse::<Head>(kind, body)?.v {
        VERSION => parse(kind, body),
        0 => Err(malformed(kind, "v".into(), "versions begin at 1")),
        found => Err(JournalError::Newer { kind: kind.to_owned(), found, known: VERSION }),
    }
}

fn parse<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T, JournalError> {
    let mut json = serde_json::Deserializer::from_str(body);
    let form = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let field = match e.path().to_string() {
            // At the top, or before any field was reached.
            root if root == "." || root == "?" => "body".into(),
            path => path,
        };
        malformed(kind, field, &e.inner().to_string())
    })?;
    json.end().map_err(|e| malformed(kind, "body".into(), &e.to_string()))?;
    Ok(form)
}

fn malformed(kind: &str, field: String, detail: &str) -> JournalError {
    JournalError::Malformed { kind: kind.to_owned(), field, detail: clip(detail, MAX_DETAIL) }
}
