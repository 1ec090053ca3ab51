//! Worktrees in the data directory: each is a small repository of its own that borrows all objects.
//!
//! `git worktree add` was rejected: it shares branches, stash, settings and remotes with the user's repository, so that
//! a worker could change them, and keeps its records in there. The host takes a repository with the same first
//! commit for the same project, so conversations in a worktree are children of the user's all the same.
use super::super::files;
use super::command::{Call, Git};
use super::links::join;
use super::place::{LEFT_OUT, Place, Slot, file};
use super::snapshot::{borrow, names};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of the user's repository that change what files look like or who commits. Nothing else is taken over: no
/// remotes, no hooks, no aliases.
const SETTINGS: &str = "^(user\\..*|filter\\..*|diff\\..*|core\\.(autocrlf|eol|ignorecase|filemode|symlinks|precomposeunicode|attributesfile|excludesfile))$";
const FILE: &str = "settings";
const STAMP: &str = "set-up";
/// What the commands that make a worktree ready go by, as of the last time it was given.
const NEEDS: &str = "needs";
/// Files that say what a project is built with, wherever they are in it: where one is another, so is what was set up.
const MANIFESTS: [&str; 22] = [
    "Cargo.lock",
    "Cargo.toml",
    "Gemfile.lock",
    "Pipfile.lock",
    "bun.lock",
    "bun.lockb",
    "build.gradle",
    "build.gradle.kts",
    "composer.lock",
    "deno.lock",
    "go.mod",
    "go.sum",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pom.xml",
    "pyproject.toml",
    "uv.lock",
    "yarn.lock",
];
/// Folder of a slot with the worktree in it, which has the project's name; all else in the slot is Gantry's own, and no
/// name of a project gets into its way.
const TREE: &str = "tree";
/// The links that were made in the worktree, a line each.
const LINKS: &str = "links";
/// Worktrees of one project that stay for its next mission.
const KEPT: u32 = 4;
/// Worktrees that no mission used for so long are removed.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);

/// One call of `Worktrees::give`.
pub(super) struct Wanted<'a> {
    pub(super) base: &'a TreeId,
    pub(super) files: &'a TreeId,
    pub(super) links: &'a [String],
}

pub(super) async fn give(
    git: &Git,
    place: &Place,
    slot: &Slot,
    wanted: &Wanted<'_>,
) -> Result<PathBuf, WorkspaceError> {
    let name = place.root.file_name().unwrap_or("project".as_ref());
    let tree = slot.folder.join(TREE).join(name);
    files::make_folder(&tree).map_err(|e| file(&tree, &e))?;
    if !slot.git_dir().join("HEAD").is_file() {
        init(git, &slot.git_dir(), place, &["--bare"]).await?;
    }
    settings(git, place, slot).await?;
    ignored(&slot.git_dir(), place, wanted.links)?;
    unjoin(slot, &tree)?;
    checkout(git, place, slot, &tree, wanted.files).await?;
    let links = slot.folder.join(LINKS);
    files::write_atomic(&links, wanted.links.join("\n").as_bytes()).map_err(|e| file(&links, &e))?;
    wanted.links.iter().try_for_each(|link| join(place, &tree, link))?;
    own_repository(git, place, slot, &tree, wanted).await?;
    // Told by `tidy` from those that nobody uses.
    files::write_atomic(&slot.folder.join("given"), b"").map_err(|e| file(&slot.folder, &e))?;
    Ok(tree)
}

async fn init(git: &Git, at: &Path, place: &Place, kind: &[&str]) -> Result<(), WorkspaceError> {
    let format: &[&str] = if place.sha256() { &["--object-format=sha256"] } else { &[] };
    // No template: it would bring sample hooks.
    let args = ["init", "--quiet", "--template="].iter().chain(format).chain(kind);
    let at = at.as_os_str();
    let args = args.map(|arg| (*arg).into()).chain([at.to_owned()]);
    git.text(Call::at(&place.private), args).await?;
    Ok(())
}

