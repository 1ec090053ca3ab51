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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Pieces of which names, quotes and values come together in all orders.
    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            "password",
            "token",
            "secret",
            "auth",
            "=",
            ":",
            " ",
            "\"",
            "'",
            "\\",
            ",",
            "{",
            "}",
            "[",
            "]",
            "\n",
            "bearer ",
            "http://a:",
            "@",
            "abcdef123456",
            "1234567",
            "-----BEGIN PRIVATE KEY-----",
            "cookie:",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|parts| parts.concat())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            text().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(2, 12, 4, |inner| {
            let object = prop::collection::vec((text(), inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                object.prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_line_stays_one_of_json(fields in prop::collection::vec((text(), value()), 0..5)) {
            let fields: serde_json::Map<_, _> = fields.into_iter().collect();
            let line = format!("{}\n", json!({"level": "INFO", "fields": fields}));
            let mut written = Vec::new();
            Masking(&mut written).write_all(line.as_bytes()).unwrap();
            let written = String::from_utf8(written).unwrap();
            prop_assert!(serde_json::from_str::<Value>(&written).is_ok(), "{line} became {written}");
            prop_assert!(written.ends_with('\n') && written.lines().count() == 1);
        }
    }
}
