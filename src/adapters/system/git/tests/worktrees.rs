//! Worktrees, merges and the way back into the project.
use super::*;
use crate::ports::worktrees::{Left, Merged, Move, Proposal, Worktrees};
use proptest::prelude::*;
use std::collections::BTreeMap;

impl Lab {
    pub(super) async fn give(&self, number: u32, tree: &TreeId, links: &[&str]) -> PathBuf {
        let links = links.iter().map(ToString::to_string).collect();
        let given = self.tree.give(self.root(), number, tree.clone(), tree.clone(), links).await;
        given.expect("a worktree")
    }

    /// The tree of the project with some files written (or, without a text, removed).
    pub(super) async fn tree_with(&self, from: &TreeId, files: &[(&str, Option<&str>)]) -> TreeId {
        let at = self.give(9, from, &[]).await;
        for (name, text) in files {
            match text {
                Some(text) => {
                    fs::create_dir_all(at.join(name).parent().expect("a folder")).expect("folders");
                    fs::write(at.join(name), text).expect("a file");
                }
                None => fs::remove_file(at.join(name)).expect("a removal"),
            }
        }
        self.hash_at(&at).await
    }

    async fn merge(&self, base: &TreeId, ours: &TreeId, theirs: &TreeId) -> Merged {
        let merged = self.tree.merge(self.root(), base.clone(), ours.clone(), theirs.clone()).await;
        merged.expect("a merge")
    }

    pub(super) async fn apply(&self, from: &TreeId, to: &TreeId) -> Move {
        self.tree.apply(self.root(), from.clone(), to.clone(), vec!["TODO.md".into()]).await.expect("a move")
    }

    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root().join(name)).ok()
    }
}

#[tokio::test]
async fn a_worktree_begins_with_what_is_not_committed_and_leaves_the_users_repository_alone() {
    let lab = Lab::committed();
    lab.write("a.txt", "edited, not committed\n");
    lab.write("new.txt", "not even added\n");
    lab.write("node_modules/dep/index.js", "dep\n");
    lab.write(".gitignore", "*.log\nnode_modules/\n");
    let base = lab.hash().await;
    let before = contents(&lab.root().join(".git"));
    let at = lab.give(1, &base, &["node_modules", "target"]).await;
    assert_eq!(fs::read_to_string(at.join("a.txt")).expect("a file"), "edited, not committed\n");
    assert_eq!(fs::read_to_string(at.join("node_modules/dep/index.js")).expect("a link"), "dep\n");
    assert!(!at.join("target").exists(), "the project has none");
    assert_eq!(git(&at, &["status", "--porcelain"]), "", "the worker's change is all that will show");
    assert_eq!(lab.hash_at(&at).await, base, "the link is no part of it");
    // What a worker may do to a repository.
    fs::write(at.join("a.txt"), "worked on\n").expect("a file");
    fs::write(at.join("made.txt"), "made\n").expect("a file");
    git(&at, &["stash"]);
    git(&at, &["stash", "pop"]);
    git(&at, &["checkout", "--quiet", "-b", "mine"]);
    commit(&at);
    let tree = lab.hash_at(&at).await;
    assert_eq!(lab.changed(&base, &tree).await, ["a.txt", "made.txt"]);
    assert_eq!(contents(&lab.root().join(".git")), before);
    assert_eq!(git(&lab.root(), &["worktree", "list"]).lines().count(), 1);
    assert!(lab.tree.confine(&at, "../../../../project/a.txt").is_err());
    assert!(lab.tree.confine(&at, "node_modules/dep/index.js").is_err(), "a link leads out of the worktree");
    fs::remove_dir_all(at.join(".git")).expect("a worker may remove it");
    assert_eq!(lab.hash_at(&at).await, tree, "the gate does not depend on it");
}

