//! Actions carried out at the ports. Each runs as a job of its own and comes back as an input.
use super::Ports;
use super::bulletin::Bulletin;
use super::core::event::Inspection;
use super::core::{Action, Ground, Input, Look};
use super::index::Index;
use super::inspect::{inspect, new_errors, plan_files};
use super::lanes::Job;
use super::rollback;
use crate::domain::ids::{Directory, HostSessionId, MissionId};
use crate::domain::mask::masked;
use crate::domain::verdict::{CheckOutcome, CheckResult, TreeId};
use crate::ports::host::{Host, HostAsk, HostError, NewSession, TurnState};
use crate::ports::workspace::{Checks, TodoPlan, WorkspaceError};
use std::borrow::Cow;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Longest diff a reviewer is given, in bytes.
const MAX_DIFF: usize = 60_000;
/// Time limit of one check.
const CHECK_TIMEOUT_MS: u64 = 600_000;
/// Time limit of one look at the tree, with what language servers say of it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(300);
/// Check runs at one time, over all missions: they use as many cores as they find.
const MAX_CHECK_RUNS: usize = 3;
/// Wait before an abort that the host did not take is repeated; doubles up to the longest.
const ABORT_AGAIN: Duration = Duration::from_secs(1);
const ABORT_LONGEST: Duration = Duration::from_secs(64);
/// Messages fetched by a look.
const LOOK_MESSAGES: u32 = 8;
/// Messages fetched by a look that has to find where the turn began.
const DEEP_LOOK_MESSAGES: u32 = 200;

#[derive(Clone)]
pub struct Effects {
    ports: Ports,
    index: Arc<Index>,
    bulletin: Arc<Bulletin>,
    check_runs: Arc<Semaphore>,
}

/// An action as a job: what it is for, and what the core is told should the job itself break.
pub struct Work {
    pub mission: Option<MissionId>,
    /// Ended by `StopWork`.
    pub stoppable: bool,
    /// Ended by `UnwatchTodo` as well.
    pub watch: bool,
    pub broken: Option<Input>,
    pub job: Job,
}

impl Effects {
    pub fn new(ports: Ports, index: Arc<Index>, bulletin: Arc<Bulletin>) -> Self {
        Self { ports, index, bulletin, check_runs: Arc::new(Semaphore::new(MAX_CHECK_RUNS)) }
    }

    /// Not for answers, salvage and stops, which the dispatcher carries out itself.
    pub fn work(&self, action: Action) -> Option<Work> {
        match action {
            Action::Answer { .. }
            | Action::Salvage { .. }
            | Action::StopWork { .. }
            | Action::UnwatchTodo { .. } => None,
            Action::Survey { .. }
            | Action::Baseline { .. }
            | Action::Inspect { .. }
            | Action::LookAtShells { .. }
            | Action::Check { .. } => Some(self.tree_work(action)),
            Action::Trees { mission, round, project, work } => {
                Some(self.worktree_work(mission, round, project, work))
            }
            Action::Record { .. } | Action::PlanRollback { .. } | Action::RestoreFiles { .. } => {
                Some(self.history_work(action))
            }
            Action::PublishTodo { .. } | Action::UpdateTodo { .. } | Action::WatchTodo { .. } => {
                Some(self.todo_work(action))
            }
            other => Some(self.host_work(other)),
        }
    }

