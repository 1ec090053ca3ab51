//! A mission in worktrees on a real repository while its user edits at random moments: between verdict and merge, between
//! merge and the gate of the whole, and just before the result is put into the files.
//!
//! Every edit of the user's brings a word of its own, so that a lost edit is a lost word; every task does too. What must
//! hold is looked at before each thing that is done with trees, and at the end.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gantry::domain::plan::{Draft, DraftTask};
use gantry::engine::core::event::{Event, Options, Scope, Subject};
use gantry::engine::handle::RollbackAsk;
use parking_lot::Mutex;
use proptest::prelude::*;
use xtask::lab::sample::git;

use crate::git_rig::{GitRig, write};

const FILES: [&str; 3] = ["a.txt", "b.txt", "c.txt"];
/// What each task changes: file, line, and the word that it puts there.
const WORK: [(&str, &str, &str, &str); 5] = [
    ("T1", "a.txt", "head", "work-1a"),
    ("T1", "b.txt", "head", "work-1b"),
    ("T2", "b.txt", "end", "work-2b"),
    ("T3", "a.txt", "end", "work-3a"),
    ("T3", "c.txt", "middle", "work-3c"),
];

fn text() -> String {
    "head\n1\n2\n3\n4\nmiddle\n5\n6\n7\n8\nend\n".into()
}

#[derive(Clone, Debug)]
enum Edit {
    /// A new line before the one with this number, in one of the files.
    Line {
        file: usize,
        at: usize,
    },
    /// The line is another one now: may contradict a task.
    Instead {
        file: usize,
        at: usize,
    },
    New,
    Delete {
        file: usize,
    },
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (0..3usize, 0..11usize).prop_map(|(file, at)| Edit::Line { file, at }),
        2 => (0..3usize, 0..11usize).prop_map(|(file, at)| Edit::Instead { file, at }),
        2 => Just(Edit::New),
        1 => (0..3usize).prop_map(|file| Edit::Delete { file }),
    ]
}

#[derive(Default)]
struct User {
    project: PathBuf,
    /// Edits to come, by the number of the step before which they are made.
    edits: BTreeMap<usize, Edit>,
    steps: usize,
    words: usize,
    /// The user's words, and the file that each is in.
    mine: BTreeMap<String, String>,
    deleted: BTreeSet<String>,
    /// A result was about to be put into the files.
    applied: bool,
    breaches: Vec<String>,
}

impl User {
    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.project.join(name)).ok()
    }

    fn step(&mut self, what: &str) {
        self.look(what);
        self.applied |= what == "apply";
        self.steps += 1;
        if let Some(edit) = self.edits.remove(&self.steps) {
            self.make(&edit);
        }
    }

    fn make(&mut self, edit: &Edit) {
        self.words += 1;
        let word = format!("user-{}", self.words);
        match edit {
            Edit::New => {
                let name = format!("mine-{}.txt", self.words);
                write(&self.project.join(&name), &format!("{word}\n"));
                self.mine.insert(word, name);
            }
            Edit::Delete { file } => {
                let name = FILES[*file];
                let _ = std::fs::remove_file(self.project.join(name));
                self.mine.retain(|_, at| at != name);
                self.deleted.insert(name.into());
            }
            Edit::Line { file, at } | Edit::Instead { file, at } => {
                let name = FILES[*file];
                // The user does not write into what he has deleted.
                let Some(text) = self.read(name) else { return };
                let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                let at = (*at).min(lines.len());
                if matches!(edit, Edit::Instead { .. }) && at < lines.len() {
                    let gone = lines.remove(at);
                    self.mine.retain(|word, _| *word != gone);
                }
                lines.insert(at, word.clone());
                write(&self.project.join(name), &(lines.join("\n") + "\n"));
                self.mine.insert(word, name.into());
            }
        }
    }

    /// Words of tasks that are in the user's files.
    fn work(&self) -> Vec<&'static str> {
        let has = |file: &str, word: &str| self.read(file).is_some_and(|text| text.contains(word));
        WORK.iter().filter(|(_, file, _, word)| has(file, word)).map(|(.., word)| *word).collect()
    }

    fn look(&mut self, when: &str) {
        let mut found = Vec::new();
        for (word, file) in &self.mine {
            let there = self.read(file).is_some_and(|text| text.lines().any(|line| line == word));
            if !there {
                found.push(format!("{when} {}: {word} is lost from {file}", self.steps));
            }
        }
        for file in self.deleted.iter().filter(|file| self.read(file).is_some()) {
            found.push(format!("{when} {}: {file} is there again", self.steps));
        }
        if FILES.iter().any(|file| self.read(file).is_some_and(|text| text.contains("broken"))) {
            found.push(format!("{when} {}: what the check fails on is in the user's files", self.steps));
        }
        if !self.applied && !self.work().is_empty() {
            found.push(format!("{when} {}: work is in the user's files before any landing", self.steps));
        }
        self.breaches.append(&mut found);
    }
}

