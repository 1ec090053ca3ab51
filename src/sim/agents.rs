//! What the models of a run do: mostly their job, at times something else. They know only what they are told: the text of
//! the prompt and the answers of the tools.
use super::Sim;
use super::mutation::Mutation;
use super::place_ports::CHECK;
use super::turns::{Permitted, Speaker};
use crate::domain::ids::{HostSessionId, Role};
use crate::domain::plan::{Draft, DraftTask};
use crate::domain::verdict::Finding;
use crate::engine::core::event::AttemptKind;
use crate::engine::handle::{HostInput, NotePut, ReportStatus, ToolInput};
use crate::ports::host::{CallState, HostFault};

/// How a note begins that names its mission.
pub const NOTE: &str = "a note of mission ";

/// Few files, so that tasks meet.
const FILES: &[&str] = &["a.js", "b.js", "c.js", "src/d.js", "src/e.js"];
const PATTERNS: &[&str] = &["a.js", "b.js", "c.js", "src/d.js", "src/*", "**/*.js"];

pub async fn turn(me: &Speaker, role: Role, text: &str) {
    if role != Role::Commander && trouble(me).await {
        return;
    }
    match role {
        Role::Commander => commander(me, text).await,
        Role::Planner => planner(me, text).await,
        Role::Worker => worker(me, text).await,
        Role::Reviewer => reviewer(me, text).await,
    }
}

fn roll(me: &Speaker, low: u64, high: u64) -> u64 {
    me.sim.world.lock().rng.range(low, high)
}

/// How long the host waits each time before it tries a turn again.
const AGAIN_MS: [u64; 5] = [2_000, 2_000, 5_000, 11_000, 18_000];

/// The provider answers nobody for a time between some seconds and half an hour. True when the host has given the turn up.
async fn outage(me: &Speaker) -> bool {
    let now = me.sim.elapsed();
    {
        let mut world = me.sim.world.lock();
        let odds = world.odds.outage;
        if world.rng.chance(odds) && world.outage_until < now {
            world.outage_until = now + world.rng.range(5_000, 1_800_000);
        }
    }
    let down = || me.sim.elapsed() < me.sim.world.lock().outage_until;
    for ms in AGAIN_MS {
        if !down() {
            return false;
        }
        me.wait_for_provider(ms).await;
    }
    let lost = down();
    if lost {
        let status = *me.sim.world.lock().rng.pick(&[429, 503]);
        let fault = HostFault { name: "APIError".into(), message: "down".into(), status: Some(status) };
        me.end_message("stop", Some(fault));
    }
    lost
}

/// What goes wrong with the provider; true when it ended the turn.
async fn trouble(me: &Speaker) -> bool {
    let (error, limited, hangs, long) = {
        let mut world = me.sim.world.lock();
        let odds = world.odds.clone();
        let rng = &mut world.rng;
        (
            rng.chance(odds.provider_error),
            rng.chance(odds.rate_limit),
            rng.chance(odds.turn_hangs),
            rng.chance(odds.long_call),
        )
    };
    me.think(500, 5_000).await;
    if outage(me).await {
        return true;
    }
    if limited {
        me.wait_for_provider(roll(me, 1_000, 120_000)).await;
    }
    if hangs {
        std::future::pending::<()>().await;
    }
    if long {
        me.own_tool("bash", 60_000, 1_200_000).await;
    }
    let asks = {
        let mut world = me.sim.world.lock();
        let odds = world.odds.permission;
        world.rng.chance(odds)
    };
    if asks {
        match me.permission().await {
            Permitted::Yes => {}
            Permitted::No => me.think(100, 1_000).await,
            Permitted::TurnEnds => {
                me.end_message("tool-calls", None);
                return true;
            }
        }
    }
    if error {
        let (name, status) = *me.sim.world.lock().rng.pick(&[
            ("APIError", 429),
            ("APIError", 503),
            ("ProviderAuthError", 401),
            ("MessageOutputLengthError", 200),
        ]);
        let fault = HostFault { name: name.into(), message: "simulated".into(), status: Some(status) };
        me.think(100, 1_000).await;
        me.end_message("stop", Some(fault));
    }
    error
}

/// The conversation of the user. A request that names a mission is `/task`; anything else is talk.
async fn commander(me: &Speaker, text: &str) {
    me.think(500, 10_000).await;
    let asked = text.starts_with("/task");
    match roll(me, 0, 9) {
        _ if !asked => me.say("Indeed.").await,
        0 => me.say("I would rather talk.").await,
        _ => {
            let input =
                ToolInput::Mission { brief: text.into(), acceptance: Vec::new(), constraints: Vec::new() };
            let report = me.tool("mission", input).await.unwrap_or_else(|refusal| refusal);
            me.say(&report).await;
        }
    }
}

