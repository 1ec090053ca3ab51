//! Rules about the source text: which layer may use which, what stays pure, who prints, how long a file may be.
mod layers;
mod scan;

use std::{
    fs,
    path::{Path, PathBuf},
};

use ignore::WalkBuilder;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files that belong to the project, as paths from its root: all that version control does not ignore.
fn files(under: &str) -> Vec<(String, PathBuf)> {
    let walk = WalkBuilder::new(root().join(under))
        .hidden(false)
        .require_git(false)
        .filter_entry(|e| e.file_name() != ".git")
        .build();
    let mut found: Vec<_> = walk
        .map(|entry| entry.expect("a readable folder"))
        .filter(|entry| entry.file_type().is_some_and(|t| t.is_file()))
        .map(|entry| {
            let name = entry.path().strip_prefix(root()).expect("below the root");
            (name.to_string_lossy().replace('\\', "/"), entry.path().to_owned())
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{under} is empty");
    found
}

/// Rust files below `src/`, named from there.
fn sources() -> Vec<(String, String)> {
    let rust = files("src").into_iter().filter(|(name, _)| name.ends_with(".rs"));
    rust.map(|(name, path)| (name["src/".len()..].to_owned(), fs::read_to_string(path).expect("source")))
        .collect()
}

fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn layers_use_only_what_they_may() {
    let sources = sources();
    let tests = scan::test_modules(&sources);
    let dependencies =
        layers::dependencies(&fs::read_to_string(root().join("Cargo.toml")).expect("manifest"));
    let shipped = sources.iter().filter(|(name, _)| !tests.iter().any(|t| name.starts_with(t.as_str())));
    report(shipped.flat_map(|(name, text)| layers::faults(name, text, &dependencies)).collect());
}

/// Every test that a story names is there.
#[test]
fn stories_name_tests_that_exist() {
    let stories = fs::read_to_string(root().join("docs/using.md")).expect("the stories");
    let named = stories.split('`').filter_map(|word| word.split_once("::"));
    let missing = named.clone().filter(|(module, test)| {
        let text = fs::read_to_string(root().join(format!("tests/e2e/{module}.rs"))).unwrap_or_default();
        !text.contains(&format!("\nfn {test}() {{"))
    });
    report(missing.map(|(module, test)| format!("docs/using.md names {module}::{test}")).collect());
    assert!(named.count() >= 10, "ten stories, each with its test");
}

#[test]
fn files_stay_short() {
    let mut faults = Vec::new();
    for folder in ["src", "xtask/src", "plugin-shim/src"] {
        for (name, path) in files(folder).iter().filter(|(name, _)| !name.contains("/generated/")) {
            let lines = fs::read_to_string(path).expect("source").lines().count();
            let most = if name == "src/main.rs" { 39 } else { 800 };
            if lines > most {
                faults.push(format!(
                    "{name}: {lines} lines, at most {most}; give a part of it a module of its own"
                ));
            }
        }
    }
    report(faults);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    // Put together here, so that this file does not find itself.
    let words = [["../", "shared"].concat(), ["/", "work", "/"].concat()];
    let mut faults = Vec::new();
    for (name, path) in files(".") {
        let Ok(text) = fs::read_to_string(path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| mentions(line, word)) {
                faults.push(format!("{name}:{}: mentions {word}, which means nothing elsewhere", number + 1));
            }
        }
    }
    report(faults);
}

/// Whether the path stands in the line by itself and not as the tail of another one.
fn mentions(line: &str, path: &str) -> bool {
    let goes_on = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c));
    line.match_indices(path).any(|(at, _)| !goes_on(&line[..at]))
}

#[test]
fn a_path_is_told_from_the_tail_of_another() {
    let work = ["/", "work", "/"].concat();
    for (line, wanted) in
        [("see X", true), ("\"X", true), ("Xmain", true), ("sampleX", false), ("a/b-X", false)]
    {
        assert_eq!(mentions(&line.replace('X', &work), &work), wanted, "{line}");
    }
}
