//! Paths that models write, held inside the project.
use crate::domain::inside::shortened;
use crate::ports::workspace::WorkspaceError;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Path of `written` relative to `root`, with `/` between its parts; `.` for the root itself.
///
/// Links are followed, also those to files that do not exist yet. A path that means one thing to a program
/// that shortens `link/..` as text and another to the kernel is refused, since the writer may be either.
pub(super) fn confine(root: &Path, written: &str) -> Result<String, WorkspaceError> {
    let file = |reason: String| WorkspaceError::File { path: written.to_string(), reason };
    if written.is_empty() {
        return Err(file("the path is empty: name a file of the project".into()));
    }
    let root = root.canonicalize().map_err(|e| WorkspaceError::File {
        path: root.display().to_string(),
        reason: format!("the project cannot be read: {e}"),
    })?;
    let joined = root.join(written);
    let real = resolve(&joined, LINKS).map_err(|e| file(e.to_string()))?;
    if written.contains("..") && resolve(&shortened(&joined), LINKS).ok().as_ref() != Some(&real) {
        return Err(file("it goes through a link and back: write the path without \"..\"".into()));
    }
    let Ok(inside) = real.strip_prefix(&root) else {
        let (path, root) = (written.to_string(), root.display().to_string());
        return Err(WorkspaceError::Outside { path, root });
    };
    let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
    match parts {
        Some(parts) if parts.is_empty() => Ok(".".into()),
        Some(parts) if cfg!(windows) && parts.iter().any(|part| means_another_file(part)) => {
            Err(file("Windows takes a name in it for another file: choose a plain one".into()))
        }
        Some(parts) => Ok(parts.join("/")),
        None => Err(file("a part of its real path is not UTF-8: rename it".into())),
    }
}

/// What Windows takes for a device or a part of a file (`a:b`), or shortens (`a.`). Models write it by mistake; leases
/// would be held on a file that is not there.
fn means_another_file(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
        || numbered("COM")
        || numbered("LPT")
        || name.contains(':')
        || name.ends_with(['.', ' '])
}

/// The kernel's own limit on the links of one path.
const LINKS: u32 = 40;

/// Where the kernel would put a file that is made at `path`: real up to the nearest part that exists.
fn resolve(path: &Path, links: u32) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    // `canonicalize` says "not found" of a link to nothing too; writing to that link makes its target.
    if let Ok(target) = path.read_link() {
        if links == 0 {
            return Err(io::Error::other("too many links"));
        }
        let from = path.parent().unwrap_or(path);
        return resolve(&from.join(target), links - 1);
    }
    let (Some(parent), Some(last)) = (path.parent(), path.components().next_back()) else {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    };
    let mut real = resolve(parent, links)?;
    match last {
        Component::Normal(name) => real.push(name),
        Component::ParentDir => {
            real.pop();
        }
        _ => {}
    }
    Ok(real)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_that_windows_changes_are_known() {
        for name in ["nul", "NUL.txt", "com1", "Lpt9.log", "a.txt:b", "a.", "a ", "aux .c"] {
            assert!(means_another_file(name), "{name}");
        }
        for name in ["a.rs", "null", "com", "com10", "console.ts", ".git", "a b", "späße"] {
            assert!(!means_another_file(name), "{name}");
        }
    }

    #[test]
    fn paths_stay_inside_the_project() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = folder.path().canonicalize().expect("its path");
        let root = base.join("project");
        fs::create_dir_all(root.join("src/deep")).expect("folders");
        fs::create_dir_all(base.join("project-two")).expect("a neighbour");
        fs::create_dir_all(base.join("away/deep")).expect("a folder elsewhere");
        fs::write(root.join("src/a.rs"), "").expect("a file");
        for (target, link) in [
            ("src/deep", "in"),
            ("../away/deep", "out"),
            ("../away/new.txt", "out.txt"),
            ("new.txt", "in.txt"),
            ("loop", "loop"),
            ("out.txt", "out2.txt"),
        ] {
            symlink(target, root.join(link)).expect("a link");
        }
        symlink(&root, base.join("alias")).expect("a link to the project");
        let absolute = |path: &str| base.join(path).display().to_string();
        let inside = [
            ("src/a.rs".into(), "src/a.rs"),
            ("./src//a.rs".into(), "src/a.rs"),
            ("src/new/deep/b.rs".into(), "src/new/deep/b.rs"),
            ("src/../src/a.rs".into(), "src/a.rs"),
            ("missing/../b.rs".into(), "b.rs"),
            ("in/c.rs".into(), "src/deep/c.rs"),
            ("in.txt".into(), "new.txt"),
            (".".into(), "."),
            ("späße/ä b.txt".into(), "späße/ä b.txt"),
            (absolute("project/src/a.rs"), "src/a.rs"),
            (absolute("alias/src/n.rs"), "src/n.rs"),
            (absolute("project"), "."),
        ];
        for (path, expected) in inside {
            assert_eq!(confine(&root, &path).as_deref(), Ok(expected), "{path}");
            assert_eq!(confine(&base.join("alias"), &path).as_deref(), Ok(expected), "alias: {path}");
        }
        let outside = [
            "..".to_string(),
            "../away".into(),
            "../project-two/a".into(),
            "src/../../away/x".into(),
            "missing/../../away/x".into(),
            "/etc/passwd".into(),
            "out/x".into(),
            "out.txt".into(),
            "out2.txt".into(),
            absolute("project-two/a"),
            absolute("project/out/x"),
        ];
        for path in outside {
            let answer = confine(&root, &path);
            assert!(matches!(answer, Err(WorkspaceError::Outside { .. })), "{path}: {answer:?}");
        }
        for path in ["", "loop", "src/a.rs/x", "out/../x", "in/../b.rs", "nul\0byte"] {
            let answer = confine(&root, path);
            assert!(matches!(answer, Err(WorkspaceError::File { .. })), "{path}: {answer:?}");
        }
        let answer = confine(&base.join("no project"), "a");
        assert!(matches!(answer, Err(WorkspaceError::File { .. })), "{answer:?}");
    }
}
