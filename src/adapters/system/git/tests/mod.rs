//! Real repositories, real git.
#![allow(clippy::disallowed_methods, reason = "git is what the tests set up with")]
use super::GitTree;
use crate::domain::verdict::TreeId;
use crate::ports::workspace::{Tree, WorkspaceError};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

mod landings;
mod worktrees;

const EMPTY: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// A project beside a data directory.
pub(super) struct Lab {
    pub(super) base: TempDir,
    pub(super) tree: GitTree,
}

impl Lab {
    pub(super) fn new() -> Self {
        let base = tempfile::tempdir().expect("a temporary folder");
        let tree = GitTree::new(&base.path().join("data"));
        let lab = Self { base, tree };
        fs::create_dir(lab.root()).expect("a project");
        lab
    }

    /// A project that is a repository with one commit.
    pub(super) fn committed() -> Self {
        let lab = Self::new();
        git(&lab.root(), &["init", "--quiet"]);
        lab.write("a.txt", "one\n");
        lab.write("src/b.txt", "two\n");
        lab.write(".gitignore", "*.log\n");
        commit(&lab.root());
        lab
    }

    pub(super) fn root(&self) -> PathBuf {
        self.base.path().join("project")
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let file = self.root().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        fs::write(file, text).expect("a file");
    }

    pub(super) async fn hash(&self) -> TreeId {
        self.hash_at(&self.root()).await
    }

    pub(super) async fn hash_at(&self, root: &Path) -> TreeId {
        self.tree.hash(root.to_path_buf(), vec![]).await.expect("a tree")
    }

    pub(super) async fn changed(&self, from: &TreeId, to: &TreeId) -> Vec<String> {
        self.tree.changed(self.root(), from.clone(), to.clone()).await.expect("a list")
    }

    async fn diff(&self, from: &TreeId, to: &TreeId, paths: &[&str], max: usize) -> String {
        let paths = paths.iter().map(ToString::to_string).collect();
        self.tree.diff(self.root(), from.clone(), to.clone(), paths, max).await.expect("a diff")
    }
}

pub(super) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

pub(super) fn commit(folder: &Path) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "state"]);
}

type Content = (PathBuf, Vec<u8>, Option<std::time::SystemTime>);

