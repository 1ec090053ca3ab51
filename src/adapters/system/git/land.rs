//! Changes put together, and brought back into the user's project.
use super::command::{Call, Git, failed};
use super::diff::{self, Raw, call, id};
use super::place::{Place, file};
use super::put::{remove, sweep};
use super::shift::{Due, Shifted, listed, shift};
use super::snapshot::{self, path_of};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use crate::ports::worktrees::{Conflict, Merged, Move};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const AUTHOR: &str = "Gantry <gantry@localhost>";

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
    (from, to): (&TreeId, &TreeId),
    exclude: &[String],
) -> Result<Move, WorkspaceError> {
    let landing = Landing { git, place, data_dir, from, to, exclude };
    let wanted = diff::raw(git, &place.private, from, to).await?;
    for raw in &wanted {
        let path = path_of(&raw.name);
        sweep(&place.root, &path).map_err(|e| file(&path, &e))?;
    }
    let look = landing.look(&wanted).await?;
    if look.now == *to {
        return Ok(Move::Done);
    }
    if !look.edited.is_empty() {
        let why = format!("changed meanwhile: {}", listed(&look.edited));
        return Ok(landing.back(look, Move::InTheWay(why)).await);
    }
    let due = look.missing.iter().cloned().map(Due::new).collect();
    match shift(git, place, &look.now, to, due).await {
        Shifted::Done => Ok(Move::Done),
        Shifted::Not(stop) => Ok(landing.back(look, stop).await),
        Shifted::Half { why, new } => Ok(landing.undo(&wanted, why, &new).await),
    }
}

struct Landing<'a> {
    git: &'a Git,
    place: &'a Place,
    data_dir: &'a Path,
    from: &'a TreeId,
    to: &'a TreeId,
    exclude: &'a [String],
}

/// The files as they are: what is moved and what is still to be.
struct Look {
    now: TreeId,
    /// From before the move to now.
    moved: Vec<Raw>,
    missing: Vec<Raw>,
    /// Neither as before nor as wanted: the user's.
    edited: Vec<PathBuf>,
}

impl Landing<'_> {
    async fn look(&self, wanted: &[Raw]) -> Result<Look, WorkspaceError> {
        let now = snapshot::take(self.git, self.place, self.data_dir, self.exclude).await?;
        let private = &self.place.private;
        let moved = diff::raw(self.git, private, self.from, &now).await?;
        let missing = diff::raw(self.git, private, &now, self.to).await?;
        let set = |list: &[Raw]| list.iter().map(|raw| raw.name.clone()).collect::<BTreeSet<_>>();
        let (missed, wanted) = (set(&missing), set(wanted));
        let foreign = |raw: &&Raw| missed.contains(&raw.name) || !wanted.contains(&raw.name);
        let edited = moved.iter().filter(foreign).map(|raw| path_of(&raw.name)).collect();
        Ok(Look { now, moved, missing, edited })
    }

    /// Half of the result is no result: what was moved goes back, what the user wrote stays. Answers with why that is so.
    async fn back(&self, look: Look, stop: Move) -> Move {
        let Look { now, moved, edited, .. } = look;
        let ours = |raw: &Raw| !edited.contains(&path_of(&raw.name));
        let due: Vec<_> = moved.into_iter().filter(ours).map(Due::back).collect();
        let (Move::InTheWay(why) | Move::Refused(why)) = &stop else { return stop };
        if due.is_empty() {
            return stop;
        }
        let paths: Vec<_> = due.iter().map(|due| due.path.clone()).collect();
        match shift(self.git, self.place, &now, self.from, due).await {
            Shifted::Done => stop,
            Shifted::Not(Move::InTheWay(fault) | Move::Refused(fault)) | Shifted::Half { why: fault, .. } => {
                Move::Half(format!("{why}; {} could not be put back: {fault}", listed(&paths)))
            }
            Shifted::Not(other) => other,
        }
    }

    /// The move broke off in the middle.
    async fn undo(&self, wanted: &[Raw], why: String, new: &[PathBuf]) -> Move {
        let look = match self.look(wanted).await {
            Ok(look) => look,
            Err(error) => return Move::Half(format!("{why}; and then: {error}")),
        };
        // New files that are ignored are in no tree: nobody else would take them away.
        let seen: BTreeSet<_> = look.moved.iter().map(|raw| path_of(&raw.name)).collect();
        for path in new.iter().filter(|path| !seen.contains(*path)) {
            if let Err(error) = remove(&self.place.root, path) {
                return Move::Half(format!("{why}; {} could not be removed: {error}", path.display()));
            }
        }
        let stop = if look.edited.is_empty() {
            Move::Refused(why)
        } else {
            Move::InTheWay(format!("changed meanwhile: {}", listed(&look.edited)))
        };
        self.back(look, stop).await
    }
}
