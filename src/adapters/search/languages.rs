//! Languages whose structure is known.
use crate::ports::code::CodeError;
use ast_grep_language::SupportLang;

/// By the names models and people use; the order is that of the tool's description.
const LANGUAGES: &[(&str, SupportLang)] = &[
    ("rust", SupportLang::Rust),
    ("typescript", SupportLang::TypeScript),
    ("tsx", SupportLang::Tsx),
    ("javascript", SupportLang::JavaScript),
    ("python", SupportLang::Python),
    ("go", SupportLang::Go),
    ("java", SupportLang::Java),
    ("c", SupportLang::C),
    ("cpp", SupportLang::Cpp),
];

const NAMES: &[&str] = &["rust", "typescript", "tsx", "javascript", "python", "go", "java", "c", "cpp"];

/// As files are named, and as people say.
const ALIASES: &[(&str, &str)] = &[
    ("rs", "rust"),
    ("ts", "typescript"),
    ("js", "javascript"),
    ("jsx", "javascript"),
    ("mjs", "javascript"),
    ("py", "python"),
    ("golang", "go"),
    ("c++", "cpp"),
    ("cc", "cpp"),
];

pub(super) fn named(name: &str) -> Result<SupportLang, CodeError> {
    let whole =
        ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map_or(name, |(_, whole)| whole);
    let found = LANGUAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(whole));
    found.map(|(_, language)| *language).ok_or_else(|| {
        CodeError::Invalid(format!("the language {name:?} is not known: it is one of {}", NAMES.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_table() {
        let names: Vec<_> = LANGUAGES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, NAMES);
        for (alias, whole) in ALIASES {
            assert_eq!(named(alias).unwrap(), named(whole).unwrap(), "{alias}");
            assert!(!names.contains(alias));
        }
    }
}