#[tokio::test]
async fn a_worktree_is_used_again_with_what_was_built_and_nothing_else() {
    let lab = Lab::committed();
    let base = lab.hash().await;
    let at = lab.give(1, &base, &[]).await;
    assert!(!lab.tree.is_set_up(&at, &["npm ci".into()]));
    lab.tree.set_up(&at, &["npm ci".into()]).expect("a stamp");
    fs::write(at.join("build.log"), "built\n").expect("a file");
    fs::write(at.join("left.txt"), "left over\n").expect("a file");
    fs::write(at.join("a.txt"), "left over\n").expect("a file");
    fs::remove_file(at.join("src/b.txt")).expect("a removal");
    fs::write(at.join(".git/index.lock"), "").expect("a lock");
    git(&at, &["branch", "left"]);
    let next = lab.tree_with(&base, &[("a.txt", Some("next\n"))]).await;
    assert_eq!(lab.give(1, &next, &[]).await, at, "the same path, for the host has it open");
    assert_eq!(lab.hash_at(&at).await, next);
    assert!(at.join("build.log").exists() && !at.join("left.txt").exists());
    assert_eq!(git(&at, &["branch", "--list", "left"]), "");
    assert!(lab.tree.is_set_up(&at, &["npm ci".into()]) && !lab.tree.is_set_up(&at, &["make".into()]));
    // What it was set up by is another: only then is it done again.
    let mut tree = next;
    for (name, again) in
        [("web/package-lock.json", true), ("requirements-dev.txt", true), ("lock.txt", false)]
    {
        lab.tree.set_up(&at, &["npm ci".into()]).expect("a stamp");
        tree = lab.tree_with(&tree, &[(name, Some("{}\n"))]).await;
        lab.give(1, &tree, &[]).await;
        assert_eq!(!lab.tree.is_set_up(&at, &["npm ci".into()]), again, "{name}");
    }
    // After the mission the next one finds a few, and what nobody used for a week is gone.
    lab.give(4, &base, &[]).await;
    lab.tree.release(lab.root()).await.expect("tidied");
    let slot = at.ancestors().nth(2).expect("a slot");
    assert!(at.exists() && !slot.with_file_name("4").exists());
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
    let given = fs::File::options().write(true).open(slot.join("given")).expect("its note");
    given.set_modified(old).expect("an age");
    // A mission below that was interrupted may go on after any time.
    let markers = crate::adapters::system::OpenMarkers::new(&lab.base.path().join("data"));
    markers.set(&lab.root().join("src"), true).expect("a marker");
    lab.tree.release(lab.root()).await.expect("tidied");
    assert!(at.exists());
    markers.set(&lab.root().join("src"), false).expect("no marker");
    lab.tree.release(lab.root()).await.expect("tidied");
    assert!(!at.exists());
}

/// A command that empties a folder must not empty the user's by a link that an earlier mission wanted.
#[tokio::test]
async fn links_of_an_earlier_mission_are_taken_away() {
    let lab = Lab::committed();
    fs::write(lab.root().join(".gitignore"), "node_modules\n").expect("a file");
    fs::create_dir(lab.root().join("node_modules")).expect("a folder");
    let base = lab.hash().await;
    let at = lab.give(1, &base, &["node_modules"]).await;
    assert!(at.join("node_modules").read_link().is_ok());
    lab.give(1, &base, &["node_modules"]).await;
    assert!(at.join("node_modules").read_link().is_ok());
    lab.give(1, &base, &[]).await;
    assert!(at.join("node_modules").symlink_metadata().is_err());
    // What a command of the mission put in its place stays.
    fs::create_dir(at.join("node_modules")).expect("a folder");
    lab.give(1, &base, &["node_modules"]).await;
    assert!(at.join("node_modules").is_dir() && at.join("node_modules").read_link().is_err());
}

#[tokio::test]
async fn no_name_of_a_project_gets_in_the_way_of_gantrys_own_files() {
    for name in ["settings", "index", "given", "sha1.git", "needs", "set-up", "links", "tree", "own"] {
        let lab = Lab::committed();
        let project = lab.base.path().join(name);
        fs::rename(lab.root(), &project).expect("a move");
        let base = lab.hash_at(&project).await;
        let given = lab.tree.give(project, 1, base.clone(), base.clone(), Vec::new()).await;
        let at = given.expect("a worktree");
        assert_eq!(at.file_name().expect("a name"), name);
        assert_eq!(lab.hash_at(&at).await, base, "{name}");
    }
}

