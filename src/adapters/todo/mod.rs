//! The plan file on disk: lost by nobody, torn by nothing.
mod base;
mod change;
mod files;
mod lock;
mod shelf;
mod target;
mod versions;
mod watch;

pub use files::TodoFiles;

#[cfg(test)]
mod tests;
