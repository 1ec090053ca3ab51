//! The smallest change to the text of a configuration that adds, replaces or removes one entry of its plugin list.
//! Comments, order, indentation, line ends, a byte order mark and trailing commas stay as they are.
use super::entry;
use super::splice::{self, Items};
use jsonc_parser::ast::{Array, Object, ObjectProp, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::tokens::TokenAndRange;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use serde_json::{Value, json};

const BOM: char = '\u{feff}';

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("is not valid JSON at line {line}, column {column}: {what}. Correct it and try again")]
    Syntax { line: usize, column: usize, what: String },
    #[error("does not hold an object: its text must begin with {{ and end with }}")]
    NotAnObject,
    #[error("has {key:?} as a {kind}: write it as a list, as in \"{key}\": [\"name\"]")]
    NotAList { key: &'static str, kind: &'static str },
    #[error("has {key:?} twice: keep one of them")]
    Twice { key: &'static str },
    /// The check of the change itself; never seen unless something is wrong here.
    #[error("would not come out as it should ({0}): nothing was changed. Please report this with the file")]
    Unsafe(String),
}

/// The list that the entry goes into. Both lines of the host read `plugin`; only 2.x has `plugins`, and 1.x refuses a
/// file with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostLine {
    /// Whichever list is there.
    Auto,
    V1,
    V2,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// It was there already, just so.
    Nothing,
    Added,
    /// Another version or place of it stood there.
    Replaced,
    /// How many entries there were.
    Removed(usize),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Edited {
    pub text: String,
    pub change: Change,
}

pub(super) const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    // The rest is JSON5, which the host's own parser does not take.
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// A file that is made for the entry alone.
pub fn new_file(entry: &Value, schema: &str) -> String {
    format!("{{\n  \"$schema\": \"{schema}\",\n  \"plugin\": [{}]\n}}\n", splice::inline(entry))
}

/// The text with exactly one entry of ours, equal to `entry`.
pub fn add(
    text: &str,
    entry: &Value,
    line: HostLine,
    ours: &dyn Fn(&Value) -> bool,
) -> Result<Edited, Fault> {
    let mut expected = value(text)?;
    let found = entries(text, ours)?;
    let key = match Doc::parse(text)?.key_of_ours(ours)? {
        Some(key) => key,
        None => list_key(&expected, line),
    };
    let entry = found.first().map_or_else(|| entry.clone(), |old| entry::merged(entry, old));
    // 2.x takes a pair in the list that 1.x reads too, and nowhere else.
    let entry = &if key == "plugins" { entry::as_object(entry) } else { entry };
    if found.as_slice() == std::slice::from_ref(entry) {
        return Ok(Edited { text: text.to_owned(), change: Change::Nothing });
    }
    if found.is_empty() {
        let after = append(text, key, entry)?;
        if let Some(object) = expected.as_object_mut()
            && let Value::Array(list) = object.entry(key).or_insert(json!([]))
        {
            list.push(entry.clone());
        }
        return finish(after, &expected, Change::Added);
    }
    replace_ours(&mut expected, Some(entry), ours);
    let mut after = text.to_owned();
    // The first is replaced; of the others the last goes first, so that the places of those before it stay.
    for n in (1..found.len()).rev() {
        after = take_out(&after, n, ours)?;
    }
    let doc = Doc::parse(&after)?;
    if let Some((list, n)) = doc.ours(ours)?.first()
        && let Some(element) = list.elements.get(*n)
    {
        let range = (doc.skipped + element.start(), doc.skipped + element.end());
        let text = splice::inline(entry);
        after.replace_range(range.0..range.1, &text);
    }
    finish(after, &expected, Change::Replaced)
}

/// The text without any entry of ours. A list that held nothing else stays, empty, unless `and_list` says that it came
/// with the entry.
pub fn remove(text: &str, and_list: bool, ours: &dyn Fn(&Value) -> bool) -> Result<Edited, Fault> {
    let mut expected = value(text)?;
    let count = count(text, ours)?;
    let mut after = text.to_owned();
    for n in (0..count).rev() {
        after = take_out(&after, n, ours)?;
    }
    replace_ours(&mut expected, None, ours);
    if and_list && count > 0 {
        while let Some((without, key)) = without_empty_list(&after)? {
            after = without;
            if let Some(object) = expected.as_object_mut() {
                object.shift_remove(key);
            }
        }
    }
    let change = if count > 0 { Change::Removed(count) } else { Change::Nothing };
    finish(after, &expected, change)
}

