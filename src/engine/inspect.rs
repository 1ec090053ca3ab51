//! What a task or a mission has changed in its tree.
use super::Ports;
use super::core::Ground;
use super::core::event::Inspection;
use super::prompts::clip;
use crate::domain::lease::Pattern;
pub use crate::domain::todo::plan_files;
use crate::domain::verdict::{Finding, TreeId};
use crate::ports::code::{Diagnostic, Unchecked};
use crate::ports::workspace::{CUT, WorkspaceError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// New errors told of one change; the first are enough to go on with.
const MAX_ERRORS: usize = 30;
/// Of one of them; compilers print whole types.
const MAX_MESSAGE: usize = 1_000;
/// Files held in memory at one time when a diff is too long to be looked through.
const FILES_AT_ONCE: usize = 32;

/// The tree as it is now, and what of it differs from the ground. `only` narrows it to these paths; without `max_bytes` there
/// is no diff.
pub async fn inspect(
    ports: &Ports,
    ground: &Ground,
    only: Option<&[String]>,
    max_bytes: Option<usize>,
) -> Result<Inspection, WorkspaceError> {
    let root = PathBuf::from(&ground.root);
    let tree = ports.tree.hash(root.clone(), plan_files(&ground.todo)).await?;
    let Some(base) = ground.base.clone() else {
        return Ok(Inspection { tree: Some(tree), ..Inspection::default() });
    };
    let mut changed = ports.tree.changed(root.clone(), base.clone(), tree.clone()).await?;
    let mut undeclared = Vec::new();
    if let Some(scope) = &ground.scope {
        let patterns: Vec<_> = scope.iter().filter_map(|s| Pattern::parse(s).ok()).collect();
        (changed, undeclared) = changed.into_iter().partition(|path| patterns.iter().any(|p| p.covers(path)));
    }
    if let Some(only) = only {
        let below = |path: &str, at: &str| {
            path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        changed.retain(|path| only.iter().any(|at| at == "." || below(path, at)));
    }
    let diff = match max_bytes {
        None => String::new(),
        Some(_) if changed.is_empty() => "(nothing was changed)".to_owned(),
        Some(max_bytes) => {
            ports.tree.diff(root.clone(), base.clone(), tree.clone(), changed.clone(), max_bytes).await?
        }
    };
    let findings = match diff.ends_with(CUT) {
        true => markers_in_files(ports, &root, &base, &tree, &changed).await?,
        false => conflict_markers(&diff),
    };
    Ok(Inspection { tree: Some(tree), changed, undeclared, diff, findings, notes: Vec::new() })
}

/// The same as `conflict_markers` of a diff that is not whole.
async fn markers_in_files(
    ports: &Ports,
    root: &Path,
    base: &TreeId,
    tree: &TreeId,
    changed: &[String],
) -> Result<Vec<Finding>, WorkspaceError> {
    let mut findings = Vec::new();
    // No other tool can name such a file either.
    let changed: Vec<_> = changed.iter().filter(|path| !path.contains('\n')).cloned().collect();
    for some in changed.chunks(FILES_AT_ONCE) {
        let read = |of: &TreeId| ports.tree.read(root.to_path_buf(), of.clone(), some.to_vec());
        let (before, now) = (read(base).await?, read(tree).await?);
        for ((path, before), now) in some.iter().zip(before).zip(now) {
            let old: BTreeSet<&str> = before.iter().flat_map(|text| text.lines()).filter(is_marker).collect();
            let new = |line: &&str| is_marker(line) && !old.contains(line);
            let count = now.iter().flat_map(|text| text.lines()).filter(new).count();
            findings.extend((0..count).map(|_| marker(Some(path.clone()))));
        }
        if findings.len() >= MAX_ERRORS {
            break;
        }
    }
    findings.truncate(MAX_ERRORS);
    Ok(findings)
}

fn is_marker(line: &&str) -> bool {
    line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")
}

fn marker(file: Option<String>) -> Finding {
    Finding { file, ..Finding::of("high", "a conflict marker was left in the file") }
}

/// Errors that language servers see in the changed files and did not see before, and notes of what they could not tell. Where
/// there is no server nothing is known, and nothing is held against the change.
pub async fn new_errors(ports: &Ports, ground: &Ground, changed: &[String]) -> (Vec<Finding>, Vec<String>) {
    let Some(base) = ground.base.clone() else { return Default::default() };
    let root = PathBuf::from(&ground.root);
    let asked = async {
        // No other tool can name such a file either.
        let changed: Vec<_> = changed.iter().filter(|path| !path.contains('\n')).cloned().collect();
        let texts = ports.tree.read(root.clone(), base, changed.clone()).await.map_err(|e| e.to_string())?;
        let before = changed.into_iter().zip(texts).collect();
        ports.diagnostics.new_errors(root, before).await.map_err(|e| e.to_string())
    };
    match asked.await {
        Ok(diagnosed) => {
            let notes =
                diagnosed.unchecked.iter().map(unchecked).chain(diagnosed.missing.iter().map(missing));
            (diagnosed.found.iter().take(MAX_ERRORS).map(finding).collect(), notes.take(MAX_ERRORS).collect())
        }
        Err(error) => (Vec::new(), vec![format!("language servers looked at no file: {error}")]),
    }
}

fn unchecked(unchecked: &Unchecked) -> String {
    let count = unchecked.paths.len();
    let first: Vec<_> = unchecked.paths.iter().take(5).map(String::as_str).collect();
    let dots = if count > first.len() { ", …" } else { "" };
    let (first, why) = (first.join(", "), &unchecked.reason);
    format!("no language server looked at {count} of the changed files ({first}{dots}): {why}")
}

fn missing(error: &Diagnostic) -> String {
    let message = clip(&error.message, MAX_MESSAGE);
    format!("{}:{}: what it needs is not installed on this machine: {message}", error.path, error.line)
}

fn finding(error: &Diagnostic) -> Finding {
    let source = error.source.as_deref().unwrap_or("language server");
    let code = error.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
    Finding {
        file: Some(error.path.clone()),
        line: u32::try_from(error.line).ok(),
        ..Finding::of("high", format!("new error ({source}{code}): {}", clip(&error.message, MAX_MESSAGE)))
    }
}

/// Conflict markers that a change brings in.
fn conflict_markers(diff: &str) -> Vec<Finding> {
    let mut file = None;
    let mut findings = Vec::new();
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = Some(path.to_owned());
        } else if line.strip_prefix('+').is_some_and(|line| is_marker(&line)) {
            findings.push(marker(file.clone()));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::conflict_markers;

    #[test]
    fn conflict_markers_are_found_in_added_lines_only() {
        let diff = "+++ b/src/a.js\n <<<<<<< old\n+<<<<<<< HEAD\n+x\n->>>>>>> gone\n+>>>>>>> branch\n+ <<<<<<< in text\n";
        let found = conflict_markers(diff);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|f| f.file.as_deref() == Some("src/a.js")));
    }
}
