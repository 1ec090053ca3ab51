//! Secrets do not get into the log, whoever wrote them into a message.
use crate::domain::mask::masked;
use std::borrow::Cow;
use std::io::{self, Write};

/// Masks what is written through it; each write is one line.
pub struct Masking<W>(pub W);

impl<W: Write> Write for Masking<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line).map(masked) {
            Ok(Cow::Owned(masked)) => self.0.write_all(masked.as_bytes())?,
            _ => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