/// Written anew each time: the user may have changed them.
async fn settings(git: &Git, place: &Place, slot: &Slot) -> Result<(), WorkspaceError> {
    let mut text = String::new();
    if place.user.is_some() {
        let args = ["config", "--local", "--includes", "-z", "--get-regexp", SETTINGS];
        // 1: none of them is set.
        let list = git.output(Call::at(&place.root), args).await?.stdout;
        names(&list).filter_map(|entry| setting(&String::from_utf8_lossy(entry))).for_each(|s| text += &s);
    }
    let (kept, config) = (slot.folder.join(FILE), slot.git_dir().join("config"));
    files::write_atomic(&kept, text.as_bytes()).map_err(|e| file(&kept, &e))?;
    include(&config, &kept)
}

/// `SECTION.SUB.NAME`, a line end and the value, as lines of a settings file.
fn setting(entry: &str) -> Option<String> {
    let (key, value) = entry.split_once('\n')?;
    let (section, rest) = key.split_once('.')?;
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let (head, name) = match rest.rsplit_once('.') {
        Some((sub, name)) => (format!("[{section} \"{}\"]", quoted(sub)), name),
        None => (format!("[{section}]"), rest),
    };
    Some(format!("{head}\n\t{name} = \"{}\"\n", quoted(value)))
}

fn include(config: &Path, settings: &Path) -> Result<(), WorkspaceError> {
    let known = fs::read_to_string(config).map_err(|e| file(config, &e))?;
    let line = format!("[include]\n\tpath = \"{}\"\n", settings.display());
    if known.contains(&line) {
        return Ok(());
    }
    fs::write(config, known + &line).map_err(|e| file(config, &e))
}

