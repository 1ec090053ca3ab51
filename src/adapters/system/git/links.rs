//! What of the project a worktree shares, by links.
use super::place::{Place, file};
use crate::ports::workspace::WorkspaceError;
use std::fs;
use std::io;
use std::path::Path;

/// A folder of the project that the worktree shares; for reading, since it is outside of what may be written.
pub(super) fn join(place: &Place, tree: &Path, link: &str) -> Result<(), WorkspaceError> {
    let (from, to) = (place.root.join(link), tree.join(link));
    let there = to.symlink_metadata().is_ok();
    if there || !from.exists() || is_for_this_tree_only(&from, &place.root) {
        return Ok(());
    }
    let parent = to.parent().unwrap_or(tree);
    fs::create_dir_all(parent).and_then(|()| make_link(&from, &to)).map_err(|e| file(&to, &e))
}

/// An environment of Python in which the project itself is installed as it lies there: checks in a worktree would test the
/// user's files instead of the worktree's, and pass. And one that uv keeps: each `uv run` in a worktree would install anew
/// into it what that worktree asks for.
fn is_for_this_tree_only(folder: &Path, root: &Path) -> bool {
    if !folder.join("pyvenv.cfg").is_file() {
        return false;
    }
    let libraries = fs::read_dir(folder.join("lib")).into_iter().flatten().flatten();
    let mut packages =
        libraries.flat_map(|python| fs::read_dir(python.path().join("site-packages"))).flatten().flatten();
    root.join("uv.lock").is_file() || packages.any(|entry| leads_to(&entry.path(), root))
}

/// Whether this file takes imports into the project; each tool that installs a project in place has one of these two kinds.
fn leads_to(path: &Path, root: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = || fs::read_to_string(path).unwrap_or_default();
    if name.ends_with(".pth") {
        text().lines().any(|line| Path::new(line.trim()).starts_with(root))
    } else {
        let finder = name.starts_with("__editable__") && name.ends_with(".py");
        finder && root.to_str().is_some_and(|root| text().contains(root))
    }
}

#[cfg(unix)]
fn make_link(from: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

/// Links need a right there that users mostly do not have.
#[cfg(not(unix))]
fn make_link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_that_leads_to_the_project_is_not_shared() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let packages = root.join(".venv/lib/python3.13/site-packages");
        let write = |at: &Path, text: &str| {
            fs::create_dir_all(at.parent().expect("a folder")).expect("folders");
            fs::write(at, text).expect("a file");
        };
        let alone = || is_for_this_tree_only(&root.join(".venv"), root);
        let src = root.join("src").display().to_string();
        write(&packages.join("calc.pth"), &format!("{src}\n"));
        assert!(!alone(), "it is no environment");
        write(&root.join(".venv/pyvenv.cfg"), "");
        assert!(alone(), "its source folder is on the path");
        write(&packages.join("calc.pth"), "import site_hook\n/elsewhere/src\n");
        assert!(!alone(), "others may be installed so");
        write(&packages.join("__editable___calc_1_0_finder.py"), &format!("MAPPING = {{'calc': '{src}'}}\n"));
        assert!(alone(), "a finder leads there");
        fs::remove_file(packages.join("__editable___calc_1_0_finder.py")).expect("a file");
        write(&root.join("uv.lock"), "");
        assert!(alone(), "uv keeps it");
    }
}
