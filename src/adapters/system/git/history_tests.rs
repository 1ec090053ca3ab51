//! Files taken back by real git in real projects.
#![allow(clippy::disallowed_methods, reason = "files are made older than they are")]
use super::tests::{Lab, commit, contents, git};
use crate::domain::rollback::Step;
use crate::domain::verdict::TreeId;
use crate::ports::history::History;
use crate::ports::workspace::Tree;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

impl Lab {
    async fn restore(&self, from: &TreeId, to: &TreeId) -> Vec<String> {
        self.tree.restore(self.root(), from.clone(), to.clone(), vec![]).await.expect("files taken back")
    }
}

/// Every file of a project outside `.git`: what it is, and what is in it.
fn files(root: &Path) -> BTreeMap<String, String> {
    let walk = ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .filter_entry(|e| e.file_name() != ".git")
        .build();
    let mut found = BTreeMap::new();
    for entry in walk.flatten().filter(|e| e.path() != root) {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        let text = if kind.is_symlink() {
            format!("-> {}", fs::read_link(path).expect("a link").display())
        } else if kind.is_dir() {
            continue;
        } else {
            let mode = fs::metadata(path).expect("its data").permissions().mode() & 0o777;
            format!("{mode:o} {:?}", fs::read(path).expect("its bytes"))
        };
        found.insert(path.strip_prefix(root).expect("inside").display().to_string(), text);
    }
    found
}

