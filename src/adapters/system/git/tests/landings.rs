//! Results on their way into the user's files, and beside them, where something is in the way.
use super::*;
use crate::ports::worktrees::{Left, Move, Proposal, Worktrees};
use std::os::unix::fs::symlink;

/// All files of the project with their bytes, links with where they lead to; none of git's.
fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() && entry.file_name() != ".git" {
            found.push((path.clone(), Vec::new()));
            found.extend(files(&path));
        } else if kind.is_symlink() {
            let to = fs::read_link(&path).expect("a link");
            found.push((path, to.into_os_string().into_encoded_bytes()));
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("a file");
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

impl Lab {
    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.root())
    }

    async fn refused(&self, from: &TreeId, to: &TreeId) -> String {
        let before = self.all();
        let answer = self.apply(from, to).await;
        assert_eq!(self.all(), before, "{answer:?}");
        let Move::Refused(why) = answer else { panic!("{answer:?}") };
        why
    }
}

#[tokio::test]
async fn nothing_that_git_does_not_see_is_overwritten_or_removed() {
    let lab = Lab::committed();
    lab.write(".gitignore", "*.log\nbuild/\n/way\n");
    let from = lab.hash().await;
    let at = |path: &str| lab.root().join(path);

    // An ignored file where a new one is to be.
    let log = lab.tree_with(&from, &[(".gitignore", Some("")), ("run.log", Some("result\n"))]).await;
    lab.write("run.log", "mine\n");
    assert!(lab.refused(&from, &log).await.starts_with("run.log is there, and not in version control"));
    fs::remove_file(at("run.log")).expect("removed");

    // An ignored folder where a file is to be: the rule is for folders only.
    let build = lab.tree_with(&from, &[("build", Some("result\n"))]).await;
    lab.write("build/deep/precious.bin", "mine\n");
    assert!(lab.refused(&from, &build).await.starts_with("build/deep/precious.bin is there"));
    fs::remove_dir_all(at("build")).expect("removed");
    fs::create_dir(at("build")).expect("made");
    assert!(lab.refused(&from, &build).await.starts_with("build is there"), "an empty one may be a mount");
    fs::remove_dir(at("build")).expect("removed");

    // An ignored link to a folder, and one to nothing, at its place and on the way to it.
    let way = lab.tree_with(&from, &[(".gitignore", Some("")), ("way/in/new.txt", Some("result\n"))]).await;
    fs::create_dir(lab.base.path().join("elsewhere")).expect("made");
    for target in [lab.base.path().join("elsewhere"), "nowhere".into()] {
        symlink(&target, at("way")).expect("a link");
        assert!(lab.refused(&from, &way).await.starts_with("way is there"));
        fs::remove_file(at("way")).expect("removed");
        symlink(&target, at("build")).expect("a link");
        let tracked = lab.hash().await;
        let build = lab.tree_with(&from, &[("build", Some("result\n"))]).await;
        let answer = lab.apply(&from, &build).await;
        assert!(matches!(answer, Move::InTheWay(_)), "a link is no folder, so git sees it: {answer:?}");
        assert_eq!(lab.hash().await, tracked);
        fs::remove_file(at("build")).expect("removed");
    }
    assert_eq!(fs::read_dir(lab.base.path().join("elsewhere")).expect("a folder").count(), 0);

    // An ignored file in a folder that becomes a file.
    let src = lab.tree_with(&from, &[("src/b.txt", None)]).await;
    let src = lab.tree_with(&src, &[("src", Some("result\n"))]).await;
    lab.write("src/run.log", "mine\n");
    assert!(lab.refused(&from, &src).await.starts_with("src/run.log is there"));
    fs::remove_file(at("src/run.log")).expect("removed");
    assert_eq!(lab.apply(&from, &src).await, Move::Done);
    assert_eq!(lab.read("src").as_deref(), Some("result\n"));
    assert_eq!(lab.apply(&src, &from).await, Move::Done, "and a file that becomes a folder");
    assert_eq!(lab.hash().await, from);
}

