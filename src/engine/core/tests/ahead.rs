//! Worktrees that are made ready before there is a plan.
use super::{draft, task};
use crate::domain::ids::{AttemptId, Directory, HostSessionId, Millis, MissionId, TaskId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::plan::{Plan, Priority, TaskSpec};
use crate::domain::task::TaskState;
use crate::domain::verdict::TreeId;
use crate::engine::core::event::*;
use crate::engine::core::worktrees::{TreeDone, TreeJob, TreeNews, TreeWork};
use crate::engine::core::*;
use crate::ports::host::{HostError, HostFault};

/// A core with one mission in worktrees, whose planner has just been asked.
struct Rig {
    core: Core,
    /// What it wanted done and has not been told of.
    owed: Vec<Action>,
}

const PLANNER: &str = "ses_planner";

impl Rig {
    fn new(options: Options) -> Self {
        let mut rig = Self { core: Core::default(), owed: Vec::new() };
        let created = Created {
            directory: Directory::new("/p/inside"),
            worktree: "/p".into(),
            parent: "u1".into(),
            text: "do it".into(),
            key: "k".into(),
            title: "do it".into(),
            options: Options { worktrees: Some(true), checks: Some(Vec::new()), ..options },
        };
        rig.step(Input::Create { reply: ReplyTo(1), mission: id(), created });
        let survey = Input::Surveyed {
            mission: id(),
            checks: Vec::new(),
            tree: Some(TreeId("t0".into())),
            remark: None,
        };
        rig.step(survey);
        rig
    }

    fn step(&mut self, input: Input) {
        self.owed.extend(self.core.step(Millis(1_000), input).actions);
    }

    /// The numbers being made ready, or given to tasks.
    fn under_way(&self) -> Vec<(bool, u32)> {
        let number = |action: &Action| match action {
            Action::Trees { work: TreeWork::Prepare { number, .. }, .. } => Some((false, *number)),
            Action::Trees { work: TreeWork::Give { number, .. }, .. } => Some((true, *number)),
            _ => None,
        };
        self.owed.iter().filter_map(number).collect()
    }

    fn prepared(&mut self, result: Result<String, String>) {
        let found = |a: &Action| matches!(a, Action::Trees { work: TreeWork::Prepare { .. }, .. });
        let place = self.owed.iter().position(found).expect("one is being made ready");
        let Action::Trees { round, work, .. } = self.owed.remove(place) else { unreachable!() };
        let TreeJob::Prepare { number } = work.job() else { unreachable!() };
        let done = TreeDone::Prepared { number, result };
        self.step(Input::Trees(TreeNews { mission: id(), round, done }));
    }

    /// The folder that the host is asked to open.
    fn opening(&self) -> Option<String> {
        self.owed.iter().find_map(|action| match action {
            Action::OpenFolder { folder, .. } => Some(folder.clone()),
            _ => None,
        })
    }

    fn opened(&mut self, result: Result<(), HostError>) {
        let folder = self.opening().expect("one is being opened");
        self.owed.retain(|action| !matches!(action, Action::OpenFolder { .. }));
        self.step(Input::FolderOpened { mission: id(), folder, result });
    }

    fn one_more(&mut self, path: &str) {
        self.prepared(Ok(path.into()));
        self.opened(Ok(()));
    }

    fn plan(&mut self, tasks: &[&str]) {
        let brief = ToolInput::Mission { brief: "do it".into(), acceptance: vec![], constraints: vec![] };
        let (session, call) = (HostSessionId::from("u1"), "c1".to_owned());
        self.step(Input::Tool { reply: ReplyTo(2), session, call, tool: brief });
        let attempt = AttemptId::new("m1/a1");
        let result = Ok(PLANNER.into());
        self.step(Input::SessionCreated { mission: id(), attempt: attempt.clone(), result });
        self.step(Input::PromptTaken { mission: id(), attempt, result: Ok(()) });
        let tool = ToolInput::Plan(draft(tasks.iter().map(|id| task(id, "", "")).collect()));
        let (session, call) = (PLANNER.into(), "c2".to_owned());
        self.step(Input::Tool { reply: ReplyTo(3), session, call, tool });
    }
}

fn id() -> MissionId {
    MissionId::new("m1")
}

fn refused() -> HostError {
    HostError::Refused(HostFault { name: "NoFolders".into(), message: "not here".into(), status: None })
}

#[test]
fn worktrees_are_made_ready_one_by_one_and_opened_where_turns_will_be() {
    let mut rig = Rig::new(Options { workers: 2, ..Options::default() });
    assert_eq!(rig.under_way(), [(false, 1)]);
    rig.prepared(Ok("/w/1/p".into()));
    assert_eq!(rig.opening().as_deref(), Some("/w/1/p/inside"), "the folder that the user is in");
    assert_eq!(rig.under_way(), [], "the host opens one at a time");
    rig.opened(Ok(()));
    assert_eq!(rig.under_way(), [(false, 2)]);
    rig.one_more("/w/2/p");
    assert_eq!(rig.under_way(), [], "no more than there may be workers");
    assert_eq!(rig.core.folders.len(), 2);
}

#[test]
fn as_many_as_the_user_wants() {
    for (wanted, made) in [(Some(0), 0), (Some(3), 3), (None, 4)] {
        let mut rig = Rig::new(Options { worktrees_ahead: wanted, ..Options::default() });
        for n in 1..=made {
            assert_eq!(rig.under_way(), [(false, n)], "{wanted:?}");
            rig.one_more(&format!("/w/{n}/p"));
        }
        assert_eq!(rig.under_way(), [], "{wanted:?}");
    }
}

#[test]
fn what_does_not_work_once_is_left_to_the_tasks() {
    let mut rig = Rig::new(Options::default());
    rig.prepared(Err("no space left".into()));
    assert_eq!((rig.under_way(), rig.opening()), (vec![], None));
    let mut rig = Rig::new(Options::default());
    rig.prepared(Ok("/w/1/p".into()));
    rig.opened(Err(refused()));
    assert_eq!((rig.under_way(), rig.core.folders.len()), (vec![], 0));
}

#[test]
fn a_task_is_given_what_is_ready_and_never_what_is_being_made_ready() {
    let mut rig = Rig::new(Options { workers: 3, ..Options::default() });
    rig.one_more("/w/1/p");
    assert_eq!(rig.under_way(), [(false, 2)]);
    rig.plan(&["T1", "T2"]);
    let given: Vec<u32> = rig.under_way().into_iter().filter(|(task, _)| *task).map(|(_, n)| n).collect();
    assert_eq!(given, [1, 3]);
    // It comes to its end, and nothing further is made ready beside the work.
    rig.prepared(Ok("/w/2/p".into()));
    rig.opened(Ok(()));
    assert!(rig.under_way().iter().all(|(task, _)| *task), "{:?}", rig.under_way());
}

#[test]
fn conversations_in_open_folders_are_counted_apart() {
    let mut rig = Rig::new(Options { worktrees_ahead: Some(1), ..Options::default() });
    rig.one_more("/w/1/p");
    rig.plan(&["T1", "T2"]);
    for (number, path) in [(1, "/w/1/p"), (2, "/w/2/p")] {
        let given = |a: &Action| matches!(a, Action::Trees { work: TreeWork::Give { number: n, .. }, .. } if *n == number);
        let place = rig.owed.iter().position(given).expect("it is on its way");
        let Action::Trees { round, work: TreeWork::Give { task, number, onto, .. }, .. } =
            rig.owed.remove(place)
        else {
            unreachable!()
        };
        let done = TreeDone::Given { task, number, base: onto, result: Ok(path.into()) };
        rig.step(Input::Trees(TreeNews { mission: id(), round, done }));
    }
    assert_eq!((rig.core.folders.hits, rig.core.folders.misses), (1, 1));
}

#[test]
fn a_task_is_given_the_worktree_of_the_one_it_depends_on() {
    let given_to_third = |depends_on: &str| {
        let rig = Rig::new(Options::default());
        let created = rig.core.mission(&id()).expect("it is there").created.clone();
        let spec = |task: &str, after: &[&str]| TaskSpec {
            id: task.into(),
            title: task.into(),
            description: String::new(),
            files: Vec::new(),
            depends_on: after.iter().map(|id| (*id).into()).collect(),
            capabilities: Vec::new(),
            priority: Priority::Normal,
            checks: Vec::new(),
            estimate_minutes: 1.0,
            mode: None,
            parent: None,
        };
        let plan = Plan {
            summary: String::new(),
            tasks: vec![spec("T1", &[]), spec("T2", &[]), spec("T3", &[depends_on])],
        };
        let state = |to| Event::StateChanged { to, reason: String::new() };
        let mut events = vec![
            Event::Created(created),
            state(MissionState::Queued),
            state(MissionState::Running),
            Event::Surveyed { checks: Vec::new(), tree: Some(TreeId("t0".into())), remark: None },
            Event::Baselined { results: Vec::new(), wrote: Vec::new() },
            Event::Briefed { brief: Brief::default(), source: BriefSource::User },
            Event::Planned { plan, source: PlanSource::Planner, remarks: Vec::new() },
            Event::PhaseChanged { to: Phase::Executing },
        ];
        for (number, task) in [(1, "T1"), (2, "T2")] {
            let (task, base) = (TaskId::new(task), TreeId("t0".into()));
            let path = format!("/w/{number}/p");
            events.push(Event::WorktreeGiven { task: Some(task.clone()), number, path, base });
            use TaskState::{Assigned, Completed, InProgress, InReview, Ready};
            let on_its_way = [Ready, Assigned, InProgress, InReview, Completed];
            events.extend(on_its_way.map(|to| Event::TaskChanged { task: task.clone(), to, note: None }));
        }
        let mut rig = Rig { core: Core::default(), owed: Vec::new() };
        let events = events.into_iter().map(|event| (Millis(500), event)).collect();
        rig.step(Input::Adopt { mission: id(), events, host_restarted: false });
        rig.under_way()
    };
    assert_eq!(given_to_third("T1"), [(true, 1)]);
    assert_eq!(given_to_third("T2"), [(true, 2)]);
}
