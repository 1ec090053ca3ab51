//! Which paths of options and of the wire stay inside a project.
use std::path::{Component, Path, PathBuf};

/// Whether a path is written relative to the project, with `/`, and cannot lead out of it: no empty part, `.` or `..`.
/// Links are followed where files are touched, not here.
pub fn is_inside(path: &str) -> bool {
    !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The path without `.` and `..`, as a text: links are not looked at.
pub fn shortened(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                short.pop();
            }
            Component::CurDir => {}
            other => short.push(other),
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::is_inside;

    #[test]
    fn only_plain_relative_paths_are_inside() {
        for path in ["TODO.md", "docs/PLAN.md", ".hidden/x", "a..b"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a\\b"] {
            assert!(!is_inside(path), "{path}");
        }
    }
}