#[tokio::test]
async fn what_git_was_told_to_overlook_is_not_overwritten() {
    let lab = Lab::committed();
    let from = lab.hash().await;
    let to = lab.tree_with(&from, &[("a.txt", Some("result\n")), ("src/b.txt", Some("result\n"))]).await;
    for how in ["assume-unchanged", "skip-worktree"] {
        git(&lab.root(), &["update-index", &format!("--{how}"), "a.txt"]);
        lab.write("a.txt", "mine, and not git's business\n");
        assert!(lab.refused(&from, &to).await.starts_with("a.txt: "), "{how}");
        git(&lab.root(), &["update-index", &format!("--no-{how}"), "a.txt"]);
        lab.write("a.txt", "one\n");
    }
    // Nor what only looks as if it were unchanged.
    let time = fs::metadata(lab.root().join("a.txt")).and_then(|m| m.modified()).expect("a time");
    git(&lab.root(), &["config", "core.trustctime", "false"]);
    git(&lab.root(), &["status"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    git(&lab.root(), &["update-index", "--refresh"]);
    fs::write(lab.root().join("a.txt"), "two\n").expect("written");
    let file = fs::File::options().write(true).open(lab.root().join("a.txt")).expect("a file");
    file.set_modified(time).expect("its old time");
    let before = lab.all();
    let answer = lab.apply(&from, &to).await;
    assert!(matches!(&answer, Move::InTheWay(why) if why.contains("a.txt")), "{answer:?}");
    assert_eq!(lab.all(), before);
}

#[tokio::test]
async fn a_result_outside_of_a_sparse_checkout_is_refused_and_not_left_out() {
    let lab = Lab::new();
    git(&lab.root(), &["init", "--quiet"]);
    for name in ["in/a.txt", "out/b.txt", "out/c.txt"] {
        lab.write(name, "one\n");
    }
    commit(&lab.root());
    git(&lab.root(), &["sparse-checkout", "set", "in"]);
    let from = lab.hash().await;
    let inside = ("in/a.txt", Some("result\n"));
    for outside in [("out/b.txt", Some("result\n")), ("out/c.txt", None)] {
        let to = lab.tree_with(&from, &[inside, outside]).await;
        let why = lab.refused(&from, &to).await;
        assert!(why.starts_with(outside.0) && why.contains("sparse checkout"), "{why}");
    }
    // A new one can be in the files, and is seen there.
    let to = lab.tree_with(&from, &[inside, ("out/new.txt", Some("result\n"))]).await;
    assert_eq!(lab.apply(&from, &to).await, Move::Done);
    assert_eq!(lab.read("out/new.txt").as_deref(), Some("result\n"));
    assert_eq!(lab.hash().await, to);
    assert_eq!(lab.apply(&from, &to).await, Move::Done, "safe to run twice");
}

/// A git that does something to the project before it stages what is to be put there.
fn meddling(lab: Lab, command: &str) -> Lab {
    let program = lab.base.path().join("git");
    let root = lab.root();
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *checkout-index*) (cd '{}' && {command}) ;; esac\nexec git \"$@\"\n",
        root.display()
    );
    fs::write(&program, text).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let tree = GitTree::with_program(&lab.base.path().join("data"), program.to_str().expect("UTF-8"));
    Lab { tree, ..lab }
}

#[tokio::test]
async fn a_move_that_breaks_off_leaves_nothing_of_itself() {
    let lab = Lab::committed();
    lab.write("z.txt", "last\n");
    commit(&lab.root());
    let from = lab.hash().await;
    let result = [
        ("a.txt", Some("result\n")),
        ("deep/new.txt", Some("result\n")),
        ("src/b.txt", None),
        ("z.txt", Some("result\n")),
    ];
    let to = lab.tree_with(&from, &result).await;

    // It cannot be laid ready beside its target.
    let before = lab.all();
    let command = format!("mkdir -p {}/in", temp_of(&lab, "z.txt").display());
    let occupied = meddling(lab, &command);
    let Move::Refused(why) = occupied.apply(&from, &to).await else { panic!("refused") };
    assert!(why.starts_with("z.txt: "), "{why}");
    fs::remove_dir_all(temp_of(&occupied, "z.txt")).expect("removed");
    assert_eq!(occupied.all(), before);

    // The user writes the last file while the others are on their way.
    let edited = meddling(occupied, "echo mine > z.txt");
    assert_eq!(edited.apply(&from, &to).await, Move::InTheWay("changed meanwhile: z.txt".into()));
    edited.write("z.txt", "last\n");
    assert_eq!(edited.all(), before);

    // What a process that was killed has laid ready is no edit of the user's.
    let lab = Lab { tree: GitTree::new(&edited.base.path().join("data")), ..edited };
    fs::write(temp_of(&lab, "a.txt"), "resu").expect("written");
    fs::write(temp_of(&lab, "deep/new.txt"), "resu").expect("written");
    assert_eq!(lab.apply(&from, &to).await, Move::Done);
    assert_eq!(lab.hash().await, to);
    let left = lab.all().into_iter().filter(|(path, _)| path.to_string_lossy().contains(".gantry-"));
    assert_eq!(left.count(), 0);
}

