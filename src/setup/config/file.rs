//! A file of options: JSON with comments, each value with the line it stands on.
use super::fields::Field;
use super::layers::{Fault, Origin};
use crate::setup::edit::line_of;
use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, parse_to_ast};
use serde_json::Value;
use std::path::Path;

pub(super) type Values = Vec<(&'static Field, Value, Origin)>;

/// The values in a text, and all that is wrong with it.
pub(super) fn read(path: &Path, text: &str) -> (Values, Vec<Fault>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = |line: usize| Origin::File { path: path.to_owned(), line };
    let one = |line, what: String| (Vec::new(), vec![Fault { origin: at(line), what }]);
    let parsed = match parse_to_ast(text, &CollectOptions::default(), &crate::setup::edit::OPTIONS) {
        Ok(parsed) => parsed,
        Err(error) => {
            return one(
                error.line_display(),
                format!("is not valid JSON: {}", error.kind().to_string().to_lowercase()),
            );
        }
    };
    let object = match parsed.value {
        None => return (Vec::new(), Vec::new()),
        Some(Ast::Object(object)) => object,
        Some(other) => return one(line_of(text, other.start()), "must hold an object { … }".into()),
    };
    let (mut values, mut faults) = (Values::new(), Vec::new());
    for property in object.properties {
        let origin = at(line_of(text, property.start()));
        let name = property.name.as_str().to_owned();
        let field = match Field::wanted(&name) {
            Ok(field) => field,
            Err(_) if name == "$schema" => continue,
            Err(what) => {
                faults.push(Fault { origin, what });
                continue;
            }
        };
        if values.iter().any(|(known, ..)| known.name == field.name) {
            faults.push(Fault { origin, what: format!("{name} stands here a second time: keep one") });
            continue;
        }
        let value: Value = property.value.into();
        match field.kind.fault(&value) {
            Some(fault) => faults.push(Fault { origin, what: format!("{name} {fault}") }),
            None => values.push((field, value, origin)),
        }
    }
    (values, faults)
}
