//! Any configuration: in and out again.
use super::arb;
use super::rig::{Rig, entry};
use crate::setup::disk::RealDisk;
use crate::setup::edit::{self, Change, HostLine};
use crate::setup::promises;
use proptest::prelude::*;
use serde_json::Value;

fn ours(element: &Value) -> bool {
    super::super::entry::is_ours(element, std::path::Path::new("/elsewhere"))
}

fn value(text: &str) -> Value {
    let text = text.trim_start_matches('\u{feff}');
    edit::value(text).expect("valid JSON")
}

/// What people wrote besides the values: comments, in order.
fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/']) {
        let (_, from) = rest.split_at(at);
        let length = if from.starts_with('"') {
            let mut end = 1;
            let bytes = from.as_bytes();
            while bytes.get(end).is_some_and(|b| *b != b'"') {
                end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
            }
            end + 1
        } else {
            let end = if from.starts_with("/*") { from.find("*/").map(|n| n + 2) } else { from.find('\n') };
            let end = end.unwrap_or(from.len());
            found.push(from[..end].trim_end().to_owned());
            end
        };
        rest = from.get(length..).unwrap_or("");
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn added_once_and_taken_out_again(text in arb::config()) {
        let before = value(&text);
        let added = edit::add(&text, &entry(), HostLine::Auto, &ours).expect(&text);
        prop_assert_eq!(&added.change, &Change::Added);
        prop_assert_eq!(edit::count(&added.text, &ours), Ok(1));
        prop_assert_eq!(comments(&added.text), comments(&text));
        let again = edit::add(&added.text, &entry(), HostLine::Auto, &ours).expect("again");
        prop_assert_eq!(&again.change, &Change::Nothing);
        prop_assert_eq!(&again.text, &added.text);
        let updated = edit::add(&added.text, &"opencode-gantry@9".into(), HostLine::Auto, &ours).expect("updated");
        prop_assert_eq!(&updated.change, &Change::Replaced);
        prop_assert_eq!(edit::entries(&updated.text, &ours), Ok(vec!["opencode-gantry@9".into()]));
        let list = before.get("plugin").or(before.get("plugins")).is_none();
        let removed = edit::remove(&updated.text, list, &ours).expect("removed");
        prop_assert_eq!(&removed.change, &Change::Removed(1));
        prop_assert_eq!(value(&removed.text), before);
        prop_assert_eq!(comments(&removed.text), comments(&text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn out_again_gives_the_bytes_from_before(text in arb::config(), update in any::<bool>()) {
        let rig = Rig::new();
        rig.write("opencode.json", &text);
        rig.install().expect("installed");
        prop_assert_ne!(rig.read("opencode.json"), Some(text.clone()));
        if update {
            rig.install_entry(&RealDisk, "opencode-gantry@9".into()).expect("updated");
        }
        rig.uninstall().expect("uninstalled");
        prop_assert_eq!(rig.read("opencode.json"), Some(text));
        prop_assert_eq!(rig.names(), vec!["opencode.json"]);
    }
}

/// What is done to a configuration between an installation and the next.
#[derive(Clone, Copy, Debug)]
enum Touch {
    Update,
    /// A remark of the user's.
    Remark,
    /// As the host writes it into a configuration that has none.
    Schema,
}

fn with_schema(text: &str) -> Option<String> {
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let rest = body.strip_prefix('{').filter(|_| !body.contains("\"$schema\""))?;
    Some(format!("{mark}{{\n  \"$schema\": \"https://opencode.ai/config.json\",{rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn out_again_leaves_nothing_whatever_was_done_in_between(
        text in arb::config(),
        touches in prop::collection::vec(
            prop_oneof![Just(Touch::Update), Just(Touch::Remark), Just(Touch::Schema)],
            0..6,
        ),
    ) {
        let rig = Rig::new();
        rig.write("opencode.json", &text);
        rig.install().expect("installed");
        let mut wanted = text.clone();
        for (n, touch) in touches.iter().enumerate() {
            let now = rig.read("opencode.json").expect("a file");
            match touch {
                Touch::Update => {
                    let entry = format!("opencode-gantry@{n}").into();
                    rig.install_entry(&RealDisk, entry).expect("updated");
                }
                Touch::Remark => {
                    rig.write("opencode.json", &format!("{now}\n// {n}\n"));
                    wanted += &format!("\n// {n}\n");
                }
                Touch::Schema => {
                    if let (Some(now), Some(then)) = (with_schema(&now), with_schema(&wanted)) {
                        rig.write("opencode.json", &now);
                        wanted = then;
                    }
                }
            }
        }
        rig.uninstall().expect("uninstalled");
        let out = rig.read("opencode.json").expect("a file");
        prop_assert_eq!(edit::count(&out, &ours), Ok(0));
        prop_assert_eq!(value(&out), value(&wanted));
        prop_assert_eq!(comments(&out), comments(&wanted));
        if touches.iter().all(|touch| matches!(touch, Touch::Update)) {
            prop_assert_eq!(out, wanted);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused_or_edited_and_never_spoilt(text in "[\\[\\]{}\",:a-z0-9/* \n\u{feff}é]{0,40}") {
        promises::editor(&text);
    }

    /// A configuration with a few bytes lost, doubled or put elsewhere, as a slip of the hand leaves it.
    #[test]
    fn a_spoilt_configuration_is_refused_or_edited(
        text in arb::config(),
        slips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3u8), 0..4),
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        for (from, to, what) in slips {
            if chars.is_empty() {
                break;
            }
            let (from, to) = (from.index(chars.len()), to.index(chars.len()));
            match what {
                0 => drop(chars.remove(from)),
                1 => chars.insert(to, chars[from]),
                _ => chars.swap(from, to),
            }
        }
        promises::editor(&chars.into_iter().collect::<String>());
    }
}