/// Every file of the user's `.git` with its bytes, and its time but for what git itself dates anew while
/// somebody depends on it (objects, and the base of a split index), to keep it from being pruned.
pub(super) fn contents(folder: &Path) -> Vec<Content> {
    let mut found = Vec::new();
    for entry in ignore::WalkBuilder::new(folder).standard_filters(false).build().flatten() {
        if entry.file_type().is_some_and(|t| t.is_file()) {
            let path = entry.path().to_path_buf();
            let name = path.strip_prefix(folder).expect("a name").to_string_lossy().into_owned();
            let dated = name.starts_with("objects/") || name.starts_with("sharedindex.");
            let time = entry.metadata().expect("its data").modified().expect("its time");
            found.push((path.clone(), fs::read(&path).expect("its bytes"), (!dated).then_some(time)));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_id_is_gits_own_and_follows_every_edit() {
    let lab = Lab::committed();
    let clean = lab.hash().await;
    assert_eq!(clean.0, git(&lab.root(), &["rev-parse", "HEAD^{tree}"]));
    lab.write("a.txt", "ONE\n");
    lab.write("src/new.txt", "new\n");
    lab.write("noise.log", "ignored\n");
    fs::remove_file(lab.root().join("src/b.txt")).expect("a removal");
    let edited = lab.hash().await;
    assert_eq!(lab.changed(&clean, &edited).await, ["a.txt", "src/b.txt", "src/new.txt"]);
    lab.write("a.txt", "one\n");
    lab.write("src/b.txt", "two\n");
    fs::remove_file(lab.root().join("src/new.txt")).expect("a removal");
    assert_eq!(lab.hash().await, clean, "the same files, the same id");
}

#[tokio::test]
async fn nothing_of_the_users_repository_is_touched() {
    let lab = Lab::committed();
    let dot_git = lab.root().join(".git");
    // Hooks and a monitor that would leave a trace.
    let trace = lab.base.path().join("trace");
    let script = format!("#!/bin/sh\necho ran >> '{}'\n", trace.display());
    for hook in ["pre-commit", "post-index-change", "post-checkout", "fsmonitor-watchman"] {
        let file = dot_git.join("hooks").join(hook);
        fs::create_dir_all(dot_git.join("hooks")).expect("a folder");
        fs::write(&file, &script).expect("a hook");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    git(&lab.root(), &["config", "core.fsmonitor", ".git/hooks/fsmonitor-watchman"]);
    git(&lab.root(), &["config", "core.splitIndex", "true"]);
    lab.write("staged.txt", "staged\n");
    git(&lab.root(), &["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "add", "staged.txt"]);
    lab.write("staged.txt", "and edited\n");
    let clean = lab.hash().await;
    lab.write("a.txt", "changed\n");
    let before = contents(&dot_git);
    let edited = lab.hash().await;
    lab.diff(&clean, &edited, &[], 1000).await;
    let after = contents(&dot_git);
    let changed: Vec<_> = after.iter().filter(|file| !before.contains(file)).map(|file| &file.0).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "changed in .git: {changed:?}");
    assert!(!trace.exists(), "a hook ran");
    // Objects of the new tree are in the data directory only.
    let blob = git(&lab.root(), &["hash-object", "a.txt"]);
    let status = Command::new("git").args(["cat-file", "-e", &blob]).current_dir(lab.root()).output();
    assert!(!status.expect("git runs").status.success(), "the user's store got an object");
}

#[tokio::test]
async fn an_edit_in_the_same_instant_as_the_index_is_seen() {
    // Same size, and a time that git cannot tell from that of its index.
    let lab = Lab::committed();
    for round in 0..20 {
        let (old, new) = (format!("{round:04}\n"), format!("{:04}\n", round + 5000));
        lab.write("a.txt", &old);
        git(&lab.root(), &["add", "a.txt"]);
        lab.write("a.txt", &new);
        let tree = lab.hash().await;
        let text = git(&lab.root(), &["hash-object", "a.txt"]);
        let private =
            super::place::known(&lab.root(), &lab.tree.data_dir, &tree).expect("a private repository");
        let listed = git(&private, &["ls-tree", &tree.0, "a.txt"]);
        assert!(listed.contains(&text), "round {round}: {listed}");
    }
}

#[tokio::test]
async fn excluded_files_do_not_count() {
    let lab = Lab::committed();
    let plan = || vec!["TODO.md".to_string(), "src/plan.md".into(), "not there".into()];
    let hash = |root| lab.tree.hash(root, plan());
    let before = hash(lab.root()).await.expect("a tree");
    lab.write("TODO.md", "- [ ] T1\n");
    lab.write("src/plan.md", "x\n");
    assert_eq!(hash(lab.root()).await, Ok(before.clone()), "new and left out");
    commit(&lab.root());
    assert_eq!(hash(lab.root()).await, Ok(before.clone()), "committed and left out");
    lab.write("TODO.md", "- [x] T1\n");
    assert_eq!(hash(lab.root()).await, Ok(before.clone()), "changed and left out");
    assert_ne!(lab.hash().await, before);
    lab.write("src/TODO.md", "another one\n");
    assert_ne!(hash(lab.root()).await, Ok(before), "only the very path is left out");
}

/// A filter of git's runs while the files are taken in, after they were listed: it takes one away.
#[tokio::test]
async fn a_file_that_goes_away_during_a_look_is_out_and_the_look_goes_on() {
    let lab = Lab::committed();
    git(&lab.root(), &["config", "filter.broom.clean", "rm -rf passing sub/passing; cat"]);
    lab.write(".gitattributes", "a.txt filter=broom\n");
    commit(&lab.root());
    let before = lab.hash().await;
    lab.write("a.txt", "ONE\n");
    lab.write("passing", "here and gone\n");
    lab.write("sub/passing/deep", "here and gone\n");
    let after = lab.hash().await;
    assert_eq!(lab.changed(&before, &after).await, ["a.txt"]);
    assert!(!lab.root().join("passing").exists(), "the filter ran");
}

#[tokio::test]
async fn what_is_left_out_is_not_even_read() {
    for ignored in ["", "PLAN.md\n"] {
        let lab = Lab::committed();
        lab.write(".gitignore", ignored);
        let out = vec!["PLAN.md".to_owned(), ".PLAN.md.tmp".to_owned()];
        let before = lab.tree.hash(lab.root(), out.clone()).await.expect("a tree");
        lab.write("PLAN.md", "the plan\n");
        lab.write("src/PLAN.md", "a file of the project's\n");
        let after = lab.tree.hash(lab.root(), out).await.expect("a tree");
        let seen: &[&str] = if ignored.is_empty() { &["src/PLAN.md"] } else { &[] };
        assert_eq!(lab.changed(&before, &after).await, seen);
        let (folder, name) = (2, git(&lab.root(), &["hash-object", "PLAN.md"]));
        let kept = super::place::known(&lab.root(), &lab.tree.data_dir, &after).expect("a repository");
        let object = kept.join("objects").join(&name[..folder]).join(&name[folder..]);
        assert!(!object.exists(), "its text was stored");
    }
}

#[tokio::test]
async fn what_is_left_out_may_be_behind_a_link_or_in_a_submodule() {
    let lab = Lab::committed();
    let root = lab.root();
    std::os::unix::fs::symlink("src", root.join("link")).expect("a link");
    let other = lab.base.path().join("other");
    fs::create_dir(&other).expect("a folder");
    git(&other, &["init", "--quiet"]);
    fs::write(other.join("x.txt"), "x\n").expect("a file");
    commit(&other);
    git(&root, &["submodule", "--quiet", "add", "../other", "sub"]);
    for (plan, seen) in [("link/PLAN.md", Some("src/PLAN.md")), ("sub/PLAN.md", None)] {
        let out = vec![plan.to_owned()];
        let before = lab.tree.hash(root.clone(), out.clone()).await.expect("a tree");
        lab.write(plan, "the plan\n");
        let after = lab.tree.hash(root.clone(), out).await.expect("a tree");
        assert_eq!(lab.changed(&before, &after).await, seen.into_iter().collect::<Vec<_>>(), "{plan}");
    }
}

#[tokio::test]
async fn a_diff_reads_like_gits_and_keeps_its_limit() {
    let lab = Lab::committed();
    git(&lab.root(), &["config", "diff.noprefix", "true"]);
    git(&lab.root(), &["config", "color.ui", "always"]);
    git(&lab.root(), &["config", "diff.external", "false"]);
    let from = lab.hash().await;
    lab.write("a.txt", "ONE\n");
    lab.write("src/b.txt", "TWO\n");
    lab.write("ä*.txt", "new\n");
    let to = lab.hash().await;
    let all = lab.diff(&from, &to, &[], 10_000).await;
    assert!(all.contains("--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+ONE\n"), "{all}");
    assert!(all.contains("+++ b/ä*.txt\n"), "{all}");
    assert_eq!(all.matches("diff --git").count(), 3);
    for (paths, count) in
        [(vec!["src"], 1), (vec!["a.txt", "src/b.txt"], 2), (vec!["*.txt"], 0), (vec!["ä*.txt"], 1)]
    {
        let part = lab.diff(&from, &to, &paths, 10_000).await;
        assert_eq!(part.matches("diff --git").count(), count, "{paths:?}");
    }
    for max in [0, 10, 100, all.len() - 1] {
        let cut = lab.diff(&from, &to, &[], max).await;
        let (body, notice) = cut.split_at(cut.rfind("[the diff").expect("a notice"));
        assert!(
            body.len() <= max && all.starts_with(body) && (body.is_empty() || body.ends_with('\n')),
            "{cut}"
        );
        assert!(notice.contains(&format!("{max} bytes")), "{notice}");
    }
    assert_eq!(lab.diff(&from, &to, &[], all.len()).await, all);
    assert_eq!(lab.diff(&from, &from, &[], 10).await, "");
}

#[tokio::test]
async fn a_huge_diff_is_not_read_to_its_end() {
    let lab = Lab::committed();
    let from = lab.hash().await;
    lab.write("big.txt", &"a line of text\n".repeat(2_000_000));
    let to = lab.hash().await;
    let cut = lab.diff(&from, &to, &[], 100_000).await;
    assert!((99_000..100_200).contains(&cut.len()), "{}", cut.len());
}

#[tokio::test]
async fn ids_that_are_none_are_refused() {
    let lab = Lab::committed();
    let good = lab.hash().await;
    for bad in ["--output=/tmp/x", "HEAD", "", "0123456789012345678901234567890123456789"] {
        let bad = TreeId(bad.into());
        let answer = lab.tree.changed(lab.root(), good.clone(), bad.clone()).await;
        assert!(matches!(answer, Err(WorkspaceError::Git(_))), "{bad:?}: {answer:?}");
        let answer = lab.tree.diff(lab.root(), bad.clone(), good.clone(), vec![], 10).await;
        assert!(matches!(answer, Err(WorkspaceError::Git(_))), "{bad:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_folder_of_a_repository_is_a_project_of_its_own() {
    let lab = Lab::committed();
    let src = lab.root().join("src");
    let before = lab.hash_at(&src).await;
    assert_eq!(before.0, git(&lab.root(), &["rev-parse", "HEAD:src"]));
    lab.write("a.txt", "outside of it\n");
    assert_eq!(lab.hash_at(&src).await, before);
    lab.write("src/deep/c.txt", "inside\n");
    let after = lab.hash_at(&src).await;
    let changed = lab.tree.changed(src.clone(), before.clone(), after.clone()).await;
    assert_eq!(changed, Ok(vec!["deep/c.txt".to_string()]), "relative to the folder");
    let diff = lab.tree.diff(src.clone(), before, after, vec!["deep".into()], 1000).await.expect("a diff");
    assert!(diff.contains("+++ b/deep/c.txt"), "{diff}");
    let empty = lab.root().join("empty");
    fs::create_dir(&empty).expect("a folder");
    assert_eq!(lab.hash_at(&empty).await.0, EMPTY);
}

#[tokio::test]
async fn a_folder_that_its_repository_ignores_is_seen_all_the_same() {
    let lab = Lab::committed();
    lab.write(".gitignore", "/build/\n");
    lab.write("build/app/main.c", "int x;\n");
    let app = lab.root().join("build/app");
    let before = lab.hash_at(&app).await;
    lab.write("build/app/main.c", "int y;\n");
    assert_ne!(lab.hash_at(&app).await, before);
}

#[tokio::test]
async fn an_empty_repository_and_an_empty_project_have_trees() {
    let lab = Lab::new();
    assert_eq!(lab.hash().await.0, EMPTY, "no git");
    git(&lab.root(), &["init", "--quiet"]);
    let empty = lab.hash().await;
    assert_eq!(empty.0, EMPTY, "no commit");
    lab.write("a.txt", "one\n");
    let one = lab.hash().await;
    assert_eq!(lab.changed(&empty, &one).await, ["a.txt"]);
}

#[tokio::test]
async fn a_linked_worktree_is_seen() {
    let lab = Lab::committed();
    let linked = lab.base.path().join("linked");
    git(&lab.root(), &["worktree", "add", "--quiet", "-b", "other", linked.to_str().expect("a path")]);
    assert!(linked.join(".git").is_file());
    let before = lab.hash_at(&linked).await;
    assert_eq!(before, lab.hash().await);
    fs::write(linked.join("a.txt"), "here only\n").expect("a file");
    assert_ne!(lab.hash_at(&linked).await, before);
    assert_eq!(lab.hash().await, before);
}

#[tokio::test]
async fn a_project_without_git_has_a_private_repository() {
    let lab = Lab::new();
    lab.write("a.txt", "one\n");
    lab.write("node_modules/x/index.js", "left out\n");
    lab.write("target/debug/app", "left out\n");
    lab.write("dist/app.js", "counts\n");
    let before = lab.hash().await;
    lab.write("a.txt", "two\n");
    lab.write("node_modules/x/index.js", "changed\n");
    let after = lab.hash().await;
    assert_eq!(lab.changed(&before, &after).await, ["a.txt"]);
    assert_eq!(lab.changed(&TreeId(EMPTY.into()), &after).await, ["a.txt", "dist/app.js"]);
    lab.write(".gitignore", "dist/\n");
    let ignored = lab.hash().await;
    assert_eq!(lab.changed(&after, &ignored).await, [".gitignore", "dist/app.js"], "as if never seen");
    assert!(!lab.root().join(".git").exists(), "nothing is made in the project");
    fs::remove_file(lab.root().join(".gitignore")).expect("a removal");
    assert_eq!(lab.hash().await, after);
}

#[tokio::test]
async fn a_data_directory_inside_the_project_does_not_count() {
    let lab = Lab::committed();
    let tree = GitTree::new(&lab.root().join("state/gantry"));
    let before = tree.hash(lab.root(), vec![]).await.expect("a tree");
    assert_eq!(tree.hash(lab.root(), vec![]).await, Ok(before.clone()));
    assert_eq!(before.0, git(&lab.root(), &["rev-parse", "HEAD^{tree}"]));
}

#[tokio::test]
async fn repositories_inside_are_taken_in_with_their_files() {
    let lab = Lab::committed();
    let library = lab.base.path().join("library");
    fs::create_dir(&library).expect("a folder");
    git(&library, &["init", "--quiet"]);
    fs::write(library.join("lib.c"), "int a;\n").expect("a file");
    commit(&library);
    let clean = lab.hash().await;
    git(&lab.root(), &["submodule", "--quiet", "add", library.to_str().expect("a path"), "src/lib"]);
    lab.write("fresh/inner/x.txt", "x\n");
    git(&lab.root().join("fresh/inner"), &["init", "--quiet"]);
    let added = lab.hash().await;
    let expected = [".gitmodules", "fresh/inner/x.txt", "src/lib/lib.c"];
    assert_eq!(lab.changed(&clean, &added).await, expected);
    lab.write("src/lib/lib.c", "int b;\n");
    lab.write("fresh/inner/y.txt", "y\n");
    let edited = lab.hash().await;
    assert_eq!(lab.changed(&added, &edited).await, ["fresh/inner/y.txt", "src/lib/lib.c"]);
    assert!(lab.diff(&added, &edited, &["src/lib"], 1000).await.contains("-int a;\n+int b;\n"));
    // The same from a folder above it.
    let src = lab.root().join("src");
    let inside = lab.hash_at(&src).await;
    let from_empty = lab.tree.changed(src, TreeId(EMPTY.into()), inside).await;
    assert_eq!(from_empty, Ok(vec!["b.txt".to_string(), "lib/lib.c".into()]));
}

#[tokio::test]
async fn odd_names_are_listed() {
    let lab = Lab::committed();
    let clean = lab.hash().await;
    lab.write("two\nlines", "x");
    lab.write("tab\t\"quote\" \\ ä", "x");
    lab.write(":(exclude)a", "x");
    fs::write(lab.root().join(OsStr::from_bytes(b"not-utf8-\xff")), "x").expect("a file");
    std::os::unix::fs::symlink("nowhere", lab.root().join("link")).expect("a link");
    let mut changed = lab.changed(&clean, &lab.hash().await).await;
    changed.sort();
    assert_eq!(changed, [":(exclude)a", "link", "not-utf8-\u{fffd}", "tab\t\"quote\" \\ ä", "two\nlines"]);
    let plan = vec!["two\nlines".to_string(), ":(exclude)a".into()];
    let less = lab.tree.hash(lab.root(), plan).await.expect("a tree");
    assert_eq!(lab.changed(&clean, &less).await.len(), 3);
}

/// The super user can read everything, so that it has to make do with a file that no git may add.
#[tokio::test]
async fn what_cannot_be_read_does_not_stop_the_rest() {
    let lab = Lab::committed();
    let clean = lab.hash().await;
    lab.write("closed/secret.txt", "x\n");
    lab.write("secret.txt", "x\n");
    lab.write("z.txt", "x\n");
    let set = |name: &str, mode| {
        fs::set_permissions(lab.root().join(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    set("secret.txt", 0);
    set("closed", 0);
    let readable = fs::read(lab.root().join("secret.txt")).is_ok();
    let changed = lab.changed(&clean, &lab.hash().await).await;
    set("closed", 0o755);
    if readable {
        assert_eq!(changed, ["closed/secret.txt", "secret.txt", "z.txt"]);
    } else {
        assert_eq!(changed, ["z.txt"]);
    }
}

#[tokio::test]
async fn many_hashes_at_once_agree() {
    for lab in [Lab::committed(), Lab::new()] {
        lab.write("new.txt", "x\n");
        let all = futures(&lab, 8).await;
        assert!(all.iter().all(|id| *id == all[0]), "{all:?}");
        let private =
            super::place::known(&lab.root(), &lab.tree.data_dir, &all[0]).expect("a private repository");
        let left = fs::read_dir(&private).expect("a list").flatten();
        let left: Vec<_> = left.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        assert!(!left.iter().any(|name| name.starts_with("index-")), "left over: {left:?}");
    }
}

async fn futures(lab: &Lab, count: usize) -> Vec<TreeId> {
    let tree = std::sync::Arc::new(GitTree::new(&lab.base.path().join("data")));
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (tree, root) = (std::sync::Arc::clone(&tree), lab.root());
        set.spawn(async move { tree.hash(root, vec![]).await.expect("a tree") });
    }
    set.join_all().await
}

#[tokio::test]
async fn missing_things_are_named() {
    let lab = Lab::committed();
    let text = |answer: Result<TreeId, WorkspaceError>| answer.expect_err("a refusal").to_string();
    let no_git = GitTree::with_program(lab.base.path(), "no-such-git");
    let error = text(no_git.hash(lab.root(), vec![]).await);
    assert!(error.contains("no-such-git was not found: install git"), "{error}");
    let error = text(lab.tree.hash(lab.root().join("none"), vec![]).await);
    assert!(error.contains("project/none"), "{error}");
    let id = TreeId(EMPTY.into());
    let error = lab.tree.changed(lab.root(), id.clone(), id).await.expect_err("a refusal").to_string();
    assert!(error.contains("hash it first"), "{error}");
}

#[tokio::test]
async fn a_broken_repository_is_an_error_and_not_a_project_without_git() {
    let lab = Lab::committed();
    fs::write(lab.root().join(".git/config"), "[core\n").expect("a broken setting");
    let error = lab.tree.hash(lab.root(), vec![]).await.expect_err("a refusal").to_string();
    assert!(error.contains("config"), "{error}");
}

fn age(path: &Path, days: u64) {
    let time = std::fs::metadata(path).expect("a file").modified().expect("its time");
    let then = time - std::time::Duration::from_secs(days * 24 * 3600);
    fs::File::open(path).and_then(|file| file.set_modified(then)).expect("another time");
}

#[tokio::test]
async fn old_objects_and_projects_are_cleared_once_a_day() {
    let lab = Lab::new();
    lab.write("a.txt", "one\n");
    let first = lab.hash().await;
    let private = super::place::known(&lab.root(), &lab.tree.data_dir, &first).expect("a private repository");
    let object = |name: &str| private.join("objects").join(&name[..2]).join(&name[2..]);
    lab.write("a.txt", "two\n");
    let second = lab.hash().await;
    let (old, kept) = (object(&first.0), object(&second.0));
    age(&old, 20);
    age(&kept, 20);
    for leftover in ["index-killed", "keep-me"] {
        fs::write(private.join(leftover), "").expect("a file");
        age(&private.join(leftover), 3);
    }
    let other = private.ancestors().nth(2).expect("all trees").join("another-project/sha1.git");
    fs::create_dir_all(&other).expect("folders");
    fs::write(other.join("pruned"), "").expect("a stamp");
    age(&other.join("pruned"), 29);
    lab.hash().await;
    assert!(old.exists() && private.join("index-killed").exists(), "not again on the same day");
    age(&private.join("pruned"), 2);
    lab.hash().await;
    assert!(!old.exists() && !private.join("index-killed").exists());
    assert!(kept.exists() && private.join("keep-me").exists() && other.exists());
    assert_eq!(lab.changed(&TreeId(EMPTY.into()), &second).await, ["a.txt"]);
    age(&other.join("pruned"), 2);
    age(&private.join("pruned"), 2);
    lab.hash().await;
    assert!(!other.parent().expect("its folder").exists(), "31 days without a mission");
}

#[tokio::test]
async fn texts_are_read_in_any_encoding_and_what_is_not_there_is_told_apart() {
    let lab = Lab::committed();
    fs::write(lab.root().join("latin.ts"), b"// caf\xe9\n").expect("a file");
    lab.write("empty.ts", "");
    let tree = lab.hash().await;
    let names = ["latin.ts", "none.ts", "empty.ts", "a.txt"].map(ToOwned::to_owned).to_vec();
    let read = lab.tree.read(lab.root(), tree, names).await.expect("texts");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(read, [text("// caf\u{fffd}\n"), None, text(""), text("one\n")]);
}
