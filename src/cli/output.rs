//! The only place that prints. A reader that goes away early (a closed pipe) is no fault.
use std::io::Write;

pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// As it is, without a line end of its own.
pub fn text(text: &str) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

pub fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "gantry: {text}");
}

pub fn help(error: &clap::Error) {
    let _ = error.print();
}
