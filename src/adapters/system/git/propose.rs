//! A result that is to be looked at: left as a branch of the user's, or as a patch.
use super::super::files;
use super::command::{Call, Git};
use super::diff::{self, Raw, call, id};
use super::land::commit;
use super::place::{Place, file};
use super::restore::graft;
use super::snapshot::{names, path_of};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use crate::ports::worktrees::{Left, Proposal};
use std::fs;
use std::path::Path;

/// Branches, or patches, of one mission; more are made by nobody but a loop.
const MOST: u32 = 100;

pub(super) async fn propose(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    proposal: &Proposal,
) -> Result<Left, WorkspaceError> {
    let mut fault = None;
    if place.user.is_some() {
        match on_branch(git, place, data_dir, proposal).await {
            Ok(left) => return Ok(left),
            Err(error) => fault = Some(error.to_string()),
        }
    }
    // What the user cannot be given as a branch is no less worth.
    let patch = patch(git, place, data_dir, proposal, "", &[]).await;
    match (patch, &fault) {
        (Ok(Some(patch)), _) => Ok(Left { patch: Some(patch), fault, ..Left::default() }),
        (Ok(None), _) => Err(WorkspaceError::Git("there is nothing to leave".into())),
        (Err(error), Some(fault)) => Err(WorkspaceError::Git(format!("{fault}; and {error}"))),
        (Err(error), None) => Err(error),
    }
}

async fn on_branch(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    proposal: &Proposal,
) -> Result<Left, WorkspaceError> {
    let Head { commit: mut tip, whole } = head(git, place).await?;
    let inside = inside(git, place, &whole).await?;
    let links = links(git, place, &inside).await?;
    let below = |raw: &Raw| links.iter().any(|link| is_below(&raw.name, link));
    let changed = diff::raw(git, &place.private, &proposal.base, &proposal.tree).await?;
    if changed.iter().all(below) {
        // The branch would be empty.
        return Ok(Left { patch: patch(git, place, data_dir, proposal, "", &[]).await?, ..Left::default() });
    }
    let mut last = whole.clone();
    let titles = [
        ("Your changes that were not committed when the mission began", &proposal.base),
        (&proposal.title, &proposal.tree),
    ];
    for (title, tree) in titles {
        let raws = diff::raw(git, &place.private, &inside, tree).await?;
        let left_out = |raw: &Raw| proposal.exclude.iter().any(|path| path.as_bytes() == raw.name);
        let kept = raws.iter().filter(|raw| !left_out(raw) && !below(raw));
        let full = grafted(git, place, &whole, kept).await?;
        if full != last {
            let parents: Vec<&str> = tip.iter().map(String::as_str).collect();
            tip = Some(commit(git, &place.private, &full, &parents, title, proposal.at).await?);
            last = full;
        }
    }
    let tip = tip.ok_or_else(|| WorkspaceError::Git("there is nothing to put on a branch".into()))?;
    let outside: Vec<_> = changed.iter().filter(|raw| below(raw)).map(|raw| shown(&raw.name)).collect();
    let patch = if outside.is_empty() {
        None
    } else {
        patch(git, place, data_dir, proposal, "-rest", &links).await?
    };
    let branch = Some(branch(git, place, &proposal.name, &tip).await?);
    Ok(Left { branch, patch, outside, fault: None })
}

fn is_below(name: &[u8], link: &[u8]) -> bool {
    name.strip_prefix(link).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Puts what is in these folders, or all of it, into a file; none where it changes nothing. One that has something else in
/// it stays.
async fn patch(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    proposal: &Proposal,
    kind: &str,
    folders: &[Vec<u8>],
) -> Result<Option<String>, WorkspaceError> {
    let args = ["diff-tree", "-r", "-p", "--binary", id(&proposal.base)?, id(&proposal.tree)?, "--"];
    let args = args.iter().map(|arg| (*arg).into());
    let args: Vec<std::ffi::OsString> =
        args.chain(folders.iter().map(|folder| path_of(folder).into())).collect();
    let text = git.text(call(&place.private), args).await?;
    if text.is_empty() {
        return Ok(None);
    }
    let folder = data_dir.join("results");
    files::make_folder(&folder).map_err(|e| file(&folder, &e))?;
    let name = format!("{}{kind}", proposal.name.replace('/', "-"));
    for n in 1..=MOST {
        let to = folder.join(if n == 1 { format!("{name}.patch") } else { format!("{name}-{n}.patch") });
        let there = fs::read(&to).ok();
        if there.as_ref() != Some(&text) {
            if there.is_some() {
                continue;
            }
            files::write_atomic(&to, &text).map_err(|e| file(&to, &e))?;
        }
        return Ok(Some(to.display().to_string()));
    }
    let why = std::io::Error::other(format!("there are {MOST} patches of this name already: remove some"));
    Err(file(&folder.join(name), &why))
}

/// The user's last commit, and its tree.
struct Head {
    commit: Option<String>,
    whole: TreeId,
}

async fn head(git: &Git, place: &Place) -> Result<Head, WorkspaceError> {
    let ask = |args: &'static [&'static str]| git.output(Call::at(&place.root), args);
    let head = ask(&["rev-parse", "--verify", "--quiet", "HEAD"]).await?;
    let top = ask(&["rev-parse", "--verify", "--quiet", "HEAD^{tree}"]).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if head.status.success() {
        return Ok(Head { commit: Some(text(&head.stdout)), whole: TreeId(text(&top.stdout)) });
    }
    Ok(Head { commit: None, whole: empty(git, place).await? })
}