    fn host_work(&self, action: Action) -> Work {
        let host = self.ports.host.clone();
        let failed = || {
            HostError::Refused(crate::ports::host::HostFault {
                name: "InternalError".into(),
                message: "the call broke down inside Gantry".into(),
                status: None,
            })
        };
        match action {
            Action::CreateSession {
                mission,
                attempt,
                directory,
                folder,
                parent,
                title,
                role,
                model,
                adopt,
            } => {
                let key = attempt.0.clone();
                let broken = Input::SessionCreated {
                    mission: mission.clone(),
                    attempt: attempt.clone(),
                    result: Err(failed()),
                };
                let parent = Some(parent);
                let new = NewSession { directory, folder, parent, title, role, model, key, adopt };
                work(Some(&mission.clone()), Some(broken), async move {
                    let result = host.create(new).await;
                    Some(Input::SessionCreated { mission, attempt, result })
                })
            }
            Action::CheckSession { mission, directory, session } => {
                let told = {
                    let (mission, session) = (mission.clone(), session.clone());
                    move |result| Input::SessionChecked { mission, session, result }
                };
                let broken = told.clone()(Err(failed()));
                let effects = self.clone();
                work(Some(&mission), Some(broken), async move {
                    Some(told(effects.look(directory, session, true, 1).await))
                })
            }
            Action::OpenFolder { mission, directory, folder } => {
                let told = {
                    let (mission, folder) = (mission.clone(), folder.clone());
                    move |result| Input::FolderOpened { mission, folder, result }
                };
                let broken = told.clone()(Err(failed()));
                work(Some(&mission), Some(broken), async move {
                    Some(told(host.open_folder(directory, folder).await))
                })
            }
            Action::Prompt { mission, attempt, directory, session, role, text } => {
                let broken = Input::PromptTaken {
                    mission: mission.clone(),
                    attempt: attempt.clone(),
                    result: Err(failed()),
                };
                work(Some(&mission.clone()), Some(broken), async move {
                    let result = host.prompt(directory, session, role, text, false).await;
                    Some(Input::PromptTaken { mission, attempt, result })
                })
            }
            Action::Look { mission, attempt, directory, session, transcript, deep } => {
                let broken = Input::Looked {
                    mission: mission.clone(),
                    attempt: attempt.clone(),
                    result: Err(failed()),
                };
                let effects = self.clone();
                work(Some(&mission.clone()), Some(broken), async move {
                    let limit = if deep { DEEP_LOOK_MESSAGES } else { LOOK_MESSAGES };
                    // Before the rest: one that is asked for meanwhile comes as an event, or with the next look.
                    let asks = effects.asks(&directory, &session).await;
                    let look = effects.look(directory, session, transcript, limit).await;
                    let result = look.map(|look| Look { asks, ..look });
                    Some(Input::Looked { mission, attempt, result })
                })
            }
            Action::LookAtParent { mission, directory, session, transcript } => {
                let broken = Input::ParentLooked { mission: mission.clone(), result: Err(failed()) };
                let effects = self.clone();
                work(Some(&mission.clone()), Some(broken), async move {
                    let result = effects.look(directory, session, transcript, LOOK_MESSAGES).await;
                    Some(Input::ParentLooked { mission, result })
                })
            }
            Action::HandBack { mission, directory, session, text } => {
                let broken = Input::HandBackTaken {
                    mission: mission.clone(),
                    text: text.clone(),
                    result: Err(failed()),
                };
                work(Some(&mission.clone()), Some(broken), async move {
                    let role = crate::domain::ids::Role::Commander;
                    let result = host.prompt(directory, session, role, text.clone(), true).await;
                    Some(Input::HandBackTaken { mission, text, result })
                })
            }
            Action::Abort { of, directory, session } => {
                let ended = of.map(|(mission, attempt)| Input::AbortTaken { mission, attempt });
                work(None, ended.clone(), async move {
                    match abort(&*host, directory, session).await {
                        Ok(()) => ended,
                        // It is owed to the host that comes next.
                        Err(HostError::Closed) => None,
                        Err(error) => {
                            tracing::warn!(%error, "a turn could not be ended in the host");
                            ended
                        }
                    }
                })
            }
            other => self.notice(other),
        }
    }

