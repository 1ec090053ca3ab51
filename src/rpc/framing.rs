//! Lines out of a byte stream, with a cap on the length of one.
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes asked for in one read.
const CHUNK: usize = 64 * 1024;

#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Without its newline; a last line may lack one.
    Text(&'a [u8]),
    /// Longer than the cap. It was skipped to its end and never held in memory.
    TooLong,
}

pub(super) struct LineReader<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the line that is being read starts.
    start: usize,
    /// No newline before this one.
    searched: usize,
    cap: usize,
    skipping: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(reader: R, cap: usize) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, searched: 0, cap, skipping: false }
    }

    /// The next line, or `None` at the end of input. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            if let Some(offset) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let (start, end) = (self.start, self.searched + offset);
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some(self.line(start, end)));
            }
            self.searched = self.buffer.len();
            if self.skipping || self.buffer.len() - self.start > self.cap {
                self.skipping = true;
                self.start = self.buffer.len();
            }
            self.make_room();
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                let (start, end) = (self.start, self.buffer.len());
                self.start = end;
                return Ok((self.skipping || start < end).then(|| self.line(start, end)));
            }
        }
    }

    fn line(&mut self, start: usize, end: usize) -> Line<'_> {
        if std::mem::take(&mut self.skipping) || end - start > self.cap {
            return Line::TooLong;
        }
        Line::Text(&self.buffer[start..end])
    }

    /// Moves the unfinished line to the front. A buffer that a long line has grown is given back once it is empty.
    fn make_room(&mut self) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * CHUNK {
            self.buffer = Vec::new();
        }
        if self.buffer.capacity() - self.buffer.len() < CHUNK / 2 {
            self.buffer.reserve(CHUNK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `input` in pieces of `piece` bytes with a cap of 8.
    async fn lines(input: &[u8], piece: usize) -> Vec<Option<Vec<u8>>> {
        let (mut tx, rx) = tokio::io::duplex(piece);
        let owned = input.to_vec();
        let feed = tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut tx, &owned).await });
        let mut reader = LineReader::new(rx, 8);
        let mut found = Vec::new();
        while let Some(line) = reader.next().await.expect("memory pipe") {
            found.push(match line {
                Line::Text(text) => Some(text.to_vec()),
                Line::TooLong => None,
            });
        }
        feed.await.expect("feeder").expect("memory pipe");
        found
    }

    #[tokio::test]
    async fn lines_do_not_depend_on_how_the_bytes_arrive() {
        let text = |t: &str| Some(t.as_bytes().to_vec());
        let cases: [(&str, Vec<Option<Vec<u8>>>); 8] = [
            ("", vec![]),
            ("a\nb\n", vec![text("a"), text("b")]),
            ("a\n\nb", vec![text("a"), text(""), text("b")]),
            ("12345678\n", vec![text("12345678")]),
            ("123456789\nb\n", vec![None, text("b")]),
            ("a\n1234567890123456789012345\nb\n", vec![text("a"), None, text("b")]),
            ("1234567890", vec![None]),
            ("123456789\n123456789\nb", vec![None, None, text("b")]),
        ];
        for (input, wanted) in cases {
            for piece in [1, 2, 3, 7, 64] {
                assert_eq!(lines(input.as_bytes(), piece).await, wanted, "{input:?} in pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn a_skipped_line_is_never_held_in_memory() {
        let cap = 1024 * 1024;
        let (mut tx, rx) = tokio::io::duplex(CHUNK);
        let feed = tokio::spawn(async move {
            for _ in 0..256 {
                tokio::io::AsyncWriteExt::write_all(&mut tx, &[b'x'; CHUNK]).await?;
            }
            tokio::io::AsyncWriteExt::write_all(&mut tx, b"\nok\n").await
        });
        let mut reader = LineReader::new(rx, cap);
        assert_eq!(reader.next().await.expect("pipe"), Some(Line::TooLong));
        assert_eq!(reader.next().await.expect("pipe"), Some(Line::Text(b"ok")));
        assert!(reader.buffer.capacity() <= 2 * cap + 2 * CHUNK, "{} bytes kept", reader.buffer.capacity());
        assert_eq!(reader.next().await.expect("pipe"), None);
        assert!(reader.buffer.capacity() <= 4 * CHUNK, "{} bytes kept when idle", reader.buffer.capacity());
        feed.await.expect("feeder").expect("memory pipe");
    }
}
