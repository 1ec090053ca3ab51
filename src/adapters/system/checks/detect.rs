//! Guesses a project's test commands from the files in its root.
use std::fs;
use std::path::Path;

/// In a fixed order; empty when nothing is known. Only the root is looked at: a file deeper down is the
/// business of the tool that its root names.
pub(super) fn commands(root: &Path) -> Vec<String> {
    let has = |name: &str| root.join(name).is_file();
    let mut found = Vec::new();
    if has("Cargo.toml") {
        found.push("cargo test".to_string());
    }
    found.extend(node(root));
    found.extend(python(root));
    if has("go.mod") {
        found.push("go test ./...".to_string());
    }
    // A makefile beside one of the others mostly calls it, and would run everything twice.
    if found.is_empty() {
        found.extend(make(root));
    }
    found
}

fn read(root: &Path, name: &str) -> String {
    fs::read_to_string(root.join(name)).unwrap_or_default()
}

fn node(root: &Path) -> Option<String> {
    let package: serde_json::Value = serde_json::from_str(&read(root, "package.json")).ok()?;
    let script = package.get("scripts")?.get("test")?.as_str()?;
    // What `npm init` writes, and what always fails.
    if script.trim().is_empty() || script.contains("no test specified") {
        return None;
    }
    let declared = package.get("packageManager").and_then(|v| v.as_str()).unwrap_or_default();
    let uses = |manager: &str, locks: &[&str]| {
        let named = declared.split('@').next() == Some(manager);
        named || (declared.is_empty() && locks.iter().any(|lock| root.join(lock).is_file()))
    };
    let command = if uses("pnpm", &["pnpm-lock.yaml"]) {
        "pnpm test"
    } else if uses("bun", &["bun.lock", "bun.lockb"]) {
        // `bun test` would start bun's own test runner instead of the script.
        "bun run test"
    } else if uses("yarn", &["yarn.lock"]) {
        "yarn test"
    } else {
        "npm test"
    };
    Some(command.into())
}

fn python(root: &Path) -> Option<String> {
    let marks = [
        ("pytest.ini", ""),
        ("conftest.py", ""),
        ("pyproject.toml", "[tool.pytest"),
        ("setup.cfg", "[tool:pytest]"),
        ("tox.ini", "[pytest]"),
    ];
    let marked =
        marks.iter().any(|(name, text)| root.join(name).is_file() && read(root, name).contains(text));
    if !marked && !has_test_modules(&root.join("tests")) {
        return None;
    }
    let command = if root.join("uv.lock").is_file() {
        "uv run pytest"
    } else if root.join("poetry.lock").is_file() {
        "poetry run pytest"
    } else if root.join(".venv/bin/python").exists() {
        ".venv/bin/python -m pytest"
    } else if root.join("venv/bin/python").exists() {
        "venv/bin/python -m pytest"
    } else {
        "python3 -m pytest"
    };
    Some(command.into())
}

fn has_test_modules(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.ends_with("_test.py") || (name.starts_with("test_") && name.ends_with(".py"))
    })
}

fn make(root: &Path) -> Option<String> {
    // The order in which make itself looks.
    let file = ["GNUmakefile", "makefile", "Makefile"].into_iter().find(|name| root.join(name).is_file())?;
    let text = read(root, file);
    let has_target = |target: &str| {
        text.lines().any(|line| {
            let Some((names, rest)) = line.split_once(':') else { return false };
            !line.starts_with('\t') && !rest.starts_with('=') && names.split_whitespace().any(|n| n == target)
        })
    };
    ["test", "check"].into_iter().find(|t| has_target(t)).map(|target| format!("make {target}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_suggest_commands() {
        let npm = r#"{"scripts": {"test": "vitest run"}}"#;
        let empty = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#;
        let pnpm = r#"{"packageManager": "pnpm@9.1.0", "scripts": {"test": "x"}}"#;
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Files, &[&str]); 21] = [
            (&[], &[]),
            (&[("Cargo.toml", "")], &["cargo test"]),
            (&[("package.json", npm)], &["npm test"]),
            (&[("package.json", npm), ("pnpm-lock.yaml", "")], &["pnpm test"]),
            (&[("package.json", npm), ("bun.lock", "")], &["bun run test"]),
            (&[("package.json", npm), ("yarn.lock", "")], &["yarn test"]),
            (&[("package.json", pnpm), ("yarn.lock", "")], &["pnpm test"]),
            (&[("package.json", empty)], &[]),
            (&[("package.json", "{}")], &[]),
            (&[("package.json", "{ not json")], &[]),
            (&[("pyproject.toml", "[tool.pytest.ini_options]\n")], &["python3 -m pytest"]),
            (&[("pyproject.toml", "[project]\n")], &[]),
            (&[("tests/test_a.py", "")], &["python3 -m pytest"]),
            (&[("tests/data.py", "")], &[]),
            (&[("pytest.ini", ""), ("uv.lock", "")], &["uv run pytest"]),
            (&[("conftest.py", ""), (".venv/bin/python", "")], &[".venv/bin/python -m pytest"]),
            (&[("conftest.py", ""), ("venv/bin/python", "")], &["venv/bin/python -m pytest"]),
            (&[("Makefile", "all: test\n\ntest: a\n\tcheck: no\n")], &["make test"]),
            (&[("Makefile", ".PHONY: x\nlint check: a\n")], &["make check"]),
            (&[("Makefile", "test := 1\n\ttest: no\n")], &[]),
            (
                &[("go.mod", ""), ("Cargo.toml", ""), ("package.json", npm), ("Makefile", "test:\n")],
                &["cargo test", "npm test", "go test ./..."],
            ),
        ];
        for (files, expected) in cases {
            let folder = tempfile::tempdir().expect("a temporary folder");
            for (name, text) in files {
                let file = folder.path().join(name);
                fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
                fs::write(file, text).expect("a file");
            }
            assert_eq!(commands(folder.path()), expected, "{files:?}");
        }
    }
}