    /// What nobody waits for; a failure is logged.
    fn notice(&self, action: Action) -> Work {
        let host = self.ports.host.clone();
        if let Action::Toast { directory, kind, title, message } = &action {
            let now = self.ports.clock.now();
            self.bulletin.put_up(now, directory.clone(), *kind, title.clone(), message.clone());
        }
        work(None, None, async move {
            let result = match action {
                Action::Tell { directory, session, text } => {
                    host.prompt(directory, session, crate::domain::ids::Role::Commander, text, true).await
                }
                // One that is lost is still open at the next look.
                Action::AnswerAsk { directory, session, ask, refusal, .. } => {
                    host.answer_ask(directory, session, ask, refusal).await
                }
                Action::Toast { directory, kind, title, message } => {
                    host.toast(directory, kind, title, message).await
                }
                Action::Progress { directory, session, call, title, metadata } => {
                    host.progress(directory, session, call, title, metadata).await
                }
                _ => Ok(()),
            };
            if let Err(error) = result {
                tracing::debug!(%error, "a notice did not reach the host");
            }
            None
        })
    }

    async fn look(
        &self,
        directory: Directory,
        session: HostSessionId,
        transcript: bool,
        limit: u32,
    ) -> Result<Look, HostError> {
        let host = &self.ports.host;
        // Messages after the state: a turn that ends in between is seen as busy, and looked at again.
        let states = host.status(directory.clone(), vec![session.clone()]).await?;
        let state = states.first().map_or(TurnState::Absent, |(_, s)| *s);
        if !transcript && matches!(state, TurnState::Busy | TurnState::Retry) {
            return Ok(Look { state, messages: Vec::new(), asks: None });
        }
        let messages = host.messages(directory, session, limit).await?;
        Ok(Look { state, messages, asks: None })
    }

    /// None where the host does not say.
    async fn asks(&self, directory: &Directory, session: &HostSessionId) -> Option<Vec<HostAsk>> {
        let all = self.ports.host.asks(directory.clone(), session.clone()).await.ok()?;
        Some(all.into_iter().filter(|ask| ask.session == *session).collect())
    }

    // ---- tree and checks

    fn tree_work(&self, action: Action) -> Work {
        let effects = self.clone();
        match action {
            Action::Survey { mission, root, checks, todo } => {
                let broken = Input::Surveyed {
                    mission: mission.clone(),
                    checks: Vec::new(),
                    tree: None,
                    remark: Some("the project could not be looked at".into()),
                };
                stoppable(work(Some(&mission.clone()), Some(broken), async move {
                    Some(effects.survey(mission, root, checks, todo).await)
                }))
            }
            Action::Baseline { mission, root, commands, todo } => {
                let (results, wrote) = (not_run(&commands), Vec::new());
                let broken = Input::Baselined { mission: mission.clone(), results, wrote };
                stoppable(work(Some(&mission.clone()), Some(broken), async move {
                    let (results, wrote) = effects.watch_checks(&root, &commands, &[], todo).await;
                    Some(Input::Baselined { mission, results, wrote })
                }))
            }
            Action::Inspect { mission, subject, round, ground, diagnose } => {
                let broken = Input::Inspected {
                    mission: mission.clone(),
                    subject: subject.clone(),
                    round,
                    result: Err("the look at the tree broke down".into()),
                };
                stoppable(work(Some(&mission.clone()), Some(broken), async move {
                    let result = effects.inspect(&ground, diagnose).await.map_err(|e| e.to_string());
                    Some(Input::Inspected { mission, subject, round, result })
                }))
            }
            Action::LookAtShells { mission, round, root, todo, base } => {
                let broken = Input::ShellsSeen {
                    mission: mission.clone(),
                    round,
                    result: Err("the look at the tree broke down".into()),
                };
                stoppable(work(Some(&mission.clone()), Some(broken), async move {
                    let began = Instant::now();
                    let look = effects.changed_since(root, &todo, base);
                    let result = timely(look)
                        .await
                        .map_err(|e| e.to_string())
                        .map(|(tree, changed)| (tree, effects.index.not_written(&mission, began, changed)));
                    Some(Input::ShellsSeen { mission, round, result })
                }))
            }
            Action::Check { mission, subject, round, root, commands, failing, todo } => {
                let broken = Input::Checked {
                    mission: mission.clone(),
                    subject: subject.clone(),
                    round,
                    results: not_run(&commands),
                    wrote: Vec::new(),
                };
                stoppable(work(Some(&mission.clone()), Some(broken), async move {
                    let (results, wrote) = effects.watch_checks(&root, &commands, &failing, todo).await;
                    Some(Input::Checked { mission, subject, round, results, wrote })
                }))
            }
            other => self.notice(other),
        }
    }

