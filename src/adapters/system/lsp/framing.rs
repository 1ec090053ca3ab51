//! Messages of the protocol: a length in a header, then JSON.
use serde_json::Value;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Longest message, in bytes; servers send whole lists of symbols.
const LONGEST: usize = 64 << 20;
/// Longest line of a header.
const HEADER: u64 = 4096;

pub(super) fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The next message; none at the end of the stream.
pub(super) async fn read(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        (&mut *input).take(HEADER).read_until(b'\n', &mut line).await?;
        let Ok(text) = std::str::from_utf8(&line) else { return Err(bad("a header that is no text")) };
        match text.trim_end() {
            "" if line.is_empty() => return Ok(None),
            "" => break,
            header => {
                if let Some((name, value)) = header.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse::<usize>().ok();
                }
            }
        }
    }
    let length =
        length.filter(|length| *length <= LONGEST).ok_or_else(|| bad("a message without a usable length"))?;
    let mut body = vec![0; length];
    input.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map(Some).map_err(|e| bad(&format!("a message that is no JSON: {e}")))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn what_is_framed_is_read() {
        let messages = [json!({"id": 1}), json!({"text": "äöü\r\n\r\n"}), json!([])];
        let mut bytes: Vec<u8> = messages.iter().flat_map(frame).collect();
        bytes.extend(b"content-type: x\r\nCONTENT-LENGTH: 2\r\n\r\n{}");
        let mut input = bytes.as_slice();
        for message in messages.iter().chain([&json!({})]) {
            assert_eq!(read(&mut input).await.expect("a message").as_ref(), Some(message));
        }
        assert_eq!(read(&mut input).await.expect("the end"), None);
    }

    #[tokio::test]
    async fn garbage_is_an_error_and_not_a_wait() {
        let long = format!("Content-Length: {}\r\n\r\n", LONGEST + 1);
        let header = format!("{}\r\n\r\n", "x".repeat(10_000));
        for garbage in [
            "\r\n\r\n{}",
            "Content-Length: x\r\n\r\n",
            "Content-Length: 5\r\n\r\n{{{{{",
            "Content-Length: 9\r\n\r\n{}",
            &long,
            &header,
        ] {
            let mut input = garbage.as_bytes();
            assert!(read(&mut input).await.is_err(), "{:.40}", garbage);
        }
    }
}