fn plan() -> Draft {
    let task = |id: &str, files: &[&str], after: &[&str]| DraftTask {
        id: id.into(),
        title: format!("Part {id}"),
        description: "a part".into(),
        files: files.iter().map(ToString::to_string).collect(),
        depends_on: after.iter().map(ToString::to_string).collect(),
        ..DraftTask::default()
    };
    let tasks = vec![
        task("T1", &["a.txt", "b.txt"], &[]),
        task("T2", &["b.txt"], &[]),
        task("T3", &["a.txt", "c.txt"], &["T1"]),
    ];
    Draft { summary: "three parts".into(), tasks, ..Draft::default() }
}

/// One task's first attempt is broken, where there is one.
fn work(broken: Option<usize>) -> crate::git_rig::Work {
    Box::new(move |task: &str, turn: u32, folder: &Path| {
        for (_, file, line, word) in WORK.iter().filter(|(of, ..)| *of == task) {
            let at = folder.join(file);
            // Not where the user has deleted it meanwhile.
            let Ok(text) = std::fs::read_to_string(&at) else { continue };
            let bad = turn == 1 && broken.is_some_and(|n| task == format!("T{n}"));
            let text = text.replace("broken\n", "");
            let text = if text.contains(word) { text } else { text.replacen(line, word, 1) };
            std::fs::write(at, if bad { text + "broken\n" } else { text }).expect("written");
        }
    })
}

async fn play(
    edits: Vec<(usize, Edit)>,
    broken: Option<usize>,
    late: Option<Edit>,
) -> Result<(), TestCaseError> {
    let user = Arc::new(Mutex::new(User { edits: edits.into_iter().collect(), ..User::default() }));
    let stepping = user.clone();
    let text = text();
    let files = [
        ("check.sh", "! grep -n broken a.txt b.txt c.txt\n"),
        ("a.txt", &text),
        ("b.txt", &text),
        ("c.txt", &text),
    ];
    let rig = GitRig::new(&files, plan(), work(broken), Box::new(move |what| stepping.lock().step(what)));
    user.lock().project = rig.project.clone();
    let (m, done) = rig.begin(Options::default()).await;
    rig.ended(&m, done).await;
    rig.until(&m, "the worktrees given up", |facts| {
        facts.iter().any(|(_, e)| matches!(e, Event::WorktreesReleased { .. }))
    })
    .await;

    let facts = rig.facts(&m).await;
    let mut approved = None;
    let mut landed = false;
    for (_, event) in &facts {
        match event {
            Event::Judged { subject: Subject::Whole, verdict } => {
                approved = verdict.tree.clone().filter(|_| verdict.approved);
            }
            Event::Landed { tree } => {
                prop_assert_eq!(Some(tree), approved.as_ref(), "only the very tree that was approved");
                landed = true;
            }
            _ => {}
        }
    }
    let breaches = |when: &str| {
        let mut user = user.lock();
        user.look(when);
        user.breaches.clone()
    };
    prop_assert_eq!(breaches("end"), Vec::<String>::new());
    let view = rig.engine.view(m.clone()).await.expect("there");
    if !landed {
        prop_assert!(user.lock().work().is_empty(), "{:?}", view.report);
        let branch = git(&rig.project, &["rev-parse", "--verify", &format!("refs/heads/gantry/{m}")]);
        prop_assert!(branch.is_ok(), "accepted work is on no branch: {:?}", view.report);
    }

    // And back: whatever the user wrote stays, or nothing is changed.
    late.iter().for_each(|edit| user.lock().make(edit));
    let state = || FILES.map(|file| rig.read(file));
    let before = state();
    let ask = |scope| RollbackAsk { scope, dry_run: false, force: false, with_state: false };
    let back = rig.engine.rollback(m.clone(), ask(Scope::Mission)).await;
    prop_assert_eq!(breaches("after the rollback"), Vec::<String>::new());
    if back.is_ok_and(|view| view.done) {
        prop_assert!(landed && user.lock().work().is_empty());
        if before != state() {
            rig.engine.rollback(m.clone(), ask(Scope::Undo)).await.expect("undone");
        }
    }
    prop_assert_eq!(before, state());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn only_what_was_verified_comes_into_the_users_files_and_no_edit_is_lost(
        edits in proptest::collection::vec((1..28usize, edit()), 0..6),
        broken in proptest::option::of(1..4usize),
        late in proptest::option::of(edit()),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(play(edits, broken, late))?;
    }
}
