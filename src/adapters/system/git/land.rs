//! Changes put together, and brought back into the user's project.
use super::super::files;
use super::command::{Call, Git, failed};
use super::diff::{call, id};
use super::place::{Place, file};
use super::snapshot::{self, names};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use crate::ports::worktrees::{Conflict, Merged, Move, Proposal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const AUTHOR: &str = "Gantry <gantry@localhost>";
/// Branches of one mission; more are made by nobody but a loop.
const MOST_BRANCHES: u32 = 100;

/// A commit object in the private repository. Its text says everything about it, so the same call gives the same commit.
pub(super) async fn commit(
    git: &Git,
    private: &Path,
    tree: &TreeId,
    parents: &[&str],
    title: &str,
    at: u64,
) -> Result<String, WorkspaceError> {
    let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let text = format!(
        "tree {}\n{parents}author {AUTHOR} {at} +0000\ncommitter {AUTHOR} {at} +0000\n\n{title}\n",
        id(tree)?
    );
    let call = Call { input: text.into_bytes(), ..call(private) };
    let made = git.text(call, ["hash-object", "-t", "commit", "-w", "--stdin"]).await?;
    Ok(String::from_utf8_lossy(&made).trim().to_owned())
}

pub(super) async fn merge(
    git: &Git,
    private: &Path,
    base: &TreeId,
    ours: &TreeId,
    theirs: &TreeId,
) -> Result<Merged, WorkspaceError> {
    let clean = |tree: &TreeId| Ok(Merged { tree: tree.clone(), conflicts: Vec::new() });
    if base == ours || ours == theirs {
        return clean(theirs);
    }
    if base == theirs {
        return clean(ours);
    }
    // Git before 2.45 merges commits only, and finds their base by itself.
    let root = commit(git, private, base, &[], "before", 0).await?;
    let ours_at = commit(git, private, ours, &[&root], "accepted", 0).await?;
    let theirs_at = commit(git, private, theirs, &[&root], "change", 0).await?;
    // Rules such as `merge=union` are the project's own.
    let call = call(private).env("GIT_ATTR_SOURCE", id(ours)?);
    let args = ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", &ours_at, &theirs_at];
    let output = git.output(call, args).await?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(failed(private, &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut parts = text.split('\0');
    let tree = TreeId(parts.next().unwrap_or_default().to_owned());
    if output.status.success() {
        return clean(&tree);
    }
    let paths: Vec<String> = parts.by_ref().take_while(|part| !part.is_empty()).map(str::to_owned).collect();
    let told = messages(parts);
    let said = |path: &String| told.iter().find(|(of, _)| of.contains(path)).map(|(_, text)| text.clone());
    let conflict = |path: String| {
        let message = said(&path).unwrap_or_else(|| "both changed it".into());
        Conflict { path, message }
    };
    Ok(Merged { tree, conflicts: paths.into_iter().map(conflict).collect() })
}

/// `COUNT, PATHS…, KIND, TEXT` again and again; those of what went well are left out.
fn messages<'a>(mut parts: impl Iterator<Item = &'a str>) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    while let Some(count) = parts.next().and_then(|count| count.parse::<usize>().ok()) {
        let paths = parts.by_ref().take(count).map(str::to_owned).collect();
        let (kind, text) = (parts.next(), parts.next());
        if let (Some(kind), Some(text)) = (kind, text)
            && kind.starts_with("CONFLICT")
        {
            found.push((paths, text.trim().to_owned()));
        }
    }
    found
}

pub(super) async fn apply(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    from: &TreeId,
    to: &TreeId,
    exclude: &[String],
) -> Result<Move, WorkspaceError> {
    let now = snapshot::take(git, place, data_dir, exclude).await?;
    if now == *to {
        return Ok(Move::Done);
    }
    let changed = |from: TreeId, to: TreeId| async move {
        let list = super::diff::changed(git, &place.private, &from, &to).await?;
        Ok::<BTreeSet<String>, WorkspaceError>(list.into_iter().collect())
    };
    // Files that are neither as before nor as wanted are the user's; the rest is a move that was cut off.
    let (moved, missing) =
        (changed(from.clone(), now.clone()).await?, changed(now.clone(), to.clone()).await?);
    let wanted = changed(from.clone(), to.clone()).await?;
    let edited: Vec<_> =
        moved.iter().filter(|path| missing.contains(*path) || !wanted.contains(*path)).cloned().collect();
    if edited.is_empty() {
        return switch(git, place, &now, to).await;
    }
    if moved.len() > edited.len() {
        // Half of the result is no result: what was moved goes back, what the user wrote stays.
        let back = with(git, place, &now, from, moved.iter().filter(|path| !edited.contains(path))).await?;
        switch(git, place, &now, &back).await?;
    }
    Ok(Move::InTheWay(format!("changed meanwhile: {}", listed(&edited))))
}

fn listed(paths: &[String]) -> String {
    let shown = paths.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if paths.len() > 5 { format!("{shown} and {} more", paths.len() - 5) } else { shown }
}

/// An index in the private repository's folder that is gone with the value.
fn scratch(place: &Place) -> Result<tempfile::TempDir, WorkspaceError> {
    let made = tempfile::Builder::new().prefix("index-").tempdir_in(&place.private);
    made.map_err(|e| file(&place.private, &e))
}

/// Moves files by git's own rules for switching: it looks at all of them first, and refuses when one is not what it
/// should be or a new file would take the place of one that is not in version control.
async fn switch(git: &Git, place: &Place, now: &TreeId, to: &TreeId) -> Result<Move, WorkspaceError> {
    let scratch = scratch(place)?;
    let index = scratch.path().join("index");
    let call = || {
        let call = Call::at(&place.root).env("GIT_INDEX_FILE", &index).env("GIT_WORK_TREE", &place.root);
        match &place.user {
            // With the settings of the user's repository: they say what files look like on disk.
            Some(user) => {
                call.env("GIT_DIR", &user.git_dir).env("GIT_OBJECT_DIRECTORY", place.private.join("objects"))
            }
            None => call.env("GIT_DIR", &place.private),
        }
    };
    if let Some(hidden) = hidden(git, place, now, to, &call).await? {
        return Ok(Move::InTheWay(format!("{hidden} is there, and ignored")));
    }
    git.text(call(), ["read-tree", id(now)?]).await?;
    // 1: something differs, which the next call says better.
    git.output(call(), ["update-index", "-q", "--really-refresh"]).await?;
    let moved = git.output(call(), ["read-tree", "-m", "-u", id(now)?, id(to)?]).await?;
    if moved.status.success() {
        return Ok(Move::Done);
    }
    let text = String::from_utf8_lossy(&moved.stderr);
    let refused = ["not uptodate", "would be overwritten", "would be removed", "would lose"];
    if refused.iter().any(|sign| text.contains(sign)) {
        return Ok(Move::InTheWay(text.trim().trim_start_matches("error: ").to_owned()));
    }
    Err(failed(&place.root, &moved.stderr))
}

/// A file that is in no tree because it is ignored, where a new one is to be: git would take its place without a word.
async fn hidden<'a>(
    git: &Git,
    place: &Place,
    now: &TreeId,
    to: &TreeId,
    call: &impl Fn() -> Call<'a>,
) -> Result<Option<String>, WorkspaceError> {
    let before: BTreeSet<String> = listing(git, place, now).await?.into_keys().collect();
    for (path, blob) in listing(git, place, to).await? {
        if before.contains(&path) || !place.root.join(&path).is_file() {
            continue;
        }
        // A move that was cut off may have made it.
        let there = git.text(call(), ["hash-object", "--", &path]).await?;
        if String::from_utf8_lossy(&there).trim() != blob {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Paths of a tree with their content.
async fn listing(
    git: &Git,
    place: &Place,
    tree: &TreeId,
) -> Result<BTreeMap<String, String>, WorkspaceError> {
    let list = git.text(call(&place.private), ["ls-tree", "-r", "-z", id(tree)?]).await?;
    let entry = |entry: &[u8]| {
        let text = String::from_utf8_lossy(entry);
        let (head, path) = text.split_once('\t')?;
        Some((path.to_owned(), head.rsplit(' ').next()?.to_owned()))
    };
    Ok(names(&list).filter_map(entry).collect())
}

/// `tree` with some paths as `other` has them.
async fn with(
    git: &Git,
    place: &Place,
    tree: &TreeId,
    other: &TreeId,
    paths: impl Iterator<Item = &String>,
) -> Result<TreeId, WorkspaceError> {
    let paths: BTreeSet<&str> = paths.map(String::as_str).collect();
    let lines = differences(git, place, tree, other, |path| paths.contains(path)).await?;
    edited(git, place, tree, "", &lines).await
}

/// What turns one tree into another, as lines for `update-index --index-info`.
async fn differences(
    git: &Git,
    place: &Place,
    from: &TreeId,
    to: &TreeId,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, String)>, WorkspaceError> {
    let args = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", id(from)?, id(to)?];
    let list = git.text(call(&place.private), args).await?;
    let mut entries = names(&list);
    let mut lines = Vec::new();
    while let (Some(head), Some(path)) = (entries.next(), entries.next()) {
        let (head, path) = (String::from_utf8_lossy(head), String::from_utf8_lossy(path).into_owned());
        let mut parts = head.trim_start_matches(':').split(' ');
        let (Some(_), Some(mode), Some(_), Some(blob)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if wanted(&path) {
            // Mode 0 takes the entry out.
            let mode = if mode == "000000" { "0" } else { mode };
            lines.push((format!("{mode} {blob}"), path));
        }
    }
    Ok(lines)
}

/// `tree` with such lines carried out, their paths below `prefix`.
async fn edited(
    git: &Git,
    place: &Place,
    tree: &TreeId,
    prefix: &str,
    lines: &[(String, String)],
) -> Result<TreeId, WorkspaceError> {
    let scratch = scratch(place)?;
    let index = scratch.path().join("index");
    let at = || call(&place.private).env("GIT_INDEX_FILE", &index);
    git.text(at(), ["read-tree", id(tree)?]).await?;
    let input: Vec<u8> =
        lines.iter().flat_map(|(entry, path)| format!("{entry}\t{prefix}{path}\0").into_bytes()).collect();
    if !input.is_empty() {
        git.text(Call { input, ..at() }, ["update-index", "-z", "--index-info"]).await?;
    }
    let made = git.text(at(), ["write-tree", "--missing-ok"]).await?;
    Ok(TreeId(String::from_utf8_lossy(&made).trim().to_owned()))
}

pub(super) async fn propose(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    proposal: &Proposal,
) -> Result<String, WorkspaceError> {
    let Some(user) = &place.user else { return patch(git, place, data_dir, proposal).await };
    let ask = |args: &'static [&'static str]| git.output(Call::at(&place.root), args);
    let head = ask(&["rev-parse", "--verify", "--quiet", "HEAD"]).await?;
    let top = ask(&["rev-parse", "--verify", "--quiet", "HEAD^{tree}"]).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (parent, whole) = if head.status.success() {
        (Some(text(&head.stdout)), TreeId(text(&top.stdout)))
    } else {
        (None, TreeId(text(&git.text(call(&place.private), ["mktree"]).await?)))
    };
    let inside = inside(git, place, user, &whole).await?;
    let links = links(git, place, &inside).await?;
    let mut tip = parent;
    let mut last = whole.clone();
    let titles = [
        ("Your changes that were not committed when the mission began", &proposal.base),
        (&proposal.title, &proposal.tree),
    ];
    for (title, tree) in titles {
        let kept = |path: &str| {
            let below = |link: &String| {
                path.strip_prefix(link.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            !proposal.exclude.iter().any(|left_out| left_out == path) && !links.iter().any(below)
        };
        let lines = differences(git, place, &inside, tree, kept).await?;
        let full = edited(git, place, &whole, &user.prefix, &lines).await?;
        if full != last {
            let parents: Vec<&str> = tip.iter().map(String::as_str).collect();
            tip = Some(commit(git, &place.private, &full, &parents, title, proposal.at).await?);
            last = full;
        }
    }
    let tip = tip.ok_or_else(|| WorkspaceError::Git("there is nothing to put on a branch".into()))?;
    branch(git, place, &proposal.name, &tip).await
}

/// Where there is no repository to make a branch in.
async fn patch(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    proposal: &Proposal,
) -> Result<String, WorkspaceError> {
    let args = ["diff-tree", "-r", "-p", "--binary", id(&proposal.base)?, id(&proposal.tree)?];
    let text = git.text(call(&place.private), args).await?;
    let to = data_dir.join("results").join(format!("{}.patch", proposal.name.replace('/', "-")));
    files::make_folder(&data_dir.join("results"))
        .and_then(|()| files::write_atomic(&to, &text))
        .map_err(|e| file(&to, &e))?;
    Ok(to.display().to_string())
}

/// The project's part of the last commit's tree.
async fn inside(
    git: &Git,
    place: &Place,
    user: &super::place::Repository,
    whole: &TreeId,
) -> Result<TreeId, WorkspaceError> {
    if user.prefix.is_empty() {
        return Ok(whole.clone());
    }
    let path = format!("{}:{}", id(whole)?, user.prefix.trim_end_matches('/'));
    let found = git.output(call(&place.private), ["rev-parse", "--verify", "--quiet", &path]).await?;
    let tree = if found.status.success() {
        found.stdout
    } else {
        git.text(call(&place.private), ["mktree"]).await?
    };
    Ok(TreeId(String::from_utf8_lossy(&tree).trim().to_owned()))
}

/// Submodules: the trees have their files, a commit names theirs.
async fn links(git: &Git, place: &Place, tree: &TreeId) -> Result<Vec<String>, WorkspaceError> {
    let list = git.text(call(&place.private), ["ls-tree", "-r", "-z", id(tree)?]).await?;
    let links = names(&list).filter(|entry| entry.starts_with(b"160000 "));
    Ok(links.filter_map(|e| Some(String::from_utf8_lossy(e).split_once('\t')?.1.to_owned())).collect())
}

/// Makes the branch in the user's repository, with the objects it lacks. One that stands for something else stays.
async fn branch(git: &Git, place: &Place, name: &str, tip: &str) -> Result<String, WorkspaceError> {
    let kept = format!("refs/gantry/{tip}");
    git.text(call(&place.private), ["update-ref", &kept, tip]).await?;
    let mut made = None;
    for n in 1..=MOST_BRANCHES {
        let name = if n == 1 { name.to_owned() } else { format!("{name}-{n}") };
        let full = format!("refs/heads/{name}");
        let there = git.output(Call::at(&place.root), ["rev-parse", "--verify", "--quiet", &full]).await?;
        let there = String::from_utf8_lossy(&there.stdout).trim().to_owned();
        if there == tip {
            made = Some(name);
            break;
        }
        if there.is_empty() {
            let from = place.private.display().to_string();
            let refspec = format!("{kept}:{full}");
            let args = [
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                &from,
                &refspec,
            ];
            git.text(Call::at(&place.root), args).await?;
            made = Some(name);
            break;
        }
    }
    git.text(call(&place.private), ["update-ref", "-d", &kept]).await?;
    made.ok_or_else(|| {
        WorkspaceError::Git(format!("there are {MOST_BRANCHES} branches {name} already: remove some"))
    })
}
