//! The code tools against the programs they are measured by: ripgrep, ast-grep, real language servers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests of files and processes")]
mod changes;
mod diagnostics;
mod sidecar;
mod slow;
mod structure;
mod text;
mod tree;