#[tokio::test]
async fn a_project_without_git_has_worktrees_too() {
    let lab = Lab::new();
    lab.write("a.txt", "one\n");
    lab.write("node_modules/dep.js", "dep\n");
    let base = lab.hash().await;
    let at = lab.give(1, &base, &[]).await;
    assert!(!at.join(".git").exists(), "the host would take it for another project");
    fs::write(at.join("a.txt"), "two\n").expect("a file");
    let tree = lab.hash_at(&at).await;
    assert_eq!(lab.changed(&base, &tree).await, ["a.txt"]);
    assert_eq!(lab.apply(&base, &tree).await, Move::Done);
    assert_eq!(
        (lab.read("a.txt").as_deref(), lab.read("node_modules/dep.js").as_deref()),
        (Some("two\n"), Some("dep\n"))
    );
}

#[tokio::test]
async fn changes_are_put_together_or_shown_with_both_sides() {
    let lab = Lab::committed();
    lab.write("list.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    lab.write("CHANGES", "old\n");
    lab.write(".gitattributes", "CHANGES merge=union\n");
    let base = lab.hash().await;
    let text = |first: &str, last: &str| format!("{first}\n2\n3\n4\n5\n6\n7\n8\n{last}\n");
    let change = async |first: &str, last: &str, line: &str| {
        let (list, changes) = (text(first, last), format!("old\n{line}\n"));
        lab.tree_with(&base, &[("list.txt", Some(&list)), ("CHANGES", Some(&changes))]).await
    };
    let (top, end, other) = (
        change("one", "9", "top").await,
        change("1", "nine", "end").await,
        change("eins", "9", "other").await,
    );
    let both = lab.merge(&base, &top, &end).await;
    assert_eq!(both.conflicts, []);
    assert_eq!(both, lab.merge(&base, &top, &end).await, "safe to run twice");
    let read = lab.tree.read(lab.root(), both.tree, vec!["list.txt".into(), "CHANGES".into()]).await;
    assert_eq!(read.expect("texts"), [Some(text("one", "nine")), Some("old\ntop\nend\n".into())]);
    let against = lab.merge(&base, &top, &other).await;
    let paths: Vec<_> = against.conflicts.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["list.txt"]);
    assert_eq!(against.conflicts[0].message, "CONFLICT (content): Merge conflict in list.txt");
    let read =
        lab.tree.read(lab.root(), against.tree.clone(), vec!["list.txt".into()]).await.expect("a text");
    let shown = read[0].clone().expect("a text");
    assert!(shown.contains("<<<<<<< ") && shown.contains("one\n=======\neins\n>>>>>>> "), "{shown}");
    // The worker sees both sides as its own uncommitted work on what was accepted.
    let at =
        lab.tree.give(lab.root(), 1, top.clone(), against.tree.clone(), vec![]).await.expect("a worktree");
    assert_eq!(git(&at, &["diff", "--name-only"]), "CHANGES\nlist.txt");
    assert_eq!(lab.hash_at(&at).await, against.tree);
    for (ours, theirs) in [(&base, &top), (&top, &base), (&top, &top)] {
        assert_eq!(lab.merge(&base, ours, theirs).await.tree, top);
    }
}

