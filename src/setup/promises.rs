//! What holds for any text that is given to the editor of configurations. Run by a property test on texts of bounded
//! size, and by a fuzzer (`fuzz/`) on whatever it comes up with.
use super::edit::{self, Change, Fault, HostLine};
use super::entry;
use serde_json::{Value, json};
use std::path::Path;

/// # Panics
/// Where one of the promises is broken.
pub fn editor(text: &str) {
    added_and_removed(text, &json!("opencode-gantry@1.2.3"));
    added_and_removed(text, &json!(["opencode-gantry@1.2.3", {"bin": "/x"}]));
}

fn added_and_removed(text: &str, entry: &Value) {
    let ours = |element: &Value| entry::is_ours(element, Path::new("/elsewhere"));
    let added = match edit::add(text, entry, HostLine::Auto, &ours) {
        Ok(added) => added,
        Err(fault) => {
            assert!(!matches!(fault, Fault::Unsafe(_)), "the edit went wrong: {fault}");
            assert!(edit::remove(text, true, &ours).is_err(), "refused on the way in only: {fault}");
            return;
        }
    };
    let before = edit::value(text).expect("what is edited is valid");
    assert_eq!(edit::count(&added.text, &ours), Ok(1), "registered once");
    let again = edit::add(&added.text, entry, HostLine::Auto, &ours).expect("again");
    assert_eq!((again.change, &again.text), (Change::Nothing, &added.text), "a second time changes nothing");

    let own_list = !edit::has_list(text);
    let removed = edit::remove(&added.text, own_list, &ours).expect("what was added can be taken out");
    assert_eq!(edit::count(&removed.text, &ours), Ok(0), "none is left");
    if added.change == Change::Added {
        assert_eq!(edit::value(&removed.text).expect("valid"), before, "the rest says what it said");
    }
}
