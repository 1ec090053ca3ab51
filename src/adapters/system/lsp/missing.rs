//! Errors of the machine and not of the change: a dependency that is not installed here, and what follows from it.
use super::known::Language;
use crate::ports::code::Diagnostic;
use std::collections::BTreeSet;
use std::path::Path;

/// Of a project's files, those in which a dependency is missing.
pub(super) struct Missing<'a> {
    root: &'a Path,
    /// What the change has removed was no dependency.
    gone: &'a [String],
    files: BTreeSet<String>,
}

impl<'a> Missing<'a> {
    /// From all errors of the files, old and new.
    pub(super) fn of(root: &'a Path, gone: &'a [String], errors: &[Diagnostic]) -> Self {
        let files =
            errors.iter().filter(|e| is_missing(root, gone, e)).map(|error| error.path.clone()).collect();
        Self { root, gone, files }
    }

    pub(super) fn explains(&self, error: &Diagnostic) -> bool {
        is_missing(self.root, self.gone, error) || self.files.contains(&error.path) && follows(error)
    }
}

/// What a compiler says besides, where it knows nothing of a dependency: all of it is of no type.
fn follows(error: &Diagnostic) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    match Language::of(&error.path) {
        // Implicit `any`.
        Some(Language::TypeScript) => code.parse::<u32>().is_ok_and(|code| (7005..=7053).contains(&code)),
        Some(Language::Python) => code.starts_with("reportUnknown") || code.starts_with("reportUntyped"),
        Some(Language::Rust) => code == "unresolved-macro-call" || code == "E0433",
        Some(Language::Go) | None => false,
    }
}

fn is_missing(root: &Path, gone: &[String], error: &Diagnostic) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    let was_here = |first: &str| {
        gone.iter().flat_map(|path| path.split('/')).any(|part| part.split('.').next() == Some(first))
    };
    match Language::of(&error.path) {
        Some(Language::TypeScript) => match code {
            "2307" | "2792" | "7016" | "2875" | "2688" => {
                let name = quoted(&error.message, '\'');
                name.is_some_and(|name| {
                    !was_here(first(name, '/')) && !is_own_script(root, &error.path, name, code)
                })
            }
            // "Do you need to install type definitions", of node, jQuery, a test runner, Bun.
            "2580" | "2581" | "2582" | "2591" | "2592" | "2593" | "2867" | "2868" => true,
            _ => false,
        },
        Some(Language::Python) => {
            let codes = ["reportMissingImports", "reportMissingModuleSource", "reportMissingTypeStubs"];
            codes.contains(&code)
                && quoted(&error.message, '"').is_some_and(|name| {
                    !was_here(first(name, '.')) && !is_own_module(root, &error.path, name)
                })
        }
        Some(Language::Go) => {
            go_import(&error.message).is_some_and(|name| !is_own_package(root, &error.path, name))
        }
        Some(Language::Rust) => {
            matches!(code, "E0432" | "E0433" | "E0463" | "unresolved-import" | "unresolved-extern-crate")
                && is_declared_crate(root, error).unwrap_or(false)
        }
        None => false,
    }
}

fn first(name: &str, mark: char) -> &str {
    name.split(mark).next().unwrap_or_default()
}

fn quoted(message: &str, mark: char) -> Option<&str> {
    message.split(mark).nth(1).filter(|name| !name.is_empty())
}

/// Folders from that of a file up to the root of the project.
fn folders<'a>(root: &'a Path, file: &'a str) -> impl Iterator<Item = std::path::PathBuf> + 'a {
    Path::new(file).ancestors().skip(1).map(|folder| root.join(folder))
}

/// A path, an alias of the project, or something in a package that is installed.
fn is_own_script(root: &Path, file: &str, name: &str, code: &str) -> bool {
    if name.starts_with(['.', '/', '#', '~']) || name.starts_with("@/") {
        return true;
    }
    if name.contains(':') {
        return false;
    }
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or_default();
    let package = match parts.next() {
        Some(second) if first.starts_with('@') => format!("{first}/{second}"),
        _ => first.to_owned(),
    };
    let alias = format!("\"{first}/*\"");
    let is_here = |folder: &Path| {
        let sources = [folder.to_path_buf(), folder.join("src")];
        let of_project = sources.iter().any(|folder| {
            folder.join(first).is_dir()
                || ["ts", "tsx", "js", "jsx"]
                    .iter()
                    .any(|kind| folder.join(format!("{first}.{kind}")).is_file())
        });
        let settings = std::fs::read_to_string(folder.join("tsconfig.json")).unwrap_or_default();
        of_project || settings.contains(&alias)
    };
    if folders(root, file).any(|folder| is_here(&folder)) {
        return true;
    }
    // The package may be installed, and its types (7016, 2875, 2688) not.
    let installed = |folder: &Path| folder.join("node_modules").join(&package).is_dir();
    matches!(code, "2307" | "2792") && root.join(file).ancestors().skip(1).any(installed)
}

fn is_own_module(root: &Path, file: &str, name: &str) -> bool {
    let first = first(name, '.');
    if first.is_empty() {
        return true;
    }
    let is_in = |folder: &Path| {
        folder.join(first).is_dir()
            || ["py", "pyi"].iter().any(|kind| folder.join(format!("{first}.{kind}")).is_file())
    };
    let of_project = folders(root, file).any(|folder| is_in(&folder) || is_in(&folder.join("src")));
    let libraries = [".venv", "venv"].map(|venv| root.join(venv).join("lib"));
    let pythons = libraries.iter().filter_map(|lib| std::fs::read_dir(lib).ok()).flatten().flatten();
    of_project || pythons.into_iter().any(|python| is_in(&python.path().join("site-packages")))
}