/// How many entries of ours there are.
pub fn count(text: &str, ours: &dyn Fn(&Value) -> bool) -> Result<usize, Fault> {
    Ok(Doc::parse(text)?.ours(ours)?.len())
}

/// The entries of ours.
pub fn entries(text: &str, ours: &dyn Fn(&Value) -> bool) -> Result<Vec<Value>, Fault> {
    let doc = Doc::parse(text)?;
    let found = doc.ours(ours)?;
    Ok(found.iter().filter_map(|(list, n)| list.elements.get(*n)).map(plain).collect())
}

/// An entry of ours with the lines that its options stand on.
#[derive(Clone, PartialEq, Debug)]
pub struct Located {
    pub element: Value,
    /// Name, value and line; of a name that stands twice the last, which is what the host takes.
    pub options: Vec<(String, Value, usize)>,
}

/// The same as `entries`, with those lines.
pub fn located(text: &str, ours: &dyn Fn(&Value) -> bool) -> Result<Vec<Located>, Fault> {
    let doc = Doc::parse(text)?;
    let one = |element: &Ast<'_>| {
        let given = match element {
            Ast::Array(pair) => pair.elements.get(1),
            Ast::Object(fields) => {
                fields.properties.iter().find(|p| p.name.as_str() == "options").map(|p| &p.value)
            }
            _ => None,
        };
        let mut options: Vec<(String, Value, usize)> = Vec::new();
        for property in given.and_then(Ast::as_object).into_iter().flat_map(|object| &object.properties) {
            let name = property.name.as_str().to_owned();
            options.retain(|(known, ..)| *known != name);
            options.push((name, plain(&property.value), line_of(doc.body, property.start())));
        }
        Located { element: plain(element), options }
    };
    let found = doc.ours(ours)?;
    Ok(found.iter().filter_map(|(list, n)| list.elements.get(*n)).map(one).collect())
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

/// What the text says; blank text counts as an empty object.
pub fn value(text: &str) -> Result<Value, Fault> {
    let doc = Doc::parse(text)?;
    doc.object()?;
    Ok(doc.root.as_ref().map_or_else(|| json!({}), plain))
}

/// Whether there is a list to add to.
pub fn has_list(text: &str) -> bool {
    Doc::parse(text).is_ok_and(|doc| doc.lists().is_ok_and(|lists| !lists.is_empty()))
}

fn list_key(config: &Value, line: HostLine) -> &'static str {
    let new = config.get("plugins").is_some() && config.get("plugin").is_none();
    if new && line != HostLine::V1 { "plugins" } else { "plugin" }
}

/// A text and what stands where in it.
struct Doc<'a> {
    body: &'a str,
    /// Length of the byte order mark, which positions are counted from.
    skipped: usize,
    root: Option<Ast<'a>>,
    tokens: Vec<TokenAndRange<'a>>,
}

impl<'a> Doc<'a> {
    fn parse(text: &'a str) -> Result<Self, Fault> {
        let skipped = if text.starts_with(BOM) { BOM.len_utf8() } else { 0 };
        let body = text.get(skipped..).unwrap_or_default();
        let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
        let parsed = parse_to_ast(body, &collect, &OPTIONS).map_err(|error| Fault::Syntax {
            line: error.line_display(),
            column: error.column_display(),
            what: error.kind().to_string().to_lowercase(),
        })?;
        Ok(Self { body, skipped, root: parsed.value, tokens: parsed.tokens.unwrap_or_default() })
    }