/// One of each kind of change.
fn work(lab: &Lab) {
    let root = lab.root();
    lab.write("a.txt", "changed\n");
    fs::set_permissions(root.join("a.txt"), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::remove_file(root.join("src/b.txt")).expect("a removal");
    fs::write(root.join("bin.dat"), [0, 159, 146, 150, 0, 10, 13]).expect("bytes");
    lab.write("new/deep/file.txt", "new\n");
    fs::remove_file(root.join("link")).expect("a removal");
    symlink("src", root.join("link")).expect("a link");
    // A file becomes a folder, and a folder a file.
    fs::remove_file(root.join("either")).expect("a removal");
    lab.write("either/inner.txt", "inner\n");
    fs::remove_dir_all(root.join("folder")).expect("a removal");
    lab.write("folder", "a file now\n");
}

fn varied(lab: &Lab) {
    fs::write(lab.root().join("bin.dat"), [1, 2, 0, 255]).expect("bytes");
    lab.write("either", "a file\n");
    lab.write("folder/one.txt", "1\n");
    lab.write("folder/two.txt", "2\n");
    symlink("a.txt", lab.root().join("link")).expect("a link");
}

#[tokio::test]
async fn every_kind_of_change_is_taken_back_and_brought_again() {
    for with_git in [true, false] {
        let lab = if with_git { Lab::committed() } else { Lab::new() };
        lab.write("a.txt", "one\n");
        lab.write("src/b.txt", "two\n");
        varied(&lab);
        fs::set_permissions(lab.root().join("a.txt"), fs::Permissions::from_mode(0o640)).expect("a mode");
        let (before, from) = (files(&lab.root()), lab.hash().await);
        work(&lab);
        let (after, to) = (files(&lab.root()), lab.hash().await);
        assert_eq!(lab.restore(&to, &from).await, [""; 0]);
        let mut wanted = before.clone();
        // Git knows nothing of who may read a file: it stays as it was last.
        wanted.insert("a.txt".into(), before["a.txt"].replace("640", "644"));
        assert_eq!(files(&lab.root()), wanted, "git: {with_git}");
        assert_eq!(lab.restore(&from, &to).await, [""; 0]);
        assert_eq!(files(&lab.root()), after, "git: {with_git}");
        assert_eq!(lab.restore(&from, &to).await, [""; 0], "once more is nothing");
    }
}

#[tokio::test]
async fn nothing_of_the_users_repository_knows_of_it() {
    let lab = Lab::committed();
    varied(&lab);
    commit(&lab.root());
    lab.write("a.txt", "stashed\n");
    git(&lab.root(), &["stash", "--quiet"]);
    lab.write("staged.txt", "staged\n");
    git(&lab.root(), &["add", "staged.txt"]);
    let trace = lab.base.path().join("trace");
    for hook in ["post-index-change", "post-checkout", "reference-transaction"] {
        let file = lab.root().join(".git/hooks").join(hook);
        fs::create_dir_all(lab.root().join(".git/hooks")).expect("a folder");
        fs::write(&file, format!("#!/bin/sh\necho {hook} >> '{}'\n", trace.display())).expect("a hook");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let asked: [&[&str]; 6] = [
        &["-c", "core.hooksPath=/dev/null", "status", "--porcelain"],
        &["log", "--all", "--format=%H"],
        &["stash", "list"],
        &["reflog"],
        &["for-each-ref"],
        &["rev-parse", "HEAD"],
    ];
    let told = || asked.map(|args| git(&lab.root(), args));
    let said = told();
    let before = contents(&lab.root().join(".git"));
    let from = lab.hash().await;
    lab.tree.keep(lab.root(), from.clone()).await.expect("kept");
    work(&lab);
    let to = lab.hash().await;
    lab.restore(&to, &from).await;
    let after = contents(&lab.root().join(".git"));
    let changed: Vec<_> = after.iter().filter(|f| !before.contains(f)).map(|f| &f.0).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "changed in .git: {changed:?}");
    assert!(!trace.exists(), "a hook ran");
    // The index knows the old times of files that have new ones now; what git says of them is the same.
    assert_eq!(told(), said);
}

#[tokio::test]
async fn what_was_edited_since_is_left() {
    let lab = Lab::committed();
    varied(&lab);
    let from = lab.hash().await;
    work(&lab);
    let to = lab.hash().await;
    lab.write("a.txt", "by hand\n");
    lab.write("src/b.txt", "made again\n");
    fs::remove_file(lab.root().join("new/deep/file.txt")).expect("a removal");
    let left = lab.restore(&to, &from).await;
    // The one that was removed by hand is as it is to be.
    assert_eq!(left, ["a.txt: it was edited since", "src/b.txt: it was edited since"]);
    let now = files(&lab.root());
    assert!(now["a.txt"].ends_with(&format!("{:?}", b"by hand\n")), "{}", now["a.txt"]);
    assert!(now["bin.dat"].ends_with("[1, 2, 0, 255]") && now["link"] == "-> a.txt", "{now:?}");
}

#[tokio::test]
async fn ignored_files_and_links_on_the_way_are_not_written_over() {
    let lab = Lab::committed();
    lab.write("made/x.txt", "x\n");
    lab.write("keep.txt", "1\n");
    let from = lab.hash().await;
    fs::remove_file(lab.root().join("made/x.txt")).expect("a removal");
    fs::remove_file(lab.root().join("keep.txt")).expect("a removal");
    let to = lab.hash().await;
    let outside = lab.base.path().join("outside");
    fs::create_dir_all(&outside).expect("a folder");
    fs::remove_dir(lab.root().join("made")).expect("a removal");
    symlink(&outside, lab.root().join("made")).expect("a link");
    // The user has one of that name now, and git is not to see it.
    lab.write("keep.txt", "mine\n");
    lab.write(".git/info/exclude", "keep.txt\nmade\n");
    let left = lab.restore(&to, &from).await.join("\n");
    assert!(
        left.contains("keep.txt: it was edited since") && left.contains("is no folder any more"),
        "{left}"
    );
    assert_eq!(fs::read_to_string(lab.root().join("keep.txt")).expect("a file"), "mine\n");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
}

#[tokio::test]
async fn line_ends_are_those_of_the_project() {
    let lab = Lab::committed();
    lab.write(".gitattributes", "*.bat text eol=crlf\n*.txt text eol=lf\n");
    lab.write("run.bat", "one\r\ntwo\r\n");
    let from = lab.hash().await;
    lab.write("run.bat", "three\r\n");
    let to = lab.hash().await;
    assert_eq!(lab.restore(&to, &from).await, [""; 0]);
    assert_eq!(fs::read(lab.root().join("run.bat")).expect("a file"), b"one\r\ntwo\r\n");
}

#[tokio::test]
async fn a_folder_of_a_repository_is_a_project_too() {
    let lab = Lab::committed();
    lab.write("part/src/x.txt", "x\n");
    commit(&lab.root());
    let part = lab.root().join("part");
    let from = lab.hash_at(&part).await;
    lab.write("part/src/x.txt", "y\n");
    lab.write("part/z.txt", "z\n");
    let to = lab.hash_at(&part).await;
    let left = lab.tree.restore(part.clone(), to, from, vec![]).await.expect("files taken back");
    assert_eq!(left, [""; 0]);
    assert_eq!(fs::read_to_string(part.join("src/x.txt")).expect("a file"), "x\n");
    assert!(!part.join("z.txt").exists());
}

#[tokio::test]
async fn a_tree_is_put_together_from_parts_of_another() {
    let lab = Lab::committed();
    varied(&lab);
    let from = lab.hash().await;
    work(&lab);
    let to = lab.hash().await;
    let changes = lab.tree.changes(lab.root(), from.clone(), to.clone()).await.expect("a list");
    let all =
        changes.iter().map(|c| Step { path: c.path.clone(), to: c.from.clone(), exists: c.to.is_some() });
    let back = lab.tree.compose(lab.root(), to.clone(), all.collect()).await.expect("a tree");
    assert_eq!(back, from, "all of it taken back is the tree before");
    let one = changes.iter().filter(|c| c.path == "bin.dat");
    let one = one.map(|c| Step { path: c.path.clone(), to: c.from.clone(), exists: true }).collect();
    let some = lab.tree.compose(lab.root(), to.clone(), one).await.expect("a tree");
    assert_eq!(lab.changed(&to, &some).await, ["bin.dat"]);
    let paths = vec!["bin.dat".to_owned(), "none".into()];
    let found = lab.tree.entries(lab.root(), some, paths).await.expect("a list");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["bin.dat"]);
}

