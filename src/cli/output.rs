//! The only place that prints. A reader that goes away early (a closed pipe) is no fault.
use std::io::{IsTerminal, Write};

pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// As it is, without a line end of its own.
pub fn text(text: &str) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// The newest state of something: in a terminal it takes the place of the one before.
pub fn live(text: &str, last: bool) {
    if std::io::stdout().is_terminal() {
        let _ = write!(std::io::stdout().lock(), "\r\x1b[K{text}{}", if last { "\n" } else { "" });
        let _ = std::io::stdout().lock().flush();
    } else {
        line(text);
    }
}

/// For the person, beside the output.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Columns of the terminal; 80 where there is none.
pub fn width() -> usize {
    columns().filter(|columns| *columns > 0).unwrap_or(80).into()
}

#[cfg(unix)]
fn columns() -> Option<u16> {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col)
}

#[cfg(windows)]
fn columns() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// At most this many characters.
pub fn clipped(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

pub fn new_file(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

pub fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "gantry: {text}");
}

pub fn help(error: &clap::Error) {
    let _ = error.print();
}
