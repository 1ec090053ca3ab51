use super::*;
use proptest::prelude::*;

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
        ("hvs.CAESIJabcdefghijklmnopqrstuvwxyz gsk_abcdefghijklmnopqrst0123", "[masked] [masked]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "[masked]"),
        // The letter before it belongs to an escaped line end, or to a colour.
        (r"two\nghp_abcdefghijklmnopqrstuvwxyz0123456789", r"two\n[masked]"),
        ("\u{1b}[32msk-abcdefghijklmnop1234\u{1b}[0m", "\u{1b}[32m[masked]\u{1b}[0m"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [masked]"),
        ("authorization: token abcdefghij", "authorization: token [masked]"),
        (r#""Authorization": "Basic bWU6aHVudGVy""#, r#""Authorization": "Basic [masked]""#),
        ("curl -H 'Authorization: Bearer abcdefghij'", "curl -H 'Authorization: Bearer [masked]'"),
        ("sent bearer abcdef123456 along", "sent bearer [masked] along"),
        ("Set-Cookie: sid=abcdef; Path=/", "Set-Cookie: [masked]"),
        ("postgres://me:hunter2@db/x", "postgres://me:[masked]@db/x"),
        ("redis://:hunter22@h", "redis://:[masked]@h"),
        ("amqp://me:p@ss@h/v", "amqp://me:[masked]@h/v"),
        ("https://0123456789abcdef0123@example.com/x", "https://[masked]@example.com/x"),
        (
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX",
            "https://hooks.slack.com/services/[masked]",
        ),
        ("?sv=2024&sig=abcdefghijklmnopqrstuv%3D", "?sv=2024&sig=[masked]"),
        ("-----BEGIN RSA PRIVATE KEY-----MIIabc", "[masked]"),
        (
            "private_key: -----BEGIN PRIVATE KEY-----\nMIIabc+/=\n-----END PRIVATE KEY-----\nnext: 1",
            "private_key: [masked]\nnext: 1",
        ),
        (
            r#"{"k":"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIabc\n","n":1}"#,
            r#"{"k":"[masked]","n":1}"#,
        ),
    ];
    all_masked(&cases);
}

#[test]
fn values_that_are_named_as_secrets_are_masked() {
    let cases = [
        (r#"{"apiKey":"abcdef123"}"#, r#"{"apiKey":"[masked]"}"#),
        (r#"{\"apiKey\":\"abcdef123\"}"#, r#"{\"apiKey\":\"[masked]\"}"#),
        ("OPENAI_API_KEY=abcdef123 npm test", "OPENAI_API_KEY=[masked] npm test"),
        ("password: hunter22", "password: [masked]"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[masked]"),
        ("GITHUB_TOKEN=abcdef123456", "GITHUB_TOKEN=[masked]"),
        ("token=hunterhunter", "token=[masked]"),
        ("token: abcdef123456", "token: [masked]"),
        (r#""token": "abcdef123456""#, r#""token": "[masked]""#),
        (r#""access_token" : "abcdefghijklmnop""#, r#""access_token" : "[masked]""#),
        ("private_key=abcdef", "private_key=[masked]"),
        ("passphrase=correct", "passphrase=[masked]"),
        ("AccountKey=abcdefgh/+==;EndpointSuffix=x", "AccountKey=[masked];EndpointSuffix=x"),
        ("Uid=sa;Pwd=hunter22;", "Uid=sa;Pwd=[masked];"),
        ("DB_PASS=hunter22", "DB_PASS=[masked]"),
        ("PGPASSWORD=abc psql", "PGPASSWORD=[masked] psql"),
        ("//registry.example/:_authToken=abcdef-0123", "//registry.example/:_authToken=[masked]"),
        (r#""auth": "bWU6aHVudGVyMjI=""#, r#""auth": "[masked]""#),
        ("X-Api-Key: abcdef123", "X-Api-Key: [masked]"),
        ("?access_token=abcdef123&x=1", "?access_token=[masked]&x=1"),
        ("SECRET_KEY_BASE=abcdef", "SECRET_KEY_BASE=[masked]"),
        ("client_secret => 'abc def'", "client_secret => '[masked]'"),
        (r#"passphrase = "correct horse battery""#, r#"passphrase = "[masked]""#),
        (r#"password="a\"bc" x"#, r#"password="[masked]" x"#),
        (r#"{\"password\":\"a\\\"bc\\\\\",\"n\":1}"#, r#"{\"password\":\"[masked]\",\"n\":1}"#),
        (r#"{"password":123456,"n":1}"#, r#"{"password":"[masked]","n":1}"#),
        ("deploy --token abcdef123456 --dry", "deploy --token [masked] --dry"),
        ("token: postgres://me:hunter2@db", "token: postgres://me:[masked]@db"),
    ];
    all_masked(&cases);
}

fn all_masked(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(masked(text), *wanted, "{text}");
        assert_eq!(masked(wanted), *wanted, "once is enough");
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
        "max_tokens=200000 token_count: 123456789",
        r#"{"token":12345678,"tokens":123456789}"#,
        "task_test_runner, SG.1 and 12345678:AA",
        // What compilers and tests say, and source code.
        "error: unexpected token: identifier",
        "SyntaxError: Unexpected token: punc (})",
        "let token = lexer.next_token();",
        "let token: Token<'a> = Token::Identifier1;",
        r#"assert token == "identifier1""#,
        r#""token": "Identifier""#,
        "unexpected token: some-long/path/without/an-end",
        "token: ${{ secrets.NAME_1 }}",
        "password: string; passphrase?: string",
        "the password: it has to be long",
        "error: password: required",
        "password=\"\" and token=''",
        "PWD=/home/me/project1 OLDPWD=/home/me/project1",
        // Prose.
        "add basic validation and basic authentication",
        "the bearer authentication of the interface",
        "git+ssh://git@example.com/x.git",
        r#"{"a":"http://host:80","b":"me@x"}"#,
        r#"{"a":"the password:","b":"x","c":"no token="}"#,
    ];
    for text in plain {
        assert!(matches!(masked(text), Cow::Borrowed(_)), "{text}: {}", masked(text));
    }
}

#[test]
fn a_long_text_takes_no_longer_than_its_length() {
    // Each name begins a value that reaches to the end.
    let text = "token:".repeat(50_000);
    assert!(masked(&text) == text);
}

/// As a string of JSON, with its quotes.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n").replace('\t', r"\t");
    format!("\"{escaped}\"")
}

/// Whether the text is one string of JSON: no quote within it that is not escaped.
fn is_one_string(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '"' if !escaped => return false,
            '\n' => return false,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    !escaped
}

proptest! {
    #[test]
    fn a_secret_shows_in_no_form(
        secret in "[a-z][0-9][A-Za-z0-9_/+-]{6,40}",
        form in prop::sample::select(vec![
            "password=@", "password: @", "PASSWORD='@'", "\"password\": \"@\"", "api_key = \"@\"",
            "export GITHUB_TOKEN=@\n", "token=@&x=1", "token: @", "{\"token\":\"@\",\"n\":1}", "--token @",
            "AWS_SECRET_ACCESS_KEY=@ make", "privateKey: '@'", "Authorization: Bearer @", "bearer @",
            "a\n\tpassphrase=@\nb", "client-secret: @,", "(secret=@)", "smtp_pass: @",
        ]),
        depth in 0..3,
        before in "[ a-zé.]{0,20}",
    ) {
        let mut text = format!("{before} {}", form.replace('@', &secret));
        for _ in 0..depth {
            text = quoted(&text);
        }
        let shown = masked(&text);
        prop_assert!(!shown.contains(&secret), "{text}: {shown}");
        prop_assert_eq!(masked(&shown), &*shown);
        prop_assert!(depth == 0 || is_one_string(&shown), "{text}: {shown}");
    }

    #[test]
    fn a_password_of_an_address_does_not_show(user in "[a-z]{0,8}", secret in "[a-z0-9.!*-]{1,30}") {
        let shown = masked(&format!("redis://{user}:{secret}@host.example/0")).into_owned();
        prop_assert_eq!(shown, format!("redis://{user}:[masked]@host.example/0"));
    }

    #[test]
    fn a_string_of_json_stays_one(parts in prop::collection::vec(
        prop::sample::select(vec![
            "password", "token", "secret", "=", ":", " ", "\"", "'", "\\", ",", "{", "}", "[", "]", "\n", "bearer ",
            "http://a:", "@", "abcdef123456", "1234567", "é", "-----BEGIN PRIVATE KEY-----", "cookie: ", "--token ",
            "authorization",
        ]),
        0..14,
    )) {
        let text = quoted(&parts.concat());
        let shown = masked(&text);
        prop_assert!(is_one_string(&shown), "{text}: {shown}");
    }
}