    // ---- trees that are kept

    fn history_work(&self, action: Action) -> Work {
        let ports = self.ports.clone();
        let broken = || "the look at the tree broke down".to_owned();
        match action {
            Action::Record { mission, round, root, todo } => {
                let fallback = Input::Recorded { mission: mission.clone(), round, result: Err(broken()) };
                stoppable(work(Some(&mission.clone()), Some(fallback), async move {
                    let look = timely(rollback::record(&ports, &root, &todo)).await;
                    let result = look.map_err(|e| e.to_string());
                    if let Err(error) = &result {
                        tracing::warn!(%error, "the tree could not be recorded");
                    }
                    Some(Input::Recorded { mission, round, result })
                }))
            }
            Action::PlanRollback { mission, round, look } => {
                let fallback =
                    Input::RollbackPlanned { mission: mission.clone(), round, result: Err(broken()) };
                stoppable(work(Some(&mission.clone()), Some(fallback), async move {
                    let result = timely(rollback::look(&ports, look)).await.map_err(|e| e.to_string());
                    Some(Input::RollbackPlanned { mission, round, result })
                }))
            }
            Action::RestoreFiles { mission, round, root, todo, from, to } => {
                let fallback =
                    Input::FilesRestored { mission: mission.clone(), round, result: Err(broken()) };
                work(Some(&mission.clone()), Some(fallback), async move {
                    let done = ports.history.restore(PathBuf::from(root), from, to, plan_files(&todo)).await;
                    Some(Input::FilesRestored { mission, round, result: done.map_err(|e| e.to_string()) })
                })
            }
            other => self.notice(other),
        }
    }

    async fn survey(
        &self,
        mission: MissionId,
        root: String,
        checks: Option<Vec<String>>,
        todo: String,
    ) -> Input {
        let path = PathBuf::from(&root);
        let (tree, remark) = match timely(self.ports.tree.hash(path.clone(), plan_files(&todo))).await {
            Ok(tree) => {
                // It is what the whole mission is taken back to; a mission that cannot be taken back is one all the same.
                if let Err(error) = self.ports.history.keep(path.clone(), tree.clone()).await {
                    tracing::warn!(%error, "the tree before the mission is not kept");
                }
                (Some(tree), None)
            }
            Err(error) => (None, Some(format!("changes cannot be shown as a diff: {error}"))),
        };
        let checks = match checks {
            Some(checks) => checks,
            None => self.ports.checks.detect(path.clone()).await,
        };
        Input::Surveyed { mission, checks, tree, remark }
    }

    pub(super) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(super) async fn run_checks(
        &self,
        root: &Path,
        commands: &[String],
        failing: &[String],
    ) -> Vec<CheckResult> {
        // Closed only with the process; then nobody reads the results either.
        let Ok(_permit) = self.check_runs.acquire().await else { return Vec::new() };
        self.run_each(root, commands, failing).await
    }