fn temp_of(lab: &Lab, name: &str) -> PathBuf {
    let target = fs::canonicalize(lab.root()).expect("a path").join(name);
    lab.root().join(format!(".gantry-{}", super::super::super::markers::digest(&target)))
}

#[tokio::test]
async fn a_move_that_can_neither_go_on_nor_back_says_so() {
    let lab = Lab::committed();
    lab.write("z.txt", "last\n");
    commit(&lab.root());
    let from = lab.hash().await;
    let to = lab.tree_with(&from, &[("a.txt", Some("result\n")), ("z.txt", Some("result\n"))]).await;
    // When the first file has its new content, the user's is in the way of the second, and the first cannot go back.
    let once = format!(
        "if test -e ../once; then mkdir -p {0}/in; else touch ../once; echo mine > z.txt; fi",
        temp_of(&lab, "a.txt").display()
    );
    let lab = meddling(lab, &once);
    let Move::Half(why) = lab.apply(&from, &to).await else { panic!("half") };
    assert!(why.contains("changed meanwhile: z.txt") && why.contains("a.txt could not be put back"), "{why}");
    assert_eq!(lab.read("a.txt").as_deref(), Some("result\n"));
}

#[tokio::test]
async fn the_result_looks_as_the_users_settings_and_its_own_rules_want_it() {
    let lab = Lab::committed();
    lab.write("run.sh", "old\n");
    fs::set_permissions(lab.root().join("run.sh"), fs::Permissions::from_mode(0o750)).expect("a mode");
    git(&lab.root(), &["config", "core.autocrlf", "true"]);
    commit(&lab.root());
    // In a folder of the repository as well, whose rules are read from its top.
    for root in [lab.root(), lab.root().join("src")] {
        let from = lab.hash_at(&root).await;
        let at =
            lab.tree.give(root.clone(), 7, from.clone(), from.clone(), vec![]).await.expect("a worktree");
        fs::write(at.join(".gitattributes"), "*.unix text eol=lf\n").expect("a file");
        fs::write(at.join("new.unix"), "1\n").expect("a file");
        fs::write(at.join("new.txt"), "1\r\n").expect("a file");
        fs::write(at.join(OsStr::from_bytes(b"caf\xe9")), "1\r\n").expect("a file");
        if at.join("run.sh").exists() {
            fs::write(at.join("run.sh"), "new\n").expect("a file");
        }
        let to = lab.hash_at(&at).await;
        let moved = lab.tree.apply(root.clone(), from.clone(), to.clone(), vec![]).await.expect("a move");
        assert_eq!(moved, Move::Done);
        let read = |name: &str| fs::read_to_string(root.join(name)).expect("a file");
        assert_eq!((read("new.unix").as_str(), read("new.txt").as_str()), ("1\n", "1\r\n"));
        assert!(root.join(OsStr::from_bytes(b"caf\xe9")).exists());
        assert_eq!(lab.hash_at(&root).await, to);
    }
    let mode = fs::metadata(lab.root().join("run.sh")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o750, "who may read it is the user's affair");
}

fn proposal(base: &TreeId, tree: &TreeId) -> Proposal {
    Proposal {
        name: "gantry/m1".into(),
        base: base.clone(),
        tree: tree.clone(),
        title: "Make it".into(),
        at: 1_800_000_000,
        exclude: vec!["TODO.md".into()],
    }
}

