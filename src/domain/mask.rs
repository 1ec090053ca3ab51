//! Secrets are neither logged nor passed on, whoever wrote them into a text.
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

const MASK: &str = "[masked]";

/// Shapes that tokens of the common services have, and values that are named as secrets. What comes before the secret is
/// group 1 and stays.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        // Providers, forges, clouds, chats, registries.
        r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}",
        r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}",
        r"\b(?:xox[abprs]|xapp)-[A-Za-z0-9-]{10,}|\bnpm_[A-Za-z0-9]{30,}|\bhf_[A-Za-z0-9]{20,}",
        r"\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9]{16,}|\bshpat_[a-fA-F0-9]{20,}",
        r"\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bdop_v1_[a-f0-9]{32,}|\bpypi-AgE[A-Za-z0-9_-]{30,}",
        r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\b\d{8,10}:AA[A-Za-z0-9_-]{30,}",
        // Three parts of base 64 with dots between: a signed token.
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"(?i)(?<bearer>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
        r#"(?i)(?<named>\b[a-z0-9_-]*(?:api[_-]?key|secret|passwo?r?d|access[_-]?token|auth[_-]?token)\\?["']?\s*[:=]\s*\\?["']?)[^\s"'\\,;&)}]{6,}"#,
        // A password within an address.
        r"(?<url>\b[a-z][a-z0-9+.-]*://[^/\s:@]+:)[^@\s/]+(?<at>@)",
    ];
    Regex::new(&shapes.map(|shape| format!("(?:{shape})")).join("|")).expect("the shapes are tested")
});

pub fn masked(text: &str) -> Cow<'_, str> {
    SHAPES.replace_all(text, |found: &Captures<'_>| {
        let part = |name| found.name(name).map_or("", |part| part.as_str());
        format!("{}{}{}{MASK}{}", part("bearer"), part("named"), part("url"), part("at"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_every_shape_are_masked() {
        let cases = [
            ("key sk-proj-abcdefghijklmnop1234 used", "key [masked] used"),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[masked]"),
            ("github_pat_11ABCDEFG0123456789_abc", "[masked]"),
            ("AKIAIOSFODNN7EXAMPLE.", "[masked]."),
            ("xoxb-1234567890-abc and xapp-1-A0123456-abc", "[masked] and [masked]"),
            ("sk_live_abcdefghijklmnop1234; whsec_abcdefghijklmnop", "[masked]; [masked]"),
            ("shpat_0123456789abcdef0123456789abcdef", "[masked]"),
            ("ya29.a0AfH6SMBabcdefghijklmnop, GOCSPX-abcdefghijklmnopqrstuv", "[masked], [masked]"),
            ("dop_v1_0123456789abcdef0123456789abcdef", "[masked]"),
            ("pypi-AgEIcHlwaS5vcmcCJDEyMzQ1Njc4LTkwYWItY2RlZi0xMjM0", "[masked]"),
            ("SG.abcdefghijklmnopqrst.uvwxyzABCDEFGHIJKLMN", "[masked]"),
            ("123456789:AAabcdefghijklmnopqrstuvwxyz0123456", "[masked]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "[masked]"),
            ("Authorization: Bearer abcdef123456", "Authorization: Bearer [masked]"),
            ("{\"apiKey\":\"abcdef123\"}", "{\"apiKey\":\"[masked]\"}"),
            ("{\\\"apiKey\\\":\\\"abcdef123\\\"}", "{\\\"apiKey\\\":\\\"[masked]\\\"}"),
            ("OPENAI_API_KEY=abcdef123 npm test", "OPENAI_API_KEY=[masked] npm test"),
            ("password: hunter22", "password: [masked]"),
            ("postgres://me:hunter2@db/x", "postgres://me:[masked]@db/x"),
            ("-----BEGIN RSA PRIVATE KEY-----MIIabc", "[masked]"),
        ];
        for (text, wanted) in cases {
            assert_eq!(masked(text), wanted);
            assert_eq!(masked(wanted), wanted, "once is enough");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let plain = [
            "mission 019aa3c2-7d10-7c4e-9a51-3f0c8e21b6d4 taken over",
            "ses_5f1c2ab3 asked; 12345 tokens, $0.02",
            "http://127.0.0.1:4096/session",
            "the task-runner is risk-averse",
            "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            "tokens: 123456789",
            "task_test_runner, SG.1 and 12345678:AA",
        ];
        for text in plain {
            assert!(matches!(masked(text), Cow::Borrowed(_)), "{text}: {}", masked(text));
        }
    }
}