/// Contents that nothing else holds: git would throw them away after fourteen days.
#[tokio::test]
async fn a_kept_tree_outlives_the_clearing_up() {
    let lab = Lab::committed();
    lab.write("a.txt", "kept\n");
    let kept = lab.hash().await;
    lab.tree.keep(lab.root(), kept.clone()).await.expect("kept");
    lab.write("a.txt", "not kept\n");
    let not = lab.hash().await;
    lab.write("a.txt", "one\n");
    let private =
        fs::read_dir(lab.base.path().join("data/trees")).expect("trees").flatten().next().expect("one");
    let private = private.path().join("sha1.git");
    let age = |path: &Path, days: u64| {
        let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        fs::File::open(path).and_then(|f| f.set_modified(then)).expect("an old file");
    };
    let make_old = |below: &str, days| {
        let walk = ignore::WalkBuilder::new(private.join(below)).standard_filters(false).build();
        for entry in walk.flatten().filter(|e| e.file_type().is_some_and(|t| t.is_file())) {
            age(entry.path(), days);
        }
    };
    make_old("objects", 20);
    age(&private.join("pruned"), 2);
    lab.hash().await;
    let there = |tree: &TreeId| {
        let blob = lab.tree.read(lab.root(), tree.clone(), vec!["a.txt".into()]);
        async move { blob.await.is_ok_and(|texts| texts[0].is_some()) }
    };
    assert!(there(&kept).await && !there(&not).await);
    // A month later it goes as well.
    make_old("refs", 31);
    make_old("objects", 31);
    age(&private.join("pruned"), 2);
    lab.hash().await;
    assert!(!there(&kept).await);
    let error = lab.tree.restore(lab.root(), not, kept, vec![]).await.expect_err("it is gone");
    assert!(error.to_string().contains("git in"), "{error}");
}

/// Random edits by an agent and a user: what the agent did is taken back, and not a byte of the user's.
#[tokio::test]
async fn random_edits_are_told_apart() {
    let names = ["a.txt", "src/b.txt", "src/c.txt", "d", "d/e.txt", "f.bin"];
    for seed in 1..=25u64 {
        let lab = Lab::committed();
        let mut state = seed * 7_919;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut edit = |who: &str| {
            let path = lab.root().join(names[random(names.len() as u64) as usize]);
            let what = random(5);
            if what == 0 {
                let _ = fs::remove_file(&path);
                return;
            }
            if path.is_dir() || path.parent().is_some_and(|p| !p.is_dir() && fs::create_dir_all(p).is_err()) {
                return;
            }
            let _ = fs::remove_file(&path);
            match what {
                1 => symlink("a.txt", &path).expect("a link"),
                _ => fs::write(&path, format!("{who} {}", random(1_000))).expect("a file"),
            }
            if what == 2 {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
            }
        };
        (0..4).for_each(|_| edit("before"));
        let (old, from) = (files(&lab.root()), lab.hash().await);
        (0..4).for_each(|_| edit("agent"));
        let (done, to) = (files(&lab.root()), lab.hash().await);
        (0..2).for_each(|_| edit("user"));
        let edited = files(&lab.root());
        lab.restore(&to, &from).await;
        let now = files(&lab.root());
        for path in names {
            let (was, agent, user) = (old.get(path), done.get(path), edited.get(path));
            if agent != user {
                assert_eq!(now.get(path), user, "seed {seed}: {path} is the user's");
            } else if now.get(path) != was {
                // Only what the user has put in the way keeps a file from coming back.
                let in_the_way = edited
                    .keys()
                    .any(|k| k.starts_with(&format!("{path}/")) || path.starts_with(&format!("{k}/")));
                assert!(
                    in_the_way && now.get(path) == user,
                    "seed {seed}: {path} was {was:?} and is {:?}",
                    now.get(path)
                );
            }
        }
    }
}