#[tokio::test]
async fn the_result_goes_into_files_the_user_left_alone_and_nowhere_else() {
    let lab = Lab::committed();
    lab.write("TODO.md", "the plan\n");
    lab.write("a.txt", "dirty\n");
    let from = lab.tree.hash(lab.root(), vec!["TODO.md".into()]).await.expect("a tree");
    let to = lab
        .tree_with(
            &from,
            &[("a.txt", Some("result\n")), ("deep/new.txt", Some("new\n")), ("src/b.txt", None)],
        )
        .await;
    let before = contents(&lab.root().join(".git"));
    let state = || ["a.txt", "src/b.txt", "deep/new.txt", "TODO.md", "other.txt"].map(|name| lab.read(name));
    let start = state();
    // An edit of a file the result changes, one of a file it does not, and a file where a new one is to be.
    for (name, text, undo) in [
        ("a.txt", "mine\n", Some("dirty\n")),
        ("other.txt", "mine\n", None),
        ("deep/new.txt", "mine\n", None),
    ] {
        lab.write(name, text);
        let seen = state();
        let answer = lab.apply(&from, &to).await;
        assert_eq!(answer, Move::InTheWay(format!("changed meanwhile: {name}")));
        assert_eq!(state(), seen, "{name}");
        match undo {
            Some(text) => lab.write(name, text),
            None => fs::remove_file(lab.root().join(name)).expect("a removal"),
        }
    }
    // One that git does not see is the user's as well.
    let hidden = lab.tree_with(&to, &[("noise.log", Some("result\n"))]).await;
    assert_eq!(hidden, to, "ignored");
    assert_eq!(state(), start);
    assert_eq!(lab.apply(&from, &to).await, Move::Done);
    let end = [Some("result\n"), None, Some("new\n"), Some("the plan\n"), None];
    assert_eq!(state().map(|text| text.map(|t| t.to_owned())), end.map(|text| text.map(str::to_owned)));
    assert_eq!(lab.apply(&from, &to).await, Move::Done, "safe to run twice");
    assert_eq!(contents(&lab.root().join(".git")), before);
    // Cut off half way: carried to its end; or undone, where the user has been there since.
    lab.write("a.txt", "dirty\n");
    lab.write("src/b.txt", "two\n");
    assert_eq!(lab.apply(&from, &to).await, Move::Done);
    assert_eq!(lab.read("a.txt").as_deref(), Some("result\n"));
    lab.write("src/b.txt", "mine\n");
    assert_eq!(lab.apply(&from, &to).await, Move::InTheWay("changed meanwhile: src/b.txt".into()));
    assert_eq!(state()[..3], [Some("dirty\n".to_owned()), Some("mine\n".into()), None]);
}

#[tokio::test]
async fn a_proposal_is_a_branch_and_nothing_else() {
    let lab = Lab::committed();
    lab.write("TODO.md", "the user's own\n");
    commit(&lab.root());
    lab.write("a.txt", "dirty\n");
    let base = lab.tree.hash(lab.root(), vec!["TODO.md".into()]).await.expect("a tree");
    let tree = lab.tree_with(&base, &[("made.txt", Some("made\n"))]).await;
    let head = git(&lab.root(), &["rev-parse", "HEAD"]);
    let status = git(&lab.root(), &["status", "--porcelain"]);
    let proposal = Proposal {
        name: "gantry/m1".into(),
        base: base.clone(),
        tree,
        title: "Make it".into(),
        at: 1_800_000_000,
        exclude: vec!["TODO.md".into()],
    };
    for _ in 0..2 {
        let left = lab.tree.propose(lab.root(), proposal.clone()).await.expect("a branch");
        assert_eq!(left, on("gantry/m1"));
    }
    let log = git(&lab.root(), &["log", "--format=%s", "--stat=40", "gantry/m1"]);
    assert_eq!(git(&lab.root(), &["log", "--format=%s", "gantry/m1"]).lines().count(), 4, "{log}");
    assert_eq!(git(&lab.root(), &["diff", "--name-only", "gantry/m1~1", "gantry/m1"]), "made.txt");
    assert_eq!(git(&lab.root(), &["show", "gantry/m1:TODO.md"]), "the user's own");
    assert_eq!(git(&lab.root(), &["show", "gantry/m1:a.txt"]), "dirty");
    assert_eq!(git(&lab.root(), &["rev-parse", "HEAD"]), head);
    assert_eq!(git(&lab.root(), &["status", "--porcelain"]), status);
    assert_eq!(git(&lab.root(), &["for-each-ref", "--format=%(refname)"]).lines().count(), 2);
    fs::remove_dir_all(lab.base.path().join("data")).expect("the branch stands by itself");
    git(&lab.root(), &["fsck", "--strict"]);
    // Another result of the same mission does not take the place of the first.
    let later = Proposal { title: "Again".into(), base: base.clone(), ..proposal };
    let lab = Lab { tree: GitTree::new(&lab.base.path().join("data")), ..lab };
    let base = lab.tree.hash(lab.root(), vec!["TODO.md".into()]).await.expect("a tree");
    let tree = lab.tree_with(&base, &[("made.txt", Some("other\n"))]).await;
    let left = lab.tree.propose(lab.root(), Proposal { base, tree, ..later }).await.expect("a branch");
    assert_eq!(left, on("gantry/m1-2"));
}

