//! The end of a long output.

/// Bytes of the text that is kept.
pub(super) const KEPT: usize = 8 * 1024;

#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        // Only now and then, so that bytes are not moved for every chunk.
        if self.bytes.len() > 4 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
            self.cut = true;
        }
    }

    /// At most `KEPT` bytes of valid UTF-8, from the start of a line where something was cut.
    pub(super) fn text(&self) -> String {
        // One byte that is not UTF-8 becomes three, so the cut comes after that.
        let text = String::from_utf8_lossy(&self.bytes);
        if !self.cut && text.len() <= KEPT {
            return text.into_owned();
        }
        let mut start = text.len().saturating_sub(KEPT);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let kept = &text[start..];
        // A last line longer than everything that is kept stays, without its start.
        let line = kept.find('\n').map(|end| &kept[end + 1..]).filter(|rest| !rest.is_empty());
        line.unwrap_or(kept).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(chunks: &[&[u8]]) -> String {
        let mut tail = Tail::default();
        chunks.iter().for_each(|chunk| tail.push(chunk));
        tail.text()
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        assert_eq!(tail(&[]), "");
        assert_eq!(tail(&[b"a\n", b"b"]), "a\nb");
        assert_eq!(tail(&[b"a\xffb"]), "a\u{fffd}b");
        assert_eq!(tail(&["ä".as_bytes()[..1].as_ref(), &"ä".as_bytes()[1..]]), "ä", "a split letter");
        assert_eq!(tail(&[&[b'x'; KEPT]]).len(), KEPT);
    }

    #[test]
    fn of_more_the_end_is_kept_from_a_line_start() {
        let lines: Vec<String> = (0..20_000).map(|n| format!("line {n}\n")).collect();
        let text = tail(&lines.iter().map(String::as_bytes).collect::<Vec<_>>());
        assert!(text.len() <= KEPT && text.len() > KEPT - 20, "{}", text.len());
        assert!(text.starts_with("line ") && text.ends_with("line 19999\n"));
        let one_line = "ä".repeat(KEPT);
        let text = tail(&[one_line.as_bytes()]);
        assert!(text.len() <= KEPT && text.chars().all(|c| c == 'ä'));
        let bad = tail(&[&[0xff; 3 * KEPT]]);
        assert!(bad.len() <= KEPT && !bad.is_empty());
    }
}
