//! What servers say, as diagnostics of ours.
use crate::ports::code::{Diagnostic, Severity};
use gen_lsp_types as lsp;
use serde_json::{Value, json};

/// The compiler's own form, as one of the protocol.
pub(super) fn of_tsserver(item: &Value) -> Value {
    let place = |at: &Value| {
        let less_one = |n: &Value| n.as_u64().unwrap_or(1).saturating_sub(1);
        json!({"line": less_one(&at["line"]), "character": less_one(&at["offset"])})
    };
    let severity = match item["category"].as_str() {
        Some("error") => 1,
        Some("warning") => 2,
        Some("suggestion") => 4,
        _ => 3,
    };
    json!({
        "range": {"start": place(&item["start"]), "end": place(&item["end"])},
        "severity": severity,
        "code": item["code"],
        "source": "typescript",
        "message": item["text"],
    })
}

pub(super) fn diagnostic(path: &str, text: &str, item: Value) -> Option<Diagnostic> {
    let item: lsp::Diagnostic = serde_json::from_value(item).ok()?;
    let severity = match item.severity {
        Some(lsp::DiagnosticSeverity::Warning) => Severity::Warning,
        Some(lsp::DiagnosticSeverity::Information) => Severity::Information,
        Some(lsp::DiagnosticSeverity::Hint) => Severity::Hint,
        // Without a severity the client is to decide; the careful reading is an error.
        _ => Severity::Error,
    };
    let line = item.range.start.line as usize;
    Some(Diagnostic {
        path: path.to_owned(),
        line: line + 1,
        column: column(text, line, item.range.start.character as usize) + 1,
        severity,
        code: item.code.map(|code| match code {
            lsp::Code::Int(number) => number.to_string(),
            lsp::Code::String(text) => text,
        }),
        source: item.source,
        message: match item.message {
            lsp::Message::String(text) => text.replace('\u{a0}', " "),
            lsp::Message::MarkupContent(content) => content.value,
        },
    })
}

/// Characters before `units` of UTF-16.
fn column(text: &str, line: usize, units: usize) -> usize {
    let line = text.split('\n').nth(line).unwrap_or_default();
    let mut left = units;
    line.chars()
        .take_while(|c| {
            let fits = left >= c.len_utf16();
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::column;

    #[test]
    fn columns_count_characters() {
        let text = "abc\n😀ä = x\n";
        for (line, units, chars) in
            [(0, 0, 0), (0, 2, 2), (0, 9, 3), (1, 2, 1), (1, 3, 2), (1, 6, 5), (7, 3, 0)]
        {
            assert_eq!(column(text, line, units), chars, "{line}:{units}");
        }
    }
}
