//! The installer's editor of configurations, on any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| gantry::setup::promises::editor(text));
