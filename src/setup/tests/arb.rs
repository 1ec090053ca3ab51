//! Configurations as people write them.
use proptest::prelude::*;

/// Space between tokens, with comments in it.
fn gap() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => Just(String::new()),
        3 => Just(" ".to_owned()),
        2 => Just("\n  ".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("\r\n    ".to_owned()),
        1 => "[a-z ,:{}\\[\\]\"]{0,8}".prop_map(|text| format!("/*{text}*/")),
        1 => "[a-z ,:{}\\[\\]\"]{0,8}".prop_map(|text| format!("//{text}\n")),
    ];
    prop::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9@/._ -]{0,12}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""a\"b\\c\nü\u00fc""#.to_owned()),
        Just("\"opencode-gantry-extras\"".to_owned()),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        string(),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("-0".to_owned()),
        Just("1.50e3".to_owned()),
        (0..1000u32).prop_map(|n| n.to_string()),
    ]
}

fn listed(open: char, close: char, items: Vec<String>, gaps: Vec<String>, comma: bool) -> String {
    let mut text = String::from(open);
    let mut gaps = gaps.into_iter().cycle();
    let mut gap = || gaps.next().unwrap_or_default();
    let last = items.len().saturating_sub(1);
    for (n, item) in items.iter().enumerate() {
        text += &gap();
        text += item;
        text += &gap();
        if n < last || comma {
            text.push(',');
        }
    }
    text += &gap();
    text.push(close);
    text
}

fn gaps() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(gap(), 1..6)
}

fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (prop::collection::vec(item, 0..4), gaps(), any::<bool>())
        .prop_map(|(items, gaps, comma)| listed('[', ']', items, gaps, comma))
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        let field =
            (string(), gap(), inner.clone()).prop_map(|(key, gap, value)| format!("{key}:{gap}{value}"));
        prop_oneof![
            list(inner),
            (prop::collection::vec(field, 0..4), gaps(), any::<bool>())
                .prop_map(|(items, gaps, comma)| listed('{', '}', items, gaps, comma)),
        ]
    })
}

/// A whole file: an object with any number of keys, among them perhaps the list of plugins.
pub fn config() -> impl Strategy<Value = String> {
    let plugin = prop_oneof![
        3 => Just(None),
        4 => list(prop_oneof![string(), value()]).prop_map(|list| Some(format!("\"plugin\": {list}"))),
        1 => list(string()).prop_map(|list| Some(format!("\"plugins\":{list}"))),
    ];
    let fields = prop::collection::vec(("[a-o]{1,6}", gap(), value()), 0..5);
    (fields, plugin, 0..5usize, (gap(), gaps(), gap()), any::<bool>(), any::<bool>()).prop_map(
        |(fields, plugin, at, (before, gaps, after), comma, bom)| {
            let mut seen = std::collections::BTreeSet::new();
            let mut items: Vec<_> = fields
                .into_iter()
                .filter(|(key, ..)| seen.insert(key.clone()))
                .map(|(key, gap, value)| format!("\"{key}\":{gap}{value}"))
                .collect();
            let at = at.min(items.len());
            items.splice(at..at, plugin);
            let comma = comma && !items.is_empty();
            let body = listed('{', '}', items, gaps, comma);
            format!("{}{before}{body}{after}", if bom { "\u{feff}" } else { "" })
        },
    )
}
