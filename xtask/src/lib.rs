//! The lab: everything the tests and the demo need around the product that is not the product.
//!
//! A scripted language model, the real host in a scratch environment, its terminal interface in a pseudo
//! terminal, and a small project to work on. Nothing here depends on the product's crate, so its tests can
//! depend on this one.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool: it measures real time, starts real processes and talks to a terminal"
)]

pub mod bench;
pub mod dist;
pub mod lab;
pub mod verbs;