#[tokio::test]
async fn a_result_that_can_be_no_branch_is_a_patch() {
    let lab = Lab::committed();
    let base = lab.hash().await;
    let tree = lab.tree_with(&base, &[("a.txt", Some("result\n"))]).await;
    let propose =
        async |tree: &TreeId| lab.tree.propose(lab.root(), proposal(&base, tree)).await.expect("it is left");
    // The name of the folder is taken.
    git(&lab.root(), &["branch", "gantry"]);
    let left = propose(&tree).await;
    assert_eq!(left, Left { branch: Some("gantry-m1".into()), ..Left::default() });
    assert_eq!(git(&lab.root(), &["show", "gantry-m1:a.txt"]), "result");
    git(&lab.root(), &["branch", "-D", "gantry-m1"]);
    // Somebody is at the branch just now, or died over it.
    let lock = lab.root().join(".git/refs/heads/gantry-m1.lock");
    fs::write(&lock, "").expect("a lock");
    let left = propose(&tree).await;
    assert!(left.branch.is_none() && left.fault.as_ref().is_some_and(|f| f.contains("lock")), "{left:?}");
    assert_eq!(propose(&tree).await.patch, left.patch, "safe to run twice");
    let patch = left.patch.expect("a patch");
    let other = lab.tree_with(&base, &[("a.txt", Some("another\n"))]).await;
    assert_ne!(propose(&other).await.patch.as_ref(), Some(&patch), "another result has one of its own");
    git(&lab.root(), &["apply", &patch]);
    assert_eq!(lab.hash().await, tree);
    fs::remove_file(lock).expect("removed");
    assert_eq!(propose(&tree).await.branch.as_deref(), Some("gantry-m1"));
    // Nor as a patch.
    fs::write(lab.root().join(".git/refs/heads/gantry-m1.lock"), "").expect("a lock");
    let results = lab.base.path().join("data/results");
    fs::remove_dir_all(&results).expect("removed");
    fs::write(&results, "").expect("a file in its place");
    let last = lab.tree_with(&base, &[("a.txt", Some("the last\n"))]).await;
    fs::write(lab.root().join(".git/refs/heads/gantry-m1-2.lock"), "").expect("a lock");
    let error = lab.tree.propose(lab.root(), proposal(&base, &last)).await.expect_err("nowhere");
    assert!(error.to_string().contains("lock") && error.to_string().contains("results"), "{error}");
}

#[tokio::test]
async fn what_a_branch_cannot_hold_is_beside_it() {
    let lab = Lab::committed();
    let other = lab.base.path().join("other");
    fs::create_dir(&other).expect("a folder");
    git(&other, &["init", "--quiet"]);
    fs::write(other.join("s.txt"), "one\n").expect("a file");
    commit(&other);
    git(&lab.root(), &["submodule", "--quiet", "add", other.to_str().expect("UTF-8"), "sub"]);
    commit(&lab.root());
    let base = lab.hash().await;
    let within = lab.tree_with(&base, &[("sub/s.txt", Some("result\n"))]).await;
    let both = lab.tree_with(&within, &[("a.txt", Some("result\n"))]).await;

    let left = lab.tree.propose(lab.root(), proposal(&base, &both)).await.expect("it is left");
    assert_eq!((left.branch.as_deref(), left.outside), (Some("gantry/m1"), vec!["sub/s.txt".to_owned()]));
    assert_eq!(git(&lab.root(), &["diff", "--name-only", "HEAD", "gantry/m1"]), "a.txt");
    git(&lab.root(), &["merge", "--quiet", "gantry/m1"]);
    let patched = Command::new("patch")
        .args(["-p1", "--quiet", "--input", &left.patch.expect("a patch")])
        .current_dir(lab.root())
        .status();
    assert!(patched.expect("it runs").success());
    assert_eq!(lab.hash().await, both);

    // All of it is in there: the branch would be empty.
    git(&lab.root(), &["reset", "--quiet", "--hard", "HEAD~1"]);
    git(&lab.root().join("sub"), &["checkout", "--quiet", "."]);
    let only = Proposal { name: "gantry/m2".into(), ..proposal(&base, &within) };
    let left = lab.tree.propose(lab.root(), only).await.expect("it is left");
    assert!(left.branch.is_none() && left.fault.is_none() && left.patch.is_some(), "{left:?}");
}
