//! The plan file on disk: lost by nobody, torn by nothing.
mod change;
mod files;
mod lock;
mod versions;

pub use change::temp_name;
pub use files::TodoFiles;

#[cfg(test)]
mod tests;
