//! The host's terminal interface, driven like a person does: keys in, screen out.

use std::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::host::kill_group;

/// Longest wait for the echo of a letter; a blank at the end of a line may show none.
const ECHO: Duration = Duration::from_millis(500);
/// Longer than it takes to draw all of a screen.
const FRAME: Duration = Duration::from_millis(100);
/// Between an echo and the next letter.
const STROKE: Duration = Duration::from_millis(15);

/// A running terminal program. Dropping it kills its process group.
pub struct Tui {
    child: Box<dyn Child + Send + Sync>,
    /// Kept open: closing it hangs the terminal up.
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    display: Arc<Display>,
}

struct Display {
    parser: Mutex<vt100::Parser>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Enter,
    Escape,
    Tab,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    /// With the control key held; a lower-case letter.
    Ctrl(char),
}

/// The visible text, one line per row, without trailing blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    pub text: String,
}

impl Key {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Enter => b"\r".to_vec(),
            Self::Escape => b"\x1b".to_vec(),
            Self::Tab => b"\t".to_vec(),
            Self::Backspace => b"\x7f".to_vec(),
            Self::Up => b"\x1b[A".to_vec(),
            Self::Down => b"\x1b[B".to_vec(),
            Self::Right => b"\x1b[C".to_vec(),
            Self::Left => b"\x1b[D".to_vec(),
            Self::Ctrl(letter) => vec![letter as u8 & 0x1f],
        }
    }
}

impl Screen {
    pub fn contains(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The first line with this text.
    pub fn line(&self, text: &str) -> Option<&str> {
        self.text.lines().find(|line| line.contains(text))
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Tui {
    pub(super) fn spawn(command: CommandBuilder, columns: u16, rows: u16) -> Result<Self> {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).context("no pseudo terminal")?;
        let child =
            pair.slave.spawn_command(command).context("cannot start the host in a pseudo terminal")?;
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader()?;
        let keyboard = pair.master.take_writer()?;
        let parser = Mutex::new(vt100::Parser::new(rows, columns, 0));
        let display = Arc::new(Display { parser, changed: Condvar::new() });
        let shared = display.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shared.parser.lock().unwrap_or_else(PoisonError::into_inner).process(&buffer[..count]);
                shared.changed.notify_all();
            }
        });
        Ok(Self { child, master: pair.master, keyboard, display })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Types the text, without Enter, each letter after the echo of the one before.
    ///
    /// When the host closes its list of slash commands, which it does some time after the blank that follows
    /// the command, it deletes the command if more than that blank has come in by then.
    pub fn text(&mut self, text: &str) -> Result<()> {
        let mut buffer = [0; 4];
        for letter in text.chars() {
            let before = self.look();
            self.send(letter.encode_utf8(&mut buffer).as_bytes())?;
            let deadline = Instant::now() + ECHO;
            while self.look() == before && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(STROKE);
        }
        Ok(())
    }

    /// Types the text into the field that has the focus. While a dialog opens or closes none has it, and the host
    /// drops what is typed then; it shows a cursor just as long as one has.
    pub fn fill(&mut self, text: &str, timeout: Duration) -> Result<()> {
        self.wait(&format!("cursor for {text:?}"), timeout, |parser| !parser.screen().hide_cursor())?;
        self.text(text)
    }

    /// As `fill`, with Enter.
    pub fn say(&mut self, text: &str, timeout: Duration) -> Result<()> {
        self.fill(text, timeout)?;
        self.key(Key::Enter)
    }

    /// As the terminal sends what is pasted.
    pub fn paste(&mut self, text: &str) -> Result<()> {
        self.send(format!("\x1b[200~{text}\x1b[201~").as_bytes())
    }

    pub fn key(&mut self, key: Key) -> Result<()> {
        self.send(&key.bytes())
    }

    /// Ends the running turn as a person does: Escape, and again when the host asks for it.
    pub fn interrupt(&mut self, timeout: Duration) -> Result<()> {
        self.key(Key::Escape)?;
        self.wait_text("esc again to interrupt", timeout)?;
        self.key(Key::Escape)
    }

    /// The window is given another size. What was drawn for the old one is not to be taken for an answer to the new one.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let mut parser = self.display.parser.lock().unwrap_or_else(PoisonError::into_inner);
        parser.screen_mut().set_size(rows, columns);
        parser.process(b"\x1b[2J");
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 })
    }

    pub fn screen(&self) -> Screen {
        screen(&self.display.parser.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a screen that `wanted` accepts. The error shows the last screen.
    pub fn wait_for(
        &self,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&Screen) -> bool,
    ) -> Result<Screen> {
        self.wait(what, timeout, |parser| wanted(&screen(parser)))
    }

    /// Waits for a text on the screen.
    pub fn wait_text(&self, text: &str, timeout: Duration) -> Result<Screen> {
        self.wait_for(&format!("{text:?} on the screen"), timeout, |screen| screen.contains(text))
    }

    /// As `wait_for`, with a screen that is not in the middle of being drawn.
    pub fn wait_still(
        &self,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&Screen) -> bool,
    ) -> Result<Screen> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let found = self.wait_for(what, left, &mut wanted)?;
            std::thread::sleep(FRAME);
            if self.screen() == found {
                return Ok(found);
            }
        }
    }

    /// Waits for the program to end by itself.
    pub fn wait_exit(&mut self, timeout: Duration) -> Result<u32> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.exit_code());
            }
            if Instant::now() >= deadline {
                bail!("the host runs after {timeout:?}; the screen is\n{}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait(
        &self,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&vt100::Parser) -> bool,
    ) -> Result<Screen> {
        let deadline = Instant::now() + timeout;
        let mut parser = self.display.parser.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if wanted(&parser) {
                return Ok(screen(&parser));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no {what} within {timeout:?}; the screen is\n{}", screen(&parser));
            }
            let waited = self.display.changed.wait_timeout(parser, left);
            parser = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Screen and cursor.
    fn look(&self) -> (Screen, (u16, u16)) {
        let parser = self.display.parser.lock().unwrap_or_else(PoisonError::into_inner);
        (screen(&parser), parser.screen().cursor_position())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.keyboard.write_all(bytes).context("the host no longer reads its terminal")?;
        Ok(self.keyboard.flush()?)
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        // The child leads the terminal's session, so its id is that of its group.
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), self.child.process_id()) {
            kill_group(pid);
            let _ = self.child.wait();
        }
    }
}

fn screen(parser: &vt100::Parser) -> Screen {
    let (_, columns) = parser.screen().size();
    let rows: Vec<String> = parser.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    Screen { text: rows.join("\n").trim_end().to_owned() }
}
