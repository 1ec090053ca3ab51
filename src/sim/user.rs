//! The user, and the machine under him: requests, second thoughts, restarts, and the end of all that.
use super::mutation::Mutation;
use super::turns;
use super::{Epoch, Sim};
use crate::domain::ids::{Directory, MissionId, Role, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::todo::{Edit, TodoState};
use crate::engine::handle::{Control, Created, Options, Refusal, RollbackAsk, Scope, Subject};
use std::sync::Arc;

/// One request: typed, accepted or refused, and the turn that follows.
pub async fn request(sim: Arc<Sim>, n: usize) {
    sim.pause(0, 120_000).await;
    let (process, directory, session, options) = {
        let mut world = sim.world.lock();
        let process = if sim.sidecars.len() > 1 && world.rng.chance(300) { 1 } else { 0 };
        let directory = world.rng.pick(&sim.directories).clone();
        let session = world.make_session(Role::Commander, None);
        let budget = budget(sim.seed, n as u64);
        world.mirror.budgets.extend(budget.map(|tokens| (format!("Number {n}"), tokens)));
        let heard = if world.mutated(Mutation::BudgetIgnored) { None } else { budget };
        let of_tasks = task_budget(sim.seed, n as u64);
        world.mirror.task_budgets.extend(of_tasks.map(|tokens| (format!("Number {n}"), tokens)));
        let task_budget_tokens = of_tasks.filter(|_| !world.mutated(Mutation::TaskBudgetIgnored));
        let options = Options {
            budget_tokens: heard,
            task_budget_tokens,
            workers: *world.rng.pick(&[1, 2, 10]),
            auto_resume: world.rng.chance(700),
            permission_timeout_ms: Some(60_000),
            // Not drawn, so that older seeds keep their course up to here.
            background: Some((sim.seed + n as u64).is_multiple_of(5)),
            worktrees: isolated(sim.seed, n as u64),
            race: raced(sim.seed, n as u64),
            follow: Some((sim.seed + n as u64).is_multiple_of(3)),
            permissions: rules(sim.seed),
            ..Options::default()
        };
        (process, directory, session, options)
    };
    let created = Created {
        directory: Directory(directory.clone()),
        worktree: directory,
        parent: session.clone(),
        text: format!("/task number {n}"),
        key: String::new(),
        title: format!("Number {n}"),
        options,
    };
    // A person tries again a few times.
    for attempt in 0..5 {
        sim.host_is_up(process).await;
        let created = Created { key: format!("key {n}.{attempt}"), ..created.clone() };
        let epoch = sim.hosts[process].get().number;
        let answer = tokio::select! {
            biased;
            () = sim.host_goes(process, epoch) => continue,
            answer = sim.sidecars[process].create(created) => answer,
        };
        match answer {
            Ok(mission) => {
                sim.note(format!("{mission} accepted for request {n}"));
                sim.world.lock().accepted.insert(mission.clone());
                let text = format!("/task number {n}: mission {mission} has been accepted.");
                return turns::prompt(&sim, process, &session, text);
            }
            Err(refusal) => sim.note(format!("request {n} refused: {refusal}")),
        }
        sim.pause(10_000, 300_000).await;
    }
}

/// What some of the missions of a third of the seeds may spend. Not drawn, so that the seeds that once found something
/// still play what they did.
fn budget(seed: u64, n: u64) -> Option<u64> {
    (seed.is_multiple_of(3) && n.is_multiple_of(2)).then(|| 300 + (seed / 3 + n * 7_919) % 2_000)
}

/// The same for a task with all its parts: from less than one turn to more than most need.
fn task_budget(seed: u64, n: u64) -> Option<u64> {
    (seed.wrapping_add(n) % 3 == 1).then(|| 100 + (seed / 3 + n * 104_729) % 1_200)
}

/// Some missions work in worktrees; not drawn either.
fn isolated(seed: u64, n: u64) -> Option<bool> {
    (seed / 2 + n).is_multiple_of(3).then_some(true)
}

/// In some each task is raced; not drawn either.
fn raced(seed: u64, n: u64) -> Option<u32> {
    (seed % 11 + n == 4).then_some(2 + (seed % 2) as u32)
}

/// Rules of the missions' own, in a quarter of the seeds; not drawn either.
fn rules(seed: u64) -> Option<Vec<String>> {
    match seed % 8 {
        5 => Some(vec!["allow bash npm *".into()]),
        6 => Some(vec!["deny bash npm publish".into()]),
        _ => None,
    }
}

/// Second thoughts at random moments.
pub async fn meddle(sim: Arc<Sim>, every_ms: u64) {
    loop {
        sim.pause(every_ms / 2, every_ms * 3 / 2).await;
        let (mission, act) = {
            let mut world = sim.world.lock();
            let missions: Vec<_> = world.accepted.iter().cloned().collect();
            if missions.is_empty() {
                continue;
            }
            (world.rng.pick(&missions).clone(), world.rng.range(0, 11))
        };
        // Not drawn, so that the other seeds play what they did.
        if sim.seed % 7 == 6 && act % 3 == 0 {
            // The last task that was missing takes an ended mission up again.
            *sim.world.lock().retries.entry(mission.clone()).or_default() += 1;
            let accept = |subject| Control::Accept { subject, by: "the user", reason: "good enough".into() };
            control(&sim, &mission, accept(Subject::Whole)).await;
            control(&sim, &mission, accept(Subject::Task(TaskId(format!("T{}", act / 3 + 1))))).await;
        }
        if sim.seed % 7 == 6 {
            let mut all = sim.todo.get();
            all.entry(mission.0.clone()).or_default().push(line(act));
            sim.todo.set(all);
            sim.note(format!("{mission}: the plan file is edited"));
        }
        match act {
            0 => control(&sim, &mission, Control::Cancel { by: "the user" }).await,
            1 | 2 => {
                // Not drawn, like what follows for other seeds.
                let order = if sim.seed % 5 == 4 { Control::Suspend } else { Control::Pause };
                control(&sim, &mission, order).await;
                sim.pause(1_000, 200_000).await;
                control(&sim, &mission, Control::Resume).await;
            }
            3 => control(&sim, &mission, steer(sim.seed)).await,
            4 | 5 => {
                *sim.world.lock().retries.entry(mission.clone()).or_default() += 1;
                control(&sim, &mission, Control::Retry).await;
            }
            6 => escape(&sim, &mission),
            7 => talk(&sim, &mission),
            8 => {
                control(&sim, &mission, Control::Pause).await;
                let checkpoint = sim.world.lock().rng.range(1, 30) as u32;
                let files = checkpoint % 2 == 1;
                control(&sim, &mission, Control::Restore { checkpoint, files }).await;
                control(&sim, &mission, Control::Resume).await;
            }
            9 => take_back(&sim, &mission).await,
            _ => edit(&sim, &mission),
        }
    }
}

/// A word to all, or to one of them; in a part of the seeds at once.
fn steer(seed: u64) -> Control {
    let task = seed.is_multiple_of(2).then(|| TaskId(format!("T{}", seed % 3 + 1)));
    Control::Steer { text: "hurry".into(), task, now: seed % 3 == 1 }
}

/// A change of the plan file.
fn line(act: u64) -> Edit {
    let id = format!("T{}", act % 4 + 1);
    match act % 6 {
        0 => Edit::Marked { id, state: TodoState::Done },
        1 if act > 6 => {
            let depends_on = if act % 2 == 1 { vec!["T1".into()] } else { Vec::new() };
            Edit::Rearranged { id, files: vec!["b.js".into()], depends_on }
        }
        1 | 2 => Edit::Marked { id, state: TodoState::Open },
        3 => Edit::Marked { id, state: TodoState::Skipped },
        4 => Edit::Reworded { id, title: format!("Part {act}, otherwise") },
        _ if act > 6 => Edit::Removed { id },
        _ => {
            let title = format!("More, {act}");
            Edit::Added { id: None, title, files: vec!["c.js".into()], depends_on: vec!["T1".into()] }
        }
    }
}

/// A checkpoint, or files that are taken back and at times brought again.
async fn take_back(sim: &Sim, mission: &MissionId) {
    let what = sim.world.lock().rng.range(0, 5);
    let scope = match what {
        0 | 1 => return control(sim, mission, Control::Checkpoint).await,
        2 => Scope::Mission,
        3 => Scope::Undo,
        4 => Scope::Task("T1".into()),
        _ => Scope::Checkpoint(sim.world.lock().rng.range(1, 30) as u32),
    };
    let ask = |scope| RollbackAsk { scope, dry_run: false, force: false, with_state: false };
    control(sim, mission, Control::Pause).await;
    sim.pause(1_000, 60_000).await;
    control(sim, mission, Control::Rollback { ask: ask(scope) }).await;
    if what == 2 {
        control(sim, mission, Control::Rollback { ask: ask(Scope::Undo) }).await;
    }
    control(sim, mission, Control::Resume).await;
}

async fn control(sim: &Sim, mission: &MissionId, control: Control) {
    for sidecar in &sim.sidecars {
        if !sim.host_up(sidecar.process) {
            continue;
        }
        let answer = sidecar.control(mission, &control).await;
        sim.note(format!("{mission} {control:?}: {answer:?}"));
        if !matches!(answer, Err(Refusal::NotFound(_))) {
            return;
        }
    }
}

/// Esc in the conversation.
fn escape(sim: &Arc<Sim>, mission: &MissionId) {
    let parent = sim.world.lock().mirror.missions.get(mission).map(|k| k.mission.parent.clone());
    if let Some(parent) = parent {
        sim.note(format!("Esc in {parent}"));
        turns::abort(sim, 0, &parent);
    }
}

/// A word in the conversation, when it is quiet there.
fn talk(sim: &Arc<Sim>, mission: &MissionId) {
    let parent = sim.world.lock().mirror.missions.get(mission).map(|k| k.mission.parent.clone());
    if let Some(parent) = parent {
        let free = !sim.world.lock().turns.keys().any(|(_, session)| *session == parent);
        if free && sim.host_up(0) {
            turns::prompt(sim, 0, &parent, "What do you think?".into());
        }
    }
}

fn edit(sim: &Sim, mission: &MissionId) {
    let mut world = sim.world.lock();
    let place = world.mirror.missions.get(mission).map(|k| k.mission.place().to_owned());
    if let Some(place) = place {
        let written = world.write(&place, "b.js", false);
        world.by_user.insert(written);
        world.note(sim.elapsed(), "the user wrote b.js");
    }
}

/// Takes up whatever is paused, as a user does who comes back.
pub async fn resume_all(sim: &Arc<Sim>) {
    let paused: Vec<_> = {
        let world = sim.world.lock();
        let paused = |s: MissionState| s == MissionState::Paused;
        world
            .mirror
            .missions
            .values()
            .filter(|k| paused(k.mission.state))
            .map(|k| k.mission.id.clone())
            .collect()
    };
    for mission in paused {
        control(sim, &mission, Control::Resume).await;
    }
}

// ---- the machine

pub async fn crash_at_random(sim: Arc<Sim>, every_ms: u64) {
    loop {
        sim.pause(1, every_ms * 2).await;
        let process = sim.any_process();
        if sim.sidecars[process].crash() {
            sim.note(format!("the sidecar of host {process} is killed"));
        }
    }
}

/// The host's process goes, in order or not, and comes again after a while.
pub async fn restart_at_random(sim: Arc<Sim>, every_ms: u64) {
    loop {
        sim.pause(1, every_ms * 2).await;
        let process = sim.any_process();
        restart(&sim, process).await;
    }
}

async fn restart(sim: &Arc<Sim>, process: usize) {
    sim.note(format!("host {process} goes"));
    sim.world.lock().stats.restarts += 1;
    let epoch = sim.hosts[process].get();
    sim.hosts[process].set(Epoch { up: false, ..epoch });
    turns::kill_all(sim, process);
    let sidecar = &sim.sidecars[process];
    if sim.world.lock().rng.chance(500) {
        sidecar.stop().await;
    } else {
        sidecar.crash();
    }
    sidecar.unwanted();
    sim.pause(1_000, 300_000).await;
    start(sim, process);
}

pub fn start(sim: &Arc<Sim>, process: usize) {
    sim.note(format!("host {process} comes"));
    let number = sim.hosts[process].get().number + 1;
    sim.hosts[process].set(Epoch { number, up: true });
    // One look at the markers tells whether a sidecar is needed.
    let marked = !sim.world.lock().markers.is_empty();
    if marked {
        sim.sidecars[process].want();
    }
}

/// One process gets nowhere for a while, and a user looks in at another.
pub async fn stall_at_random(sim: Arc<Sim>, every_ms: u64) {
    loop {
        sim.pause(1, every_ms * 2).await;
        let process = sim.any_process();
        let ms = sim.world.lock().rng.range(5_000, 90_000);
        sim.note(format!("the store of host {process} does not answer for {ms} ms"));
        let until = sim.elapsed() + ms;
        sim.world.lock().stalled_until.insert(process, until);
        sim.pause(15_000, 30_000).await;
        for other in sim.sidecars.iter().filter(|s| s.process != process) {
            other.look_in(&sim).await;
        }
    }
}

pub async fn jump_at_random(sim: Arc<Sim>, every_ms: u64) {
    loop {
        sim.pause(1, every_ms * 2).await;
        let mut world = sim.world.lock();
        let forward = world.rng.chance(500);
        let by = world.rng.range(1, 7_200_000) as i64;
        world.jump_ms += if forward { by } else { -by };
        let by = if forward { by } else { -by };
        world.note(sim.elapsed(), format!("the wall clock jumps by {by} ms"));
    }
}