async fn empty(git: &Git, place: &Place) -> Result<TreeId, WorkspaceError> {
    let tree = git.text(call(&place.private), ["mktree"]).await?;
    Ok(TreeId(String::from_utf8_lossy(&tree).trim().to_owned()))
}

async fn grafted<'a>(
    git: &Git,
    place: &Place,
    whole: &TreeId,
    raws: impl Iterator<Item = &'a Raw>,
) -> Result<TreeId, WorkspaceError> {
    let lines: Vec<_> = raws.map(|raw| (raw.name.as_slice(), raw.to.as_ref())).collect();
    graft(git, &place.private, whole, place.prefix(), &lines).await
}

/// A tree of the whole repository with the `.gitattributes` of a tree of the project in their places.
pub(super) async fn rules(git: &Git, place: &Place, tree: &TreeId) -> Result<TreeId, WorkspaceError> {
    if place.prefix().is_empty() {
        return Ok(tree.clone());
    }
    let Head { whole, .. } = head(git, place).await?;
    let inside = inside(git, place, &whole).await?;
    let raws = diff::raw(git, &place.private, &inside, tree).await?;
    let is_rules = |raw: &&Raw| path_of(&raw.name).file_name().is_some_and(|name| name == ".gitattributes");
    grafted(git, place, &whole, raws.iter().filter(is_rules)).await
}

/// The project's part of the last commit's tree.
async fn inside(git: &Git, place: &Place, whole: &TreeId) -> Result<TreeId, WorkspaceError> {
    let prefix = place.prefix();
    if prefix.is_empty() {
        return Ok(whole.clone());
    }
    let path = format!("{}:{}", id(whole)?, prefix.trim_end_matches('/'));
    let found = git.output(call(&place.private), ["rev-parse", "--verify", "--quiet", &path]).await?;
    if found.status.success() {
        return Ok(TreeId(String::from_utf8_lossy(&found.stdout).trim().to_owned()));
    }
    empty(git, place).await
}

/// Submodules: the trees have their files, a commit names theirs.
async fn links(git: &Git, place: &Place, tree: &TreeId) -> Result<Vec<Vec<u8>>, WorkspaceError> {
    let list = git.text(call(&place.private), ["ls-tree", "-r", "-z", id(tree)?]).await?;
    let links = names(&list).filter(|entry| entry.starts_with(b"160000 "));
    let name = |entry: &[u8]| Some(entry[entry.iter().position(|byte| *byte == b'\t')? + 1..].to_vec());
    Ok(links.filter_map(name).collect())
}

/// Makes the branch in the user's repository, with the objects it lacks. One that stands for something else stays.
async fn branch(git: &Git, place: &Place, name: &str, tip: &str) -> Result<String, WorkspaceError> {
    // Stays where the branch cannot be made: by it the commits are found.
    let kept = format!("refs/gantry/{tip}");
    git.text(call(&place.private), ["update-ref", &kept, tip]).await?;
    let of = async |name: &str| {
        let full = format!("refs/heads/{name}");
        let there = git.output(Call::at(&place.root), ["rev-parse", "--verify", "--quiet", &full]).await?;
        Ok::<_, WorkspaceError>(String::from_utf8_lossy(&there.stdout).trim().to_owned())
    };
    let mut name = name.to_owned();
    // Where there is a branch `gantry`, git can make none below it.
    if let Some((folder, _)) = name.split_once('/')
        && !of(folder).await?.is_empty()
    {
        name = name.replace('/', "-");
    }
    for n in 1..=MOST {
        let name = if n == 1 { name.clone() } else { format!("{name}-{n}") };
        let there = of(&name).await?;
        if there.is_empty() {
            let from = place.private.display().to_string();
            let refspec = format!("{kept}:refs/heads/{name}");
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
        } else if there != tip {
            continue;
        }
        git.text(call(&place.private), ["update-ref", "-d", &kept]).await?;
        return Ok(name);
    }
    Err(WorkspaceError::Git(format!("there are {MOST} branches {name} already: remove some")))
}