fn on(branch: &str) -> Left {
    Left { branch: Some(branch.into()), ..Left::default() }
}

#[tokio::test]
async fn a_folder_of_a_repository_is_proposed_in_its_place() {
    let lab = Lab::committed();
    let inner = lab.root().join("src");
    let base = lab.hash_at(&inner).await;
    let at = lab.tree.give(inner.clone(), 1, base.clone(), base.clone(), vec![]).await.expect("a worktree");
    fs::write(at.join("b.txt"), "result\n").expect("a file");
    let tree = lab.hash_at(&at).await;
    let proposal =
        Proposal { name: "gantry/m".into(), base, tree, title: "t".into(), at: 0, exclude: vec![] };
    lab.tree.propose(inner, proposal).await.expect("a branch");
    assert_eq!(git(&lab.root(), &["diff", "--name-only", "HEAD", "gantry/m"]), "src/b.txt");
}

type Files = BTreeMap<u8, u8>;

fn files() -> impl Strategy<Value = Files> {
    proptest::collection::btree_map(0u8..5, 0u8..4, 0..5)
}

fn text_of(content: u8) -> String {
    format!("content {content}\n")
}

/// `f` beside files in a folder, so that folders come and go as well.
fn name_of(file: u8) -> String {
    if file < 3 { format!("f{file}.txt") } else { format!("d{file}/f.txt") }
}

impl Lab {
    fn set(&self, root: &Path, files: &Files) {
        for file in 0..5 {
            let path = root.join(name_of(file));
            match files.get(&file) {
                Some(content) => {
                    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
                    fs::write(&path, text_of(*content)).expect("a file");
                }
                None => drop(fs::remove_file(&path)),
            }
        }
    }

    fn got(&self) -> Files {
        let content = |file: u8| {
            let text = self.read(&name_of(file))?;
            Some((file, (0..4).find(|content| text_of(*content) == text).expect("a known text")))
        };
        (0..5).filter_map(content).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    /// The user edits anything between the verdict and the move; sometimes after a move that was cut off. Either the
    /// files are the result then, to the byte, or nothing of the result is there and every edit is.
    #[test]
    fn whatever_the_user_edits_before_the_move_stays(
        base in files(), result in files(), edits in proptest::collection::btree_map(0u8..5, proptest::option::of(0u8..4), 0..3),
        half in proptest::collection::btree_set(0u8..5, 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let lab = Lab::new();
            git(&lab.root(), &["init", "--quiet"]);
            lab.set(&lab.root(), &base);
            git(&lab.root(), &["commit", "--quiet", "--allow-empty", "--message", "empty"]);
            let from = lab.hash().await;
            let at = lab.give(1, &from, &[]).await;
            lab.set(&at, &result);
            let to = lab.hash_at(&at).await;
            // An earlier move that came to some of the files.
            let mut now = base.clone();
            for file in &half {
                match result.get(file) {
                    Some(content) => now.insert(*file, *content),
                    None => now.remove(file),
                };
            }
            let mut theirs = BTreeMap::new();
            for (file, content) in &edits {
                if content.as_ref() != now.get(file) {
                    theirs.insert(*file, *content);
                }
                match content {
                    Some(content) => now.insert(*file, *content),
                    None => now.remove(file),
                };
            }
            lab.set(&lab.root(), &now);
            let answer = lab.apply(&from, &to).await;
            let got = lab.got();
            if answer == Move::Done {
                assert_eq!(got, result);
                // An edit that was lost must have been to what the result has anyway, or back to how it was.
                for (file, content) in theirs {
                    let known = [result.get(&file), base.get(&file)];
                    assert!(known.contains(&content.as_ref()), "an edit of {file} is gone");
                }
            } else {
                for file in 0..5 {
                    let edit = theirs.get(&file).map(|content| content.as_ref());
                    let foreign = edit.filter(|content| *content != result.get(&file));
                    assert_eq!(got.get(&file), foreign.unwrap_or(base.get(&file)), "{file}: {answer:?}");
                }
            }
        });
    }
}
