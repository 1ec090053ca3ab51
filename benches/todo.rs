//! The plan file under writers of several processes: `cargo bench --bench todo`. Each figure is the time of one change as
//! its caller sees it, waits for the other writers and all flushes included.
//!
//! A flush belongs to the machine, so beside the changes stands what the same number of writers need who do nothing but
//! what cannot be left out: take a lock, write the text beside the file, flush it, rename it, flush the folder.
#![allow(clippy::print_stdout, reason = "a bench is read on the terminal")]
#![allow(clippy::disallowed_methods, reason = "the bench itself, as other processes")]
use gantry::adapters::todo::TodoFiles;
use gantry::domain::todo::{Document, TodoItem, TodoState};
use gantry::ports::workspace::{Todo, TodoPlan};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CHANGES: usize = 200;
/// Items of each writer: those of eight are as many as a plan may have tasks.
const ITEMS: usize = 25;
const MISSION: &str = "m1";

fn main() {
    let var = |name: &str| std::env::var(name).ok();
    if let (Some(job), Some(number), Some(folder)) =
        (var("TODO_BENCH_JOB"), var("TODO_BENCH_NUMBER"), var("TODO_BENCH_FOLDER"))
    {
        return writer(&job, number.parse().expect("a number"), Path::new(&folder));
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average: {}", load.trim());
    for processes in [1, 8] {
        // In turns, for the machine is not the same from one second to the next.
        for round in 1..=3 {
            println!("{processes} × {CHANGES}, round {round}");
            run("what cannot be left out", "floor", processes);
            run("changes of the plan", "change", processes);
        }
    }
}

fn run(what: &str, job: &str, processes: usize) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let project = folder.path().join("project");
    std::fs::create_dir_all(&project).expect("a project");
    let file = project.join("TODO.md");
    publish(folder.path(), project, processes);
    let began = Instant::now();
    let writers: Vec<_> = (0..processes)
        .map(|number| {
            Command::new(std::env::current_exe().expect("this program"))
                .env("TODO_BENCH_JOB", job)
                .env("TODO_BENCH_NUMBER", number.to_string())
                .env("TODO_BENCH_FOLDER", folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a process")
        })
        .collect();
    let mut times = Vec::new();
    for writer in writers {
        let output = writer.wait_with_output().expect("its end");
        assert!(output.status.success(), "a writer broke down");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        times.extend(text.lines().map(|line| line.parse::<u64>().expect("a time")));
    }
    let whole = began.elapsed();
    if job == "change" {
        no_change_is_lost(&file, processes);
    }
    times.sort_unstable();
    let at = |permille: usize| millis(times[(times.len() - 1) * permille / 1000]);
    println!(
        "  {what}: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms; {:.0} a second",
        at(500),
        at(950),
        at(990),
        at(1000),
        times.len() as f64 / whole.as_secs_f64()
    );
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

fn publish(folder: &Path, project: PathBuf, processes: usize) {
    let item = |id: String| TodoItem {
        title: format!("Title of {id}"),
        id,
        state: TodoState::Open,
        files: vec!["src/some/file.rs".into()],
        depends_on: Vec::new(),
    };
    let ids = (0..processes).flat_map(|number| (0..ITEMS).map(move |i| id(number, i)));
    let plan =
        TodoPlan { mission: MISSION.into(), title: "A mission".into(), items: ids.map(item).collect() };
    let todo = TodoFiles::new(folder.join("data"));
    runtime().block_on(todo.publish(project, "TODO.md".into(), plan, Vec::new())).expect("a plan file");
}

fn id(number: usize, i: usize) -> String {
    format!("P{number}.{i}")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn no_change_is_lost(file: &Path, processes: usize) {
    let document = Document::parse(&std::fs::read_to_string(file).expect("a plan file"));
    let items = document.items(MISSION);
    let lost = items.iter().filter(|item| item.state != TodoState::Done).count();
    assert_eq!((items.len(), lost), (processes * ITEMS, 0), "changes were lost");
    assert_eq!(document.version(), 1 + (processes * CHANGES) as u64, "an answer was not true");
}

// ---- one of the writers

fn writer(job: &str, number: usize, folder: &Path) {
    let file = folder.join("project/TODO.md");
    let times = match job {
        "change" => changes(number, folder, &file),
        _ => floor(folder, &file),
    };
    times.iter().for_each(|time| println!("{}", time.as_micros()));
}

fn changes(number: usize, folder: &Path, file: &Path) -> Vec<Duration> {
    let todo = TodoFiles::new(folder.join("data"));
    runtime().block_on(async {
        let mut times = Vec::new();
        for i in 0..CHANGES {
            // Each item is changed eight times; its last state is done.
            let state = [TodoState::Done, TodoState::Running][(i / ITEMS + 1) % 2];
            let states = vec![(id(number, i % ITEMS), state)];
            let began = Instant::now();
            todo.update(file.to_path_buf(), MISSION.into(), states, Vec::new()).await.expect("written");
            times.push(began.elapsed());
        }
        times
    })
}

fn floor(folder: &Path, file: &Path) -> Vec<Duration> {
    let text = std::fs::read(file).expect("a plan file");
    let lock: PathBuf = folder.join("lock");
    let temp = file.with_extension("tmp");
    let change = |_| {
        let began = Instant::now();
        let lock = File::create(&lock).expect("a lock");
        lock.lock().expect("the turn");
        let mut new = File::create(&temp).expect("a file");
        new.write_all(&text).expect("written");
        new.sync_data().expect("flushed");
        std::fs::rename(&temp, file).expect("renamed");
        drop(lock);
        File::open(file.with_file_name("")).and_then(|folder| folder.sync_all()).expect("flushed");
        began.elapsed()
    };
    (0..CHANGES).map(change).collect()
}
