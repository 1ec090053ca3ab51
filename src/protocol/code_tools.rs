//! Arguments of the tools for code. Also what the command line turns its flags into.
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct SearchTextArgs {
    /// Regular expressions as ripgrep takes them, or plain words with `literal`. A line that fits any of them is a hit; all are searched for in one pass.
    #[serde(alias = "pattern", deserialize_with = "one_or_many")]
    pub patterns: Vec<String>,
    /// A file or folder to search; the whole project when absent.
    #[serde(default)]
    pub path: Option<String>,
    /// Which files, such as `*.rs`, `src/**`, or `!**/test/**` to leave out.
    #[serde(default, deserialize_with = "one_or_many")]
    pub globs: Vec<String>,
    /// File types as ripgrep names them, such as `rust`, `ts`, `py`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub types: Vec<String>,
    /// Take the patterns as they stand.
    #[serde(default)]
    pub literal: bool,
    /// Default sensitive; smart ignores case as long as no pattern has an upper-case letter.
    #[serde(default)]
    pub case: Option<CaseArg>,
    /// Whole words only.
    #[serde(default)]
    pub word: bool,
    /// A hit may go over the end of a line.
    #[serde(default)]
    pub multiline: bool,
    /// Lines shown before and after each hit, 0 to 20.
    #[serde(default)]
    pub context: Option<u32>,
    /// Also files and folders whose names begin with a dot.
    #[serde(default)]
    pub hidden: bool,
    /// Also what .gitignore and .ignore leave out, such as build, dist, target, node_modules.
    #[serde(default)]
    pub ignored: bool,
    /// Search files with NUL bytes to their end.
    #[serde(default)]
    pub binary: bool,
    /// Of files that are neither UTF-8 nor marked UTF-16, such as `latin1`.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Hits at most, 1 to 500 (100).
    #[serde(default)]
    pub limit: Option<u32>,
    /// Goes on after the answer that ended with it.
    #[serde(default)]
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseArg {
    Sensitive,
    Insensitive,
    Smart,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct SearchFilesArgs {
    /// Which files, such as `**/*.test.ts` or `!dist/**`; all when absent.
    #[serde(default, alias = "glob", alias = "pattern", deserialize_with = "one_or_many")]
    pub globs: Vec<String>,
    /// A folder to search; the whole project when absent.
    #[serde(default)]
    pub path: Option<String>,
    /// File types as ripgrep names them, such as `rust`, `ts`, `py`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub types: Vec<String>,
    /// Default newest: the last changed first.
    #[serde(default)]
    pub order: Option<OrderArg>,
    /// Also files and folders whose names begin with a dot.
    #[serde(default)]
    pub hidden: bool,
    /// Also what .gitignore and .ignore leave out.
    #[serde(default)]
    pub ignored: bool,
    /// Files at most, 1 to 1000 (200).
    #[serde(default)]
    pub limit: Option<u32>,
    /// Goes on after the answer that ended with it.
    #[serde(default)]
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderArg {
    Newest,
    Path,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct SearchCodeArgs {
    /// Code to find, as ast-grep takes it: `$NAME` stands for one expression, `$$$NAME` for any number, such as `foo($A, $$$REST)`.
    pub pattern: String,
    /// rust, typescript, tsx, javascript, python, go, java, c or cpp.
    pub language: String,
    /// A file or folder to search; the whole project when absent.
    #[serde(default)]
    pub path: Option<String>,
    /// Which files, such as `src/**` or `!**/test/**`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub globs: Vec<String>,
    /// What each hit becomes, with the names of the pattern. Shown as a diff, nothing is written.
    #[serde(default)]
    pub rewrite: Option<String>,
    /// Write the rewrite to the files, 200 at most.
    #[serde(default)]
    pub apply: bool,
    /// Also files and folders whose names begin with a dot.
    #[serde(default)]
    pub hidden: bool,
    /// Also what .gitignore and .ignore leave out.
    #[serde(default)]
    pub ignored: bool,
    /// Hits at most, 1 to 500 (100).
    #[serde(default)]
    pub limit: Option<u32>,
    /// Goes on after the answer that ended with it.
    #[serde(default)]
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosticsArgs {
    /// Files to look at; those your task has changed when absent.
    #[serde(default, alias = "path", deserialize_with = "one_or_many")]
    pub paths: Vec<String>,
    /// Default warning: errors and warnings.
    #[serde(default)]
    pub severity: Option<SeverityArg>,
    /// From the answer before, to go on with it.
    #[serde(default)]
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeverityArg {
    Error,
    Warning,
    All,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct TreeDiffArgs {
    /// Default task: what your task has changed; mission: what the whole mission has.
    #[serde(default)]
    pub of: Option<ChangeArg>,
    /// Only these files and folders.
    #[serde(default, alias = "path", deserialize_with = "one_or_many")]
    pub paths: Vec<String>,
    /// Names of the changed files only.
    #[serde(default)]
    pub names_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeArg {
    Task,
    Mission,
}

/// Models write one string where a list of one is meant, and `null` where nothing is.
fn one_or_many<'de, D: Deserializer<'de>>(given: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        One(String),
        Many(Vec<String>),
        None,
    }
    Ok(match Given::deserialize(given)? {
        Given::One(text) => vec![text],
        Given::Many(texts) => texts,
        Given::None => Vec::new(),
    })
}