/// What the user leaves out of version control beside `.gitignore`, and the links.
fn ignored(git_dir: &Path, place: &Place, links: &[String]) -> Result<(), WorkspaceError> {
    let mut text = match &place.user {
        Some(user) => fs::read_to_string(user.exclude()).unwrap_or_default(),
        None => LEFT_OUT.into(),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // A rule with `/` at its end, as is usual for folders, does not count for a link.
    links.iter().for_each(|link| text += &format!("/{link}\n"));
    let list = git_dir.join("info/exclude");
    files::make_folder(&git_dir.join("info"))
        .and_then(|()| files::write_atomic(&list, text.as_bytes()))
        .map_err(|e| file(&list, &e))
}

async fn checkout(
    git: &Git,
    place: &Place,
    slot: &Slot,
    tree: &Path,
    files: &TreeId,
) -> Result<(), WorkspaceError> {
    if let Some(user) = &place.user {
        borrow(&place.private, &user.objects).map_err(|e| file(&place.private, &e))?;
    }
    let index = slot.index();
    // Of a call that was killed.
    let _ = fs::remove_file(slot.folder.join("index.lock"));
    let call = || slot.call(tree, &place.private, &index);
    git.text(call(), ["read-tree", "--reset", "-u", super::diff::id(files)?]).await?;
    git.text(call(), ["clean", "-ffdq"]).await?;
    let list = git.text(call(), ["ls-files", "--stage", "-z"]).await?;
    let needs: Vec<u8> = names(&list).filter(|e| is_manifest(e)).flat_map(|e| [e, b"\n"].concat()).collect();
    let at = slot.folder.join(NEEDS);
    files::write_atomic(&at, &needs).map_err(|e| file(&at, &e))
}

/// Of an entry of the index, such as `100644 ID 0<tab>PATH`.
fn is_manifest(entry: &[u8]) -> bool {
    let text = String::from_utf8_lossy(entry);
    let name = text.split_once('\t').and_then(|(_, path)| path.rsplit('/').next()).unwrap_or_default();
    MANIFESTS.contains(&name) || name.starts_with("requirements") && name.ends_with(".txt")
}

/// Takes away the links that were made for who was here before: they may not be wanted any more, and a command that
/// empties such a folder would empty the user's.
fn unjoin(slot: &Slot, tree: &Path) -> Result<(), WorkspaceError> {
    let made = fs::read_to_string(slot.folder.join(LINKS)).unwrap_or_default();
    for link in made.lines().map(|link| tree.join(link)).filter(|link| link.read_link().is_ok()) {
        fs::remove_file(&link).map_err(|e| file(&link, &e))?;
    }
    Ok(())
}

/// The `.git` in the worktree, for the worker's own looks: its last commit is the state that the work begins on. Made
/// anew, for an earlier worker may have left anything in it. A project without commits has none: the host
/// would take the worktree for another project.
async fn own_repository(
    git: &Git,
    place: &Place,
    slot: &Slot,
    tree: &Path,
    wanted: &Wanted<'_>,
) -> Result<(), WorkspaceError> {
    let dot_git = tree.join(".git");
    remove(&dot_git).map_err(|e| file(&dot_git, &e))?;
    let Some(user) = &place.user else { return Ok(()) };
    let head = git.output(Call::at(&place.root), ["rev-parse", "--verify", "--quiet", "HEAD"]).await?;
    if !head.status.success() {
        return Ok(());
    }
    let parent = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    init(git, tree, place, &[]).await?;
    let objects = place.private.join("objects");
    let write = |name: &str, text: &str| {
        let to = dot_git.join(name);
        files::make_folder(to.parent().unwrap_or(&dot_git))
            .and_then(|()| fs::write(&to, text))
            .map_err(|e| file(&to, &e))
    };
    write("objects/info/alternates", &format!("{}\n", objects.display()))?;
    if let Ok(shallow) = fs::read_to_string(user.objects.with_file_name("shallow")) {
        write("shallow", &shallow)?;
    }
    include(&dot_git.join("config"), &slot.folder.join(FILE))?;
    ignored(&dot_git, place, wanted.links)?;
    let commit = super::land::commit(
        git,
        &place.private,
        wanted.base,
        &[&parent],
        "The project as this task finds it",
        0,
    )
    .await?;
    write("HEAD", &format!("{commit}\n"))?;
    if wanted.base == wanted.files {
        let index = dot_git.join("index");
        return fs::copy(slot.index(), &index).map(drop).map_err(|e| file(&index, &e));
    }
    git.text(Call::at(tree), ["read-tree", super::diff::id(wanted.base)?]).await?;
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    gone.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

fn beside(tree: &Path, name: &str) -> PathBuf {
    tree.ancestors().nth(2).unwrap_or(tree).join(name)
}

/// What was, or is to be, set up: the commands, and what they go by.
fn wanted(tree: &Path, commands: &[String]) -> String {
    let needs = fs::read_to_string(beside(tree, NEEDS)).unwrap_or_default();
    format!("{}\n\n{needs}", commands.join("\n"))
}

pub(super) fn is_set_up(tree: &Path, commands: &[String]) -> bool {
    fs::read_to_string(beside(tree, STAMP)).is_ok_and(|text| text == wanted(tree, commands))
}

pub(super) fn set_up(tree: &Path, commands: &[String]) -> Result<(), WorkspaceError> {
    let stamp = beside(tree, STAMP);
    files::write_atomic(&stamp, wanted(tree, commands).as_bytes()).map_err(|e| file(&stamp, &e))
}

/// Removes what is more than the next mission is likely to want, and what has not been used for long. A mission that was
/// interrupted may go on after any time: nothing is taken from projects with one, which `open` names.
pub(super) fn tidy(slots: &Path, project: &Path, open: &BTreeSet<String>) -> io::Result<()> {
    for slot in entries(project) {
        let number =
            slot.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok());
        if number.is_none_or(|number| number >= KEPT) {
            remove(&slot)?;
        }
    }
    let held =
        |project: &Path| project.file_name().is_some_and(|name| open.contains(&*name.to_string_lossy()));
    for slot in entries(slots).iter().filter(|project| !held(project)).flat_map(|project| entries(project)) {
        let given = fs::metadata(slot.join("given")).and_then(|found| found.modified());
        if given.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > UNUSED)) {
            remove(&slot)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
