//! The plan file on disk: lost by nobody, torn by nothing.
mod change;
mod files;
mod lock;
mod versions;

pub use files::TodoFiles;

#[cfg(test)]
mod tests;
