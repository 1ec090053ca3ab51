//! The ports, served: one folder per outside thing. No adapter knows another.
pub mod memory;
pub mod opencode;
pub mod search;
pub mod sqlite;
pub mod system;
pub mod todo;
