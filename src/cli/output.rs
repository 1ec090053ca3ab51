//! The only place that prints. A reader that goes away early (a closed pipe) is no fault; what prints without end asks
//! whether there is one. Missions hold what users, models and files say, so characters that steer a terminal are shown
//! instead of sent.
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Whether somebody still reads.
pub fn line(text: &str) -> bool {
    writeln!(std::io::stdout().lock(), "{}", plain(text)).is_ok()
}

/// As it is, without a line end of its own. Whether somebody still reads.
pub fn text(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    write!(out, "{}", plain(text)).and_then(|()| out.flush()).is_ok()
}

/// The newest state of something: in a terminal it takes the place of the one before. Whether somebody still reads.
pub fn live(text: &str, last: bool) -> bool {
    if !std::io::stdout().is_terminal() {
        return line(text);
    }
    let end = if last { "\n" } else { "" };
    let mut out = std::io::stdout().lock();
    write!(out, "\r\x1b[K{}{end}", plain(text)).and_then(|()| out.flush()).is_ok()
}

/// For the person, beside the output.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
}

/// Waits, and says whether somebody still reads. Only a look tells while there is nothing to write.
#[cfg(unix)]
pub fn still_read(wait: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    let mut looked = [PollFd::new(&stdout, PollFlags::empty())];
    let limit = Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: wait.subsec_nanos().into() };
    let woken = poll(&mut looked, Some(&limit));
    let [stdout] = &looked;
    if stdout.revents().intersects(PollFlags::ERR | PollFlags::HUP) {
        return false;
    }
    // A signal, or something that cannot be waited for in this way.
    if woken != Ok(0) {
        std::thread::sleep(wait);
    }
    true
}

/// Here a write alone tells.
#[cfg(windows)]
pub fn still_read(wait: Duration) -> bool {
    std::thread::sleep(wait);
    true
}

/// Without what steers a terminal: other control characters than line ends and tabs, and those that turn the direction
/// of writing.
fn plain(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut rest = text.chars().peekable();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        plain.push(match c {
            '\r' if rest.peek() == Some(&'\n') => c,
            '\0'..='\x1f' if steers(c) => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            c if steers(c) => '\u{fffd}',
            c => c,
        });
    }
    Cow::Owned(plain)
}

/// Columns of the terminal, if that is where it goes.
pub fn width() -> Option<usize> {
    std::io::stdout().is_terminal().then(|| columns().filter(|columns| *columns > 0).unwrap_or(80).into())
}

#[cfg(unix)]
fn columns() -> Option<u16> {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col)
}

#[cfg(windows)]
fn columns() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// The words on lines of at most so many columns, those after the first behind `indent` blanks. A word that is longer
/// stands alone, as it is.
pub fn wrapped(text: &str, columns: usize, indent: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    let mut used = indent;
    for word in text.split(' ') {
        let wide = word.chars().count();
        if !line.is_empty() && used + 1 + wide > columns {
            lines.push(std::mem::take(&mut line));
            used = indent;
        }
        if !line.is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += wide;
    }
    lines.push(line);
    lines.join(&format!("\n{}", " ".repeat(indent)))
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
    file.write_all(plain(text).as_bytes())
}

pub fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "gantry: {}", plain(text));
}

pub fn help(error: &clap::Error) {
    let _ = error.print();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        let cases = [
            ("plain ü → ✓\ttab\nline\r\nend", "plain ü → ✓\ttab\nline\r\nend"),
            ("\x1b[31mred\x07", "␛[31mred␇"),
            ("over\rwritten\x08", "over␍written␈"),
            ("\u{9b}2J\x7f\u{202e}txt", "\u{fffd}2J\u{fffd}\u{fffd}txt"),
            ("\u{feff}{}", "\u{feff}{}"),
        ];
        for (text, wanted) in cases {
            assert_eq!(plain(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn words_are_put_on_lines() {
        let cases = [
            ("a bc def", 20, "a bc def"),
            ("a bc def", 6, "a bc\n  def"),
            ("/a/very/long/path is", 6, "/a/very/long/path\n  is"),
            ("is /a/very/long/path", 6, "is\n  /a/very/long/path"),
        ];
        for (text, columns, wanted) in cases {
            assert_eq!(wrapped(text, columns, 2), wanted, "{text}");
        }
    }
}