    async fn run_each(&self, root: &Path, commands: &[String], failing: &[String]) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for command in commands {
            results.push(check(&*self.ports.checks, root, command, failing.contains(command)).await);
        }
        results
    }

    /// With a plan file also which other files changed meanwhile; a tree that cannot be read says nothing of it.
    async fn watch_checks(
        &self,
        root: &str,
        commands: &[String],
        failing: &[String],
        todo: Option<String>,
    ) -> (Vec<CheckResult>, Vec<String>) {
        let at = Path::new(root);
        let Some(todo) = todo else { return (self.run_checks(at, commands, failing).await, Vec::new()) };
        let Ok(_permit) = self.check_runs.acquire().await else { return Default::default() };
        let before = timely(self.ports.tree.hash(at.to_path_buf(), plan_files(&todo))).await.ok();
        let results = self.run_each(at, commands, failing).await;
        let wrote = match before {
            Some(before) => timely(self.changed_since(root.to_owned(), &todo, before)).await,
            None => return (results, Vec::new()),
        };
        (results, wrote.map(|(_, changed)| changed).unwrap_or_default())
    }

    async fn changed_since(
        &self,
        root: String,
        todo: &str,
        base: TreeId,
    ) -> Result<(TreeId, Vec<String>), WorkspaceError> {
        let root = PathBuf::from(root);
        let tree = self.ports.tree.hash(root.clone(), plan_files(todo)).await?;
        let changed = match tree == base {
            true => Vec::new(),
            false => self.ports.tree.changed(root, base, tree.clone()).await?,
        };
        Ok((tree, changed))
    }

    async fn inspect(&self, ground: &Ground, diagnose: bool) -> Result<Inspection, WorkspaceError> {
        let mut inspection = timely(inspect(&self.ports, ground, None, Some(MAX_DIFF))).await?;
        if let Some(tree) = inspection.tree.clone()
            && let Err(error) = self.ports.history.keep(PathBuf::from(&ground.root), tree).await
        {
            tracing::warn!(%error, "how the task left the files is not kept");
        }
        if diagnose && inspection.findings.is_empty() {
            let looked = new_errors(&self.ports, ground, &inspection.changed);
            (inspection.findings, inspection.notes) =
                tokio::time::timeout(LOOK_TIMEOUT, looked).await.unwrap_or_else(|_| {
                    let seconds = LOOK_TIMEOUT.as_secs();
                    (Vec::new(), vec![format!("language servers gave no answer within {seconds} s")])
                });
        }
        // From here it goes into the journal, into prompts and exports.
        let told = inspection.findings.iter_mut().map(|finding| &mut finding.message);
        for text in told.chain(&mut inspection.notes).chain([&mut inspection.diff]) {
            if let Cow::Owned(without_secrets) = masked(text) {
                *text = without_secrets;
            }
        }
        Ok(inspection)
    }

    fn todo_work(&self, action: Action) -> Work {
        let todo = self.ports.todo.clone();
        match action {
            Action::PublishTodo { mission, root, file, title, items, seen } => {
                let broken = Input::TodoWritten {
                    mission: mission.clone(),
                    result: Err("writing it broke down".into()),
                };
                work(Some(&mission.clone()), Some(broken), async move {
                    let plan = TodoPlan { mission: mission.0.clone(), title, items };
                    let written = todo.publish(PathBuf::from(root), file, plan, seen).await;
                    let result = written.map_err(|e| e.to_string());
                    Some(Input::TodoWritten { mission, result })
                })
            }
            Action::UpdateTodo { mission, root, file, states, seen } => {
                let broken = Input::TodoWritten {
                    mission: mission.clone(),
                    result: Err("writing it broke down".into()),
                };
                work(Some(&mission.clone()), Some(broken), async move {
                    let result = todo
                        .update(Path::new(&root).join(file), mission.0.clone(), states, seen)
                        .await
                        .map_err(|e| e.to_string());
                    Some(Input::TodoWritten { mission, result })
                })
            }
            Action::WatchTodo { mission, round, root, file, known } => {
                // Were it to break down it would do so again: the file is written then, and not watched.
                watch(work(Some(&mission.clone()), None, async move {
                    let edits = todo.edited(Path::new(&root).join(file), mission.0.clone(), known).await;
                    Some(Input::TodoEdited { mission, round, edits })
                }))
            }
            other => self.notice(other),
        }
    }
}

/// One check; one that fails is run once more, so that a flaky one is told from one that fails. A run that took all
/// its time is not repeated.
async fn check(checks: &dyn Checks, root: &Path, command: &str, failed_before: bool) -> CheckResult {
    // Its output goes into prompts and the report; what looks like a secret does not.
    let run = async || {
        let result = checks.run(root.to_path_buf(), command.to_owned(), CHECK_TIMEOUT_MS).await;
        CheckResult { tail: masked(&result.tail).into_owned(), ..result }
    };
    let first = run().await;
    if failed_before || !matches!(first.outcome, CheckOutcome::Failed(_)) {
        return first;
    }
    first.and_again(run().await)
}