    fn object(&self) -> Result<Option<&Object<'a>>, Fault> {
        match &self.root {
            None => Ok(None),
            Some(Ast::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Fault::NotAnObject),
        }
    }

    fn lists(&self) -> Result<Vec<(&'static str, &ObjectProp<'a>, &Array<'a>)>, Fault> {
        let Some(object) = self.object()? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for key in ["plugin", "plugins"] {
            let named: Vec<_> = object.properties.iter().filter(|p| p.name.as_str() == key).collect();
            match named.as_slice() {
                [] => {}
                [property] => match &property.value {
                    Ast::Array(list) => found.push((key, *property, list)),
                    other => return Err(Fault::NotAList { key, kind: kind_of(other) }),
                },
                _ => return Err(Fault::Twice { key }),
            }
        }
        Ok(found)
    }

    fn ours(&self, ours: &dyn Fn(&Value) -> bool) -> Result<Vec<(&Array<'a>, usize)>, Fault> {
        let in_list = |list: &Array<'a>| {
            let elements = list.elements.iter().enumerate();
            elements.filter(|(_, e)| ours(&plain(e))).map(|(n, _)| n).collect::<Vec<_>>()
        };
        let lists = self.lists()?;
        Ok(lists
            .into_iter()
            .flat_map(|(_, _, list)| in_list(list).into_iter().map(move |n| (list, n)))
            .collect())
    }

    /// The list that the first of ours stands in.
    fn key_of_ours(&self, ours: &dyn Fn(&Value) -> bool) -> Result<Option<&'static str>, Fault> {
        let has_one = |list: &Array<'a>| list.elements.iter().any(|element| ours(&plain(element)));
        Ok(self.lists()?.into_iter().find(|(_, _, list)| has_one(list)).map(|(key, ..)| key))
    }

    fn items<T: Ranged>(&self, around: &impl Ranged, items: &[T]) -> Items<'_> {
        let ranges = items.iter().map(|item| (item.start(), item.end())).collect();
        Items::new(self.body, &self.tokens, (around.start(), around.end()), ranges)
    }

    fn with(&self, body: &str) -> String {
        format!("{}{body}", if self.skipped > 0 { BOM.to_string() } else { String::new() })
    }
}

fn plain(value: &Ast<'_>) -> Value {
    value.clone().into()
}

fn kind_of(value: &Ast<'_>) -> &'static str {
    match value {
        Ast::NullKeyword(_) => "null",
        Ast::BooleanLit(_) => "boolean",
        Ast::NumberLit(_) => "number",
        Ast::StringLit(_) => "string",
        Ast::Array(_) => "list",
        Ast::Object(_) => "object",
    }
}

fn append(text: &str, key: &str, entry: &Value) -> Result<String, Fault> {
    let doc = Doc::parse(text)?;
    let property = || format!("\"{key}\": [{}]", splice::inline(entry));
    let lists = doc.lists()?;
    let body = if let Some((_, _, list)) = lists.iter().find(|(name, ..)| *name == key) {
        doc.items(*list, &list.elements).append(&splice::inline(entry), false)
    } else if let Some(object) = doc.object()? {
        doc.items(object, &object.properties).append(&property(), true)
    } else {
        let gap = if doc.body.is_empty() || doc.body.ends_with('\n') { "" } else { "\n" };
        format!("{}{gap}{{\n  {}\n}}\n", doc.body, property())
    };
    Ok(doc.with(&body))
}

/// Without entry `n` of ours.
fn take_out(text: &str, n: usize, ours: &dyn Fn(&Value) -> bool) -> Result<String, Fault> {
    let doc = Doc::parse(text)?;
    match doc.ours(ours)?.get(n) {
        Some((list, at)) => Ok(doc.with(&doc.items(*list, &list.elements).remove(*at))),
        None => Ok(text.to_owned()),
    }
}

fn without_empty_list(text: &str) -> Result<Option<(String, &'static str)>, Fault> {
    let doc = Doc::parse(text)?;
    let (Some(object), lists) = (doc.object()?, doc.lists()?) else { return Ok(None) };
    let Some((key, ..)) = lists.iter().find(|(_, _, list)| list.elements.is_empty()) else { return Ok(None) };
    let at = object.properties.iter().position(|p| p.name.as_str() == *key);
    Ok(at.map(|at| (doc.with(&doc.items(object, &object.properties).remove(at)), *key)))
}

/// The same on the value: the first of ours becomes `entry`, or goes; the others go.
fn replace_ours(config: &mut Value, entry: Option<&Value>, ours: &dyn Fn(&Value) -> bool) {
    let mut entry = entry.cloned();
    for key in ["plugin", "plugins"] {
        if let Some(Value::Array(list)) = config.get_mut(key) {
            let old = std::mem::take(list);
            list.extend(old.into_iter().filter_map(|v| if ours(&v) { entry.take() } else { Some(v) }));
        }
    }
}

/// What comes out is read again and must be what was meant, whatever the editing did.
fn finish(text: String, expected: &Value, change: Change) -> Result<Edited, Fault> {
    let read = value(&text).map_err(|fault| Fault::Unsafe(fault.to_string()))?;
    if read != *expected {
        return Err(Fault::Unsafe(format!("it reads {read}")));
    }
    Ok(Edited { text, change })
}