async fn planner(me: &Speaker, text: &str) {
    me.think(1_000, 20_000).await;
    if text.starts_with("Plan the rest") && roll(me, 0, 4) > 0 {
        let draft = anew(me, text);
        let _ = me.tool("submit_plan", ToolInput::Plan(draft)).await;
        return me.say("Planned anew.").await;
    }
    match roll(me, 0, 11) {
        0 => return me.say("Here is the plan: do it well.").await,
        1 => {
            let fault = "tasks: not a list".into();
            let _ = me.tool("submit_plan", ToolInput::Malformed { tool: "submit_plan".into(), fault }).await;
        }
        2 | 3 => {
            let bad = bad_plan(me);
            let _ = me.tool("submit_plan", ToolInput::Plan(bad)).await;
        }
        4 => {
            let plan = plan(me);
            let _ = me.tool("submit_plan", ToolInput::Plan(plan)).await;
        }
        _ => {}
    }
    me.think(500, 3_000).await;
    let plan = plan(me);
    let _ = me.tool("submit_plan", ToolInput::Plan(plan)).await;
    me.say("Planned.").await;
}

fn plan(me: &Speaker) -> Draft {
    let seed = me.sim.seed;
    let mut world = me.sim.world.lock();
    let rng = &mut world.rng;
    let count = rng.range(1, 6);
    let tasks = (1..=count).map(|n| DraftTask {
        id: format!("T{n}"),
        title: format!("Part {n} of the work"),
        description: "Do this part.".into(),
        files: (0..rng.range(0, 2)).map(|_| (*rng.pick(PATTERNS)).to_owned()).collect(),
        depends_on: (1..n).filter(|_| rng.chance(300)).map(|d| format!("T{d}")).collect(),
        priority: Some((*rng.pick(&["high", "normal", "low"])).to_owned()),
        // Races are not drawn, so that the other seeds keep their course.
        mode: rng
            .chance(120)
            .then(|| "fractal".into())
            .or((seed % 5 == 3 && n % 2 == 1).then(|| "race".into())),
        checks: if rng.chance(300) { vec![CHECK.into()] } else { Vec::new() },
        ..DraftTask::default()
    });
    Draft { summary: "in parts".into(), tasks: tasks.collect(), ..Draft::default() }
}

/// Some of the tasks that have not begun otherwise, some dropped, and some new.
fn anew(me: &Speaker, text: &str) -> Draft {
    let open = text.split("that have not begun:\n").nth(1).unwrap_or_default();
    let ids = open.lines().filter_map(|line| Some(line.strip_prefix("- ")?.split_once(':')?.0.to_owned()));
    let mut world = me.sim.world.lock();
    let n = world.id();
    let rng = &mut world.rng;
    let mut draft = Draft { summary: "otherwise".into(), ..Draft::default() };
    let task = |id: String, file: &str| DraftTask {
        title: format!("Part {id}, otherwise"),
        id,
        files: vec![file.into()],
        ..DraftTask::default()
    };
    for id in ids {
        match rng.range(0, 3) {
            0 => draft.drop.push(id),
            1 => draft.tasks.push(task(id, rng.pick::<&str>(PATTERNS))),
            _ => {}
        }
    }
    if rng.chance(400) {
        draft.tasks.push(task(format!("N{n}"), rng.pick::<&str>(PATTERNS)));
    }
    draft
}

fn bad_plan(me: &Speaker) -> Draft {
    let mut draft = plan(me);
    match roll(me, 0, 2) {
        0 => draft.tasks[0].depends_on = vec!["T1".into()],
        1 => draft.tasks[0].depends_on = vec!["T99".into()],
        _ => draft.tasks[0].files = vec!["../outside".into()],
    }
    draft
}

async fn worker(me: &Speaker, text: &str) {
    let Some((place, declared)) = surroundings(me, text) else { return me.say("Where am I?").await };
    // Not drawn, as the user's orders of these seeds are not.
    if me.sim.seed % 7 == 6 {
        me.think(100, 100).await;
        me.sim.emit(me.process, HostInput::ShellRan { session: me.session.clone() });
    }
    let mut denied = false;
    if text.contains("sent back") || text.contains("Mend what") {
        for path in broken_files(me, &place) {
            denied |= !me.write(&place, &path, false).await;
        }
    }
    for _ in 0..roll(me, 1, 4) {
        me.think(500, 15_000).await;
        let (path, broken) = {
            let mut world = me.sim.world.lock();
            let stray = declared.is_empty() || world.rng.chance(200);
            let path = (*world.rng.pick(FILES)).to_owned();
            let path = if stray { path } else { world.rng.pick(&declared).clone() };
            (path, world.rng.chance(40))
        };
        denied |= !me.write(&place, &path, broken).await;
    }
    if roll(me, 0, 4) == 0 {
        note(me).await;
    }
    let status = match roll(me, 0, 19) {
        0 => return me.say("All done, I think.").await,
        1 => return me.say(&format!("REPORT by {}", me.session)).await,
        2 if denied => ReportStatus::Blocked,
        3 => ReportStatus::Partial,
        _ => ReportStatus::Done,
    };
    let report = report(&me.session, status);
    let _ = me.tool("submit_report", report.clone()).await;
    if roll(me, 0, 14) == 0 {
        let _ = me.tool("submit_report", report).await;
    }
    // Some go on although they were told to stop.
    if roll(me, 0, 9) == 0 {
        me.write(&place, "a.js", false).await;
    }
    me.say("Done.").await;
}