/// A look that does not end (a file system that hangs) would hold up a gate for ever.
async fn timely<T>(look: impl Future<Output = Result<T, WorkspaceError>>) -> Result<T, WorkspaceError> {
    tokio::time::timeout(LOOK_TIMEOUT, look).await.unwrap_or_else(|_| {
        Err(WorkspaceError::Git(format!("the tree could not be read within {} s", LOOK_TIMEOUT.as_secs())))
    })
}

/// A turn that goes on would be an orphan: so this one notice is repeated until the host has taken it.
async fn abort(host: &dyn Host, directory: Directory, session: HostSessionId) -> Result<(), HostError> {
    let mut wait = ABORT_AGAIN;
    loop {
        let error = match host.abort(directory.clone(), session.clone()).await {
            Err(HostError::Refused(fault)) if fault.status != Some(404) => HostError::Refused(fault),
            Err(HostError::TimedOut(ms)) => HostError::TimedOut(ms),
            done => return done,
        };
        if wait > ABORT_LONGEST {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
}

fn work(
    mission: Option<&MissionId>,
    broken: Option<Input>,
    job: impl Future<Output = Option<Input>> + Send + 'static,
) -> Work {
    Work { mission: mission.cloned(), stoppable: false, watch: false, broken, job: Box::pin(job) }
}

fn stoppable(work: Work) -> Work {
    Work { stoppable: true, ..work }
}

fn watch(work: Work) -> Work {
    Work { watch: true, ..work }
}

fn not_run(commands: &[String]) -> Vec<CheckResult> {
    let result = |command: &String| CheckResult {
        command: command.clone(),
        outcome: CheckOutcome::NotRun,
        millis: 0,
        tail: String::new(),
    };
    commands.iter().map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Fut;
    use parking_lot::Mutex;
    use std::collections::VecDeque;

    /// Checks that come out as told, one run after the other.
    struct Told(Mutex<VecDeque<CheckOutcome>>);

    impl Checks for Told {
        fn detect(&self, _root: PathBuf) -> Fut<'_, Vec<String>> {
            Box::pin(std::future::ready(Vec::new()))
        }
        fn run(&self, _root: PathBuf, command: String, _timeout_ms: u64) -> Fut<'_, CheckResult> {
            let outcome = self.0.lock().pop_front().expect("one run too many");
            let tail = format!("{outcome:?} with PASSWORD=correct-horse");
            Box::pin(std::future::ready(CheckResult { command, outcome, millis: 10, tail }))
        }
    }

    #[tokio::test]
    async fn what_fails_is_run_once_more() {
        use CheckOutcome::*;
        let table = [
            (vec![Passed], false, Passed, 10, "Passed"),
            (vec![Failed(1), Passed], false, Flaky, 20, "Failed(1)"),
            (vec![Failed(1), Failed(2)], false, Failed(2), 20, "Failed(2)"),
            (vec![Failed(1), TimedOut], false, TimedOut, 20, "TimedOut"),
            (vec![Failed(1)], true, Failed(1), 10, "Failed(1)"),
            (vec![TimedOut], false, TimedOut, 10, "TimedOut"),
            (vec![NotRun], false, NotRun, 10, "NotRun"),
        ];
        for (runs, failed_before, outcome, millis, tail) in table {
            let told = Told(Mutex::new(runs.clone().into()));
            let result = check(&told, Path::new("/p"), "test", failed_before).await;
            assert_eq!(
                (result.outcome, result.millis, result.tail),
                (outcome, millis, format!("{tail} with PASSWORD=[masked]")),
                "{runs:?}"
            );
            assert!(told.0.lock().is_empty(), "{runs:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_given_up() {
        let result = timely(std::future::pending::<Result<(), _>>()).await;
        assert_eq!(result.expect_err("given up").to_string(), "the tree could not be read within 300 s");
    }
}
