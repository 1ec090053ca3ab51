//! Files that a change has removed. TypeScript's servers see the text from before where it is shown to them. Pyright and older
//! gopls look for files on disk only: for them an error is new when it is about what such a file had.
use super::known::Language;
use crate::ports::code::Diagnostic;
use std::collections::BTreeSet;
use std::path::Path;

pub(super) struct Gone {
    pub paths: Vec<String>,
    /// What Go files among them declared.
    names: BTreeSet<String>,
}

impl Gone {
    pub(super) fn of(root: &Path, before: &[(String, Option<String>)]) -> Self {
        let gone = || before.iter().filter(|(path, _)| !root.join(path).exists());
        let go = gone().filter(|(path, _)| Language::of(path) == Some(Language::Go));
        let names =
            go.filter_map(|(_, text)| text.as_deref()).flat_map(declared).map(ToOwned::to_owned).collect();
        Self { paths: gone().map(|(path, _)| path.clone()).collect(), names }
    }

    /// The error cannot have been there while the files were.
    pub(super) fn explains(&self, error: &Diagnostic) -> bool {
        let code = error.code.as_deref().unwrap_or_default();
        match Language::of(&error.path) {
            Some(Language::Python)
                if code == "reportMissingImports" || code == "reportAttributeAccessIssue" =>
            {
                let name = error.message.split('"').nth(1).unwrap_or_default();
                let name = name.trim_start_matches('.').replace('.', "/");
                let modules = self.paths.iter().filter_map(|path| path.rsplit_once('.'));
                !name.is_empty()
                    && modules.into_iter().any(|(module, _)| {
                        ends_with(module.strip_suffix("/__init__").unwrap_or(module), &name)
                    })
            }
            Some(Language::Go) => {
                let words = || error.message.split(|c: char| !c.is_alphanumeric() && c != '_');
                let package = error.message.split_once("could not import ").map(|(_, rest)| rest);
                let package = package.and_then(|rest| rest.split_whitespace().next());
                let folders = self.paths.iter().filter_map(|path| path.rsplit_once('/'));
                words().any(|word| self.names.contains(word))
                    || package.is_some_and(|p| folders.into_iter().any(|(folder, _)| ends_with(p, folder)))
            }
            _ => false,
        }
    }
}

/// The parts of a path, from the end.
fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// Names on the first level of a Go file, those in `var (…)` and its like included.
fn declared(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut in_group = false;
    for line in text.lines() {
        let kind = ["func ", "type ", "var ", "const "].iter().find_map(|word| line.strip_prefix(word));
        let rest = match kind {
            Some(rest) if rest.starts_with('(') && !line.starts_with("func") => {
                in_group = true;
                continue;
            }
            // A method: the name is after its receiver.
            Some(rest) if rest.starts_with('(') => rest.split_once(')').map_or("", |(_, name)| name),
            Some(rest) => rest,
            None if in_group => line.strip_prefix('\t').unwrap_or_default(),
            None => continue,
        };
        in_group &= !line.starts_with(')');
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        names.extend(Some(&rest[..end]).filter(|name| !name.is_empty()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn what_a_go_file_declares_is_known() {
        let text = "package a\n\nfunc one() int {\n\ttwo := 1\n}\n\nfunc (t *T) Three(x int) {}\n\ntype T struct{}\n\n\
                    var (\n\tfour = 4\n\n\tfive int\n)\n\nconst six = 6\n";
        assert_eq!(declared(text), ["one", "Three", "T", "four", "five", "six"]);
    }
}
