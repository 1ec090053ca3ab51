//! What differs between two trees of a project. Only the private repository is asked, so that neither the
//! attributes nor the settings of the project's repository have a say.
use super::command::{Call, Git};
use crate::domain::rollback::{Change, Entry};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::{CUT, WorkspaceError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Names that are not UTF-8 are shown with replacement characters.
pub(super) async fn changed(
    git: &Git,
    private: &Path,
    from: &TreeId,
    to: &TreeId,
) -> Result<Vec<String>, WorkspaceError> {
    let (from, to) = (id(from)?, id(to)?);
    let args = ["diff-tree", "-r", "-z", "--no-renames", "--name-only", from, to];
    let list = git.text(call(private), args).await?;
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// One file that differs between two trees, by the very bytes of its name.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) name: Vec<u8>,
    pub(super) from: Option<Entry>,
    pub(super) to: Option<Entry>,
}

pub(super) async fn raw(
    git: &Git,
    private: &Path,
    from: &TreeId,
    to: &TreeId,
) -> Result<Vec<Raw>, WorkspaceError> {
    let (from, to) = (id(from)?, id(to)?);
    let args = ["diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", from, to];
    let list = git.text(call(private), args).await?;
    let mut parts = list.split(|byte| *byte == 0);
    let mut found = Vec::new();
    // `:MODE MODE ID ID STATUS`, then the name.
    while let (Some(head), Some(name)) = (parts.next(), parts.next()) {
        let head = String::from_utf8_lossy(head).into_owned();
        let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, old, new, _] = words[..] else { return Err(unread(&head)) };
        found.push(Raw {
            name: name.to_vec(),
            from: entry(old_mode, old).ok_or_else(|| unread(&head))?,
            to: entry(new_mode, new).ok_or_else(|| unread(&head))?,
        });
    }
    Ok(found)
}

/// The same with names as they are shown.
pub(super) async fn changes(
    git: &Git,
    private: &Path,
    from: &TreeId,
    to: &TreeId,
) -> Result<Vec<Change>, WorkspaceError> {
    let shown = |raw: Raw| Change {
        path: String::from_utf8_lossy(&raw.name).into_owned(),
        from: raw.from,
        to: raw.to,
    };
    Ok(raw(git, private, from, to).await?.into_iter().map(shown).collect())
}

pub(super) async fn entries(
    git: &Git,
    private: &Path,
    tree: &TreeId,
    paths: &[String],
) -> Result<BTreeMap<String, Entry>, WorkspaceError> {
    let wanted: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    let list = git.text(call(private), ["ls-tree", "-r", "-z", id(tree)?]).await?;
    let mut found = BTreeMap::new();
    // `MODE TYPE ID<tab>NAME`
    for line in list.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        let (head, name) = line.split_once('\t').ok_or_else(|| unread(&line))?;
        if !wanted.contains(name) {
            continue;
        }
        let words: Vec<&str> = head.split(' ').collect();
        let [mode, _, content] = words[..] else { return Err(unread(head)) };
        if let Some(entry) = entry(mode, content).ok_or_else(|| unread(head))? {
            found.insert(name.to_owned(), entry);
        }
    }
    Ok(found)
}

/// None where the text is no mode; none inside for a file that is not there.
fn entry(mode: &str, id: &str) -> Option<Option<Entry>> {
    let mode = u32::from_str_radix(mode, 8).ok()?;
    Some((mode > 0).then(|| Entry { mode, id: id.to_owned() }))
}

fn unread(line: &str) -> WorkspaceError {
    WorkspaceError::Git(format!("git said {line:?}, which Gantry does not understand: update Gantry"))
}

pub(super) async fn patch(
    git: &Git,
    private: &Path,
    from: &TreeId,
    to: &TreeId,
    paths: &[String],
    max_bytes: usize,
) -> Result<String, WorkspaceError> {
    let fixed = [
        "-c",
        "core.quotePath=false",
        "diff-tree",
        "-r",
        "-p",
        "--find-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        id(from)?,
        id(to)?,
        "--",
    ];
    let args = fixed.into_iter().chain(paths.iter().map(String::as_str));
    let (bytes, whole) = git.head(call(private), args, max_bytes).await?;
    if whole {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    text.push_str(&format!("[the diff is longer than {max_bytes} bytes and {CUT}"));
    Ok(text)
}

pub(super) async fn read(
    git: &Git,
    private: &Path,
    tree: &TreeId,
    paths: &[String],
) -> Result<Vec<Option<String>>, WorkspaceError> {
    let tree = id(tree)?;
    // A name with a line end would be two questions; nothing is known of such a file.
    let askable = |path: &&String| !path.contains('\n');
    let names: String = paths.iter().filter(askable).map(|path| format!("{tree}:{path}\n")).collect();
    if names.is_empty() {
        return Ok(vec![None; paths.len()]);
    }
    let call = Call { input: names.into_bytes(), ..call(private) };
    let output = git.text(call, ["cat-file", "--batch", "--buffer"]).await?;
    let mut rest = output.as_slice();
    Ok(paths.iter().map(|path| if askable(&path) { blob(&mut rest) } else { None }).collect())
}

/// The next answer of `cat-file --batch`: `ID blob SIZE`, the bytes, a line end; or `NAME missing`.
fn blob(rest: &mut &[u8]) -> Option<String> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let head = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 1..];
    if head.ends_with(" missing") {
        return None;
    }
    let size: usize = head.rsplit(' ').next()?.parse().ok()?;
    let bytes = rest.get(..size)?.to_vec();
    *rest = rest.get(size + 1..).unwrap_or_default();
    head.contains(" blob ").then(|| String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn call(private: &Path) -> Call<'_> {
    Call::at(private).env("GIT_DIR", private)
}

/// An id comes from a journal or a caller; one that is not plain hex could pass for an option.
pub(super) fn id(tree: &TreeId) -> Result<&str, WorkspaceError> {
    let plain = !tree.0.is_empty() && tree.0.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { Ok(&tree.0) } else { Err(WorkspaceError::Git(format!("{:?} is no tree id", tree.0))) }
}