/// A note that says whose it is.
async fn note(me: &Speaker) {
    let mission = me.sim.world.lock().mirror.attempt_of(&me.session).map(|(kept, _)| kept.mission.id.clone());
    let (n, of_task) = (roll(me, 1, 4), roll(me, 0, 2) == 0);
    let value = mission.map(|mission| format!("{NOTE}{mission}."));
    let expected = (roll(me, 0, 1) == 0).then_some(0);
    let put = NotePut { key: format!("part.{n}"), value, of_task, expected };
    let _ = me.tool("context_put", ToolInput::ContextPut(put)).await;
    let _ = me.tool("context_get", ToolInput::ContextGet { key: None }).await;
}

fn broken_files(me: &Speaker, place: &str) -> Vec<String> {
    let mut world = me.sim.world.lock();
    let files = &world.place(place).files;
    files.iter().filter(|(_, content)| content.broken).map(|(path, _)| path.clone()).collect()
}

fn report(session: &HostSessionId, status: ReportStatus) -> ToolInput {
    ToolInput::Report { status, summary: format!("done by {session}"), files: Vec::new(), notes: None }
}

/// The project, and the declared files that are plain names.
fn surroundings(me: &Speaker, text: &str) -> Option<(String, Vec<String>)> {
    let world = me.sim.world.lock();
    let (kept, attempt) = world.mirror.attempt_of(&me.session)?;
    let folder = world.sessions.get(&me.session).and_then(|c| c.folder.clone());
    let place = folder.unwrap_or_else(|| kept.mission.place().to_owned());
    let listed = text.lines().find_map(|l| l.strip_prefix("Files of this task: "));
    let mut files: Vec<String> = match (listed, &attempt.kind) {
        (Some(listed), _) => listed.split(", ").map(str::to_owned).collect(),
        // Sent back or taken up again: it remembers.
        (None, AttemptKind::Work(task)) => kept.mission.task(task).map(|t| t.spec.files.clone())?,
        _ => Vec::new(),
    };
    for file in &mut files {
        *file = file.replace("src/*", "src/e.js").replace("**/*.js", "b.js");
    }
    Some((place, files))
}

async fn reviewer(me: &Speaker, text: &str) {
    // Told only once, and forgotten by who is reminded: so there are comparisons that end without a choice.
    let choice = text.split_once("`choice` one of ").and_then(|(_, names)| {
        let names: Vec<_> = names.split(", and say").next()?.split(", ").collect();
        Some(names[me.sim.seed as usize % names.len()].to_owned())
    });
    me.think(1_000, 20_000).await;
    let review = |approved| ToolInput::Review {
        approved,
        summary: format!("seen by {}", me.session),
        findings: if approved { Vec::new() } else { vec![Finding::of("high", "not good enough")] },
        choice: choice.clone(),
    };
    match roll(me, 0, 19) {
        0 => return me.say("Looks fine to me.").await,
        1 => return me.say(&format!("APPROVE by {}", me.session)).await,
        2..=4 => {
            let _ = me.tool("submit_review", review(false)).await;
        }
        5 => {
            let _ = me.tool("submit_review", review(true)).await;
            let _ = me.tool("submit_review", review(false)).await;
        }
        _ => {
            let _ = me.tool("submit_review", review(true)).await;
        }
    }
    me.say("Reviewed.").await;
}

/// Reads a submission out of last words, as the plugin's service does.
pub fn salvage(role: Role, text: &str) -> Option<ToolInput> {
    match role {
        Role::Worker => {
            let session = text.strip_prefix("REPORT by ")?;
            Some(report(&HostSessionId(session.into()), ReportStatus::Done))
        }
        Role::Reviewer => Some(ToolInput::Review {
            approved: true,
            summary: text.strip_prefix("APPROVE by ").map(|s| format!("seen by {s}"))?,
            findings: Vec::new(),
            choice: None,
        }),
        Role::Commander | Role::Planner => None,
    }
}

/// Whose call a tool call counts as: its own session's, unless a planted bug says otherwise.
pub fn credited(sim: &Sim, session: &HostSessionId) -> HostSessionId {
    if !sim.mutated(Mutation::ClosedAttemptHeard) {
        return session.clone();
    }
    let world = sim.world.lock();
    let live = world.mirror.attempt_of(session).and_then(|(kept, mine)| {
        let same = kept.mission.open_attempts().find(|a| a.role() == mine.role() && !mine.open())?;
        same.session.clone()
    });
    live.unwrap_or_else(|| session.clone())
}

/// The engine has answered a call; the host does not have the result yet.
pub fn answered(me: &Speaker, call: &str) {
    if me.sim.mutated(Mutation::EarlyHandBack)
        && let Some(life) = me.sim.sidecars[me.process].now()
    {
        let (session, call) = (me.session.clone(), call.to_owned());
        life.handle.events(vec![HostInput::ToolMoved { session, call, state: CallState::Completed }]);
    }
}
