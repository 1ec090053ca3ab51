//! Missions on the real host: its own binary, the built plugin, the built sidecar, SQLite on disk. Only the language
//! model is scripted. `cargo xtask test` builds and fetches what is needed.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests; they measure real time and start real processes"
)]

mod code_tools;
mod command_line;
mod commands;
mod configuration;
mod conversations;
mod directories;
mod faults;
mod fractal;
mod gate;
mod kill;
mod mission;
mod models;
mod orders;
mod packages;
mod panel;
mod permissions;
mod progress;
mod prompt_tax;
mod race;
mod rollback;
mod script;
mod sessions;
mod steering;
mod support;
mod todo;
mod tui;
mod view;
mod worktrees;