/// The package that could not be had.
fn go_import(message: &str) -> Option<&str> {
    if message.contains("does not contain package") {
        return None;
    }
    let heads = [
        "could not import ",
        "no required module provides package ",
        "missing go.sum entry for module providing package ",
    ];
    let rest = heads.iter().find_map(|head| message.split_once(head)).map(|(_, rest)| rest)?;
    let end =
        rest.find(|c: char| c.is_whitespace() || matches!(c, ';' | ':' | ')' | '(')).unwrap_or(rest.len());
    Some(rest[..end].trim_matches('"'))
}

/// Of the module itself, or of Go's library, whose paths begin with no host.
fn is_own_package(root: &Path, file: &str, name: &str) -> bool {
    let modules =
        folders(root, file).filter_map(|folder| std::fs::read_to_string(folder.join("go.mod")).ok());
    let of_module = modules
        .flat_map(|text| {
            text.lines()
                .filter_map(|l| Some(l.strip_prefix("module ")?.trim().to_owned()))
                .collect::<Vec<_>>()
        })
        .any(|module| {
            name.strip_prefix(&module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    of_module || !name.split('/').next().unwrap_or_default().contains('.')
}

/// The line names a crate that a manifest asks for.
fn is_declared_crate(root: &Path, error: &Diagnostic) -> Option<bool> {
    let text = std::fs::read_to_string(root.join(&error.path)).ok()?;
    let line = text.lines().nth(error.line.checked_sub(1)?)?;
    let rest =
        ["extern crate ", "use "].iter().find_map(|word| line.split_once(word)).map_or(line, |(_, r)| r);
    let name: String = rest
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let names = [name.replace('_', "-"), name];
    let asks = |manifest: &str| {
        manifest.lines().map(str::trim).any(|line| {
            names.iter().any(|name| {
                let key = line.strip_prefix(name.as_str()).map(str::trim_start);
                key.is_some_and(|rest| rest.starts_with(['=', '.']))
                    || line.ends_with(&format!("dependencies.{name}]"))
            })
        })
    };
    let manifest =
        folders(root, &error.path).find_map(|f| std::fs::read_to_string(f.join("Cargo.toml")).ok())?;
    Some(!names[1].is_empty() && asks(&manifest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::code::Severity;
    use std::fs;

    #[test]
    fn what_is_missing_here_is_told_from_what_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for (path, text) in [
            ("packages/web/tsconfig.json", r#"{"compilerOptions": {"paths": {"app/*": ["./code/*"]}}}"#),
            ("packages/web/src/lib/a.ts", ""),
            ("node_modules/here/package.json", "{}"),
            ("tools/a.py", ""),
            (".venv/lib/python3.12/site-packages/requests/__init__.py", ""),
            ("go.mod", "module example.com/own\n"),
            ("Cargo.toml", "[dependencies]\nserde-json = \"1\"\n\n[dependencies.tokio]\nversion = \"1\"\n"),
            ("src/main.rs", "use serde_json::Value;\nuse tokio::spawn;\nuse crate::none;\nuse typo::X;\n"),
        ] {
            let file = root.join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            fs::write(file, text).expect("a file");
        }
        let ts = |name: &str| format!("Cannot find module '{name}' or its corresponding type declarations.");
        let py = |name: &str| format!("Import \"{name}\" could not be resolved");
        let go =
            |name: &str| format!("could not import {name} (no required module provides package \"{name}\")");
        let (web, pyright) = ("packages/web/src/a.ts", "reportMissingImports");
        for (path, line, code, message, missing) in [
            (web, 1, "2307", ts("react"), true),
            (web, 1, "2307", ts("@org/lib/part"), true),
            (web, 1, "2307", ts("node:fs"), true),
            (web, 1, "2307", ts("./react"), false),
            (web, 1, "2307", ts("@/react"), false),
            (web, 1, "2307", ts("app/none"), false),
            (web, 1, "2307", ts("lib/none"), false),
            (web, 1, "2307", ts("here/none"), false),
            (web, 1, "2307", ts("removed/part"), false),
            (web, 1, "7016", "Could not find a declaration file for module 'here'.".into(), true),
            (
                web,
                1,
                "2582",
                "Cannot find name 'describe'. Do you need to install type definitions".into(),
                true,
            ),
            (web, 1, "2304", "Cannot find name 'x'.".into(), false),
            ("a.py", 1, pyright, py("numpy.linalg"), true),
            ("a.py", 1, pyright, py(".numpy"), false),
            ("a.py", 1, pyright, py("tools.none"), false),
            ("a.py", 1, pyright, py("requests.none"), false),
            ("a.py", 1, "reportMissingParameterType", "Type annotation is missing for \"x\"".into(), false),
            ("a.go", 1, "BrokenImport", go("example.org/lib"), true),
            ("a.go", 1, "BrokenImport", go("example.com/own/lib"), false),
            ("a.go", 1, "BrokenImport", go("fmtt"), false),
            ("src/main.rs", 1, "E0432", "unresolved import".into(), true),
            ("src/main.rs", 2, "E0432", "unresolved import".into(), true),
            ("src/main.rs", 3, "E0432", "unresolved import".into(), false),
            ("src/main.rs", 4, "E0432", "unresolved import".into(), false),
        ] {
            let error = Diagnostic {
                path: path.into(),
                line,
                column: 1,
                severity: Severity::Error,
                code: Some(code.into()),
                source: None,
                message,
            };
            let gone = ["packages/web/removed/part.ts".to_owned()];
            let explained = Missing::of(root, &gone, &[]).explains(&error);
            assert_eq!(explained, missing, "{}", error.message);
        }
    }
}
