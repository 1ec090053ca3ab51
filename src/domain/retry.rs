//! What kind of failure an error of the host is, and how long to wait before the same thing is tried again.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    RateLimit,
    Network,
    /// The provider failed on its side.
    Provider,
    /// The key or the account is refused; trying again cannot help.
    Auth,
    /// The conversation no longer fits the model.
    Overflow,
    /// The answer hit the length limit.
    Cut,
    /// Somebody ended the turn.
    Aborted,
    Other,
}

impl Class {
    pub fn is_transient(self) -> bool {
        matches!(self, Class::RateLimit | Class::Network | Class::Provider)
    }
}

/// By the host's own names first, then by HTTP status, then by the words of the message.
pub fn classify(name: &str, status: Option<u32>, message: &str) -> Class {
    match name {
        "MessageAbortedError" => return Class::Aborted,
        "ProviderAuthError" => return Class::Auth,
        "MessageOutputLengthError" => return Class::Cut,
        "ContextOverflowError" => return Class::Overflow,
        _ => {}
    }
    match status {
        Some(401 | 403) => return Class::Auth,
        Some(429) => return Class::RateLimit,
        Some(408 | 500..=599) => return Class::Provider,
        _ => {}
    }
    let text = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if has(&["rate limit", "too many requests"]) {
        Class::RateLimit
    } else if has(&[
        "econnrefused",
        "econnreset",
        "etimedout",
        "unable to connect",
        "fetch failed",
        "socket",
        "network",
    ]) {
        Class::Network
    } else if has(&["overloaded", "internal server error", "bad gateway", "unavailable"]) {
        Class::Provider
    } else if has(&["context length", "maximum context", "too many tokens"]) {
        Class::Overflow
    } else {
        Class::Other
    }
}

/// Why the host tries again by itself, by the words it says that with. It does so only for what passes; `Other` may be
/// either, and where nothing is said it is a wait.
pub fn announced(message: Option<&str>) -> Class {
    let Some(message) = message else { return Class::RateLimit };
    let text = message.to_ascii_lowercase();
    let limited = ["limit", "quota", "throttl", "too_many_requests", "slow down", "429"];
    match classify("", None, message) {
        class if class.is_transient() => class,
        _ if limited.iter().any(|word| text.contains(word)) => Class::RateLimit,
        _ => Class::Other,
    }
}

/// Milliseconds before the `n`th repeat, from 0: at once, 1 s, 2 s, 4 s, then 4 s.
pub fn delay_ms(n: u32) -> u64 {
    match n {
        0 => 0,
        n => 1000 << (n - 1).min(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_hosts_names_then_status_then_words() {
        let table = [
            ("MessageAbortedError", None, "", Class::Aborted),
            ("ProviderAuthError", Some(429), "", Class::Auth),
            ("MessageOutputLengthError", None, "", Class::Cut),
            ("ContextOverflowError", None, "", Class::Overflow),
            ("APIError", Some(429), "slow down", Class::RateLimit),
            ("APIError", Some(401), "", Class::Auth),
            ("APIError", Some(503), "", Class::Provider),
            ("UnknownError", None, "fetch failed: ECONNREFUSED", Class::Network),
            ("UnknownError", None, "Too Many Requests", Class::RateLimit),
            ("UnknownError", None, "model is overloaded", Class::Provider),
            ("UnknownError", None, "no idea", Class::Other),
        ];
        for (name, status, message, class) in table {
            assert_eq!(classify(name, status, message), class, "{name} {status:?} {message}");
        }
    }

    #[test]
    fn what_the_host_tries_again_is_a_limit_a_failure_or_unknown() {
        let table = [
            (None, Class::RateLimit),
            (Some("Too Many Requests"), Class::RateLimit),
            (Some("Go usage limit reached. It will reset in 3 hours."), Class::RateLimit),
            (Some("ThrottlingException: wait before trying again"), Class::RateLimit),
            (Some("Provider is overloaded"), Class::Provider),
            (Some("Service Unavailable"), Class::Provider),
            (Some("Unable to connect. Is the computer able to access the url?"), Class::Network),
            (Some("Bitte warten"), Class::Other),
        ];
        for (message, class) in table {
            assert_eq!(announced(message), class, "{message:?}");
        }
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        assert_eq!((0..6).map(delay_ms).collect::<Vec<_>>(), [0, 1000, 2000, 4000, 4000, 4000]);
    }
}
