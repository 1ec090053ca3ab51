//! The command line as a user meets it: the real binary, a home folder of its own.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests; they start real processes and wait for them in real time"
)]

mod config;
mod doctor;
mod help;
mod home;
mod install;
mod search;
mod stored;
