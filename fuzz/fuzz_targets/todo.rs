//! The parser of the plan file, and what is written into one, on any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| gantry::domain::todo::promises::parser(text));
