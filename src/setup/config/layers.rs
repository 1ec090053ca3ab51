//! Where values come from, the last one first: the environment, the plugin's entry, the project's file, the user's file,
//! the default.
use super::fields::{FIELDS, Field, nearest};
use super::file;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Names of a file of options in a folder.
const NAMES: [&str; 2] = ["gantry.jsonc", "gantry.json"];

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    /// The entry in the host's configuration, as the plugin handed it over.
    Plugin,
    /// The same, found where it stands: a file, or a variable of the environment.
    Entry {
        place: String,
        line: usize,
    },
    Env(&'static str),
    /// A variable that means nothing.
    Unknown(String),
    /// `--set` of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Plugin => write!(f, "the plugin's options in OpenCode's configuration"),
            Self::Entry { place, line } => write!(f, "{place}:{line}"),
            Self::Env(name) => write!(f, "{name}"),
            Self::Unknown(name) => write!(f, "{name}"),
            Self::Flag => write!(f, "--set"),
        }
    }
}

#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{origin}: {what}")]
pub struct Fault {
    pub origin: Origin,
    pub what: String,
}

/// What can be asked for values.
pub struct Layers<'a> {
    /// Folder of the user's file.
    pub user: Option<PathBuf>,
    /// Root of the project.
    pub project: &'a Path,
    /// Options of the plugin's entry, `bin` with them.
    pub plugin: Vec<Given>,
    /// Variables of the environment whose names begin with `GANTRY_`.
    pub env: BTreeMap<String, String>,
    pub flags: Vec<Flag>,
}

/// An option of the plugin's entry, as it stands there.
#[derive(Clone, PartialEq, Debug)]
pub struct Given {
    pub name: String,
    pub value: Value,
    pub origin: Origin,
}

/// The one option of the entry that is the plugin's own: it finds the sidecar, and so cannot stand in a file that the
/// sidecar reads.
const BIN: &str = "bin";

/// An option of the command line, found to be good.
pub type Flag = (&'static Field, Value);

/// Reads `NAME=VALUE`, with the value as the environment has it.
pub fn flag(text: &str) -> Result<Flag, String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, as in workers=3")?;
    let field = Field::wanted(name)?;
    let value = field.kind.read(value);
    match field.kind.fault(&value) {
        Some(fault) => Err(format!("{name} {fault}")),
        None => Ok((field, value)),
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Resolved {
    /// In the order of the table; without those that are not set and have no default.
    pub values: Vec<(&'static str, Value, Origin)>,
    pub faults: Vec<Fault>,
    /// Variables that look like Gantry's and are like none of them: another program's, as far as can be told.
    pub strangers: Vec<String>,
}

/// Variables of the environment that are no options.
const OTHERS: [&str; 6] =
    ["GANTRY_BIN", "GANTRY_HOME", "GANTRY_LAUNCHED", "GANTRY_LOG", "GANTRY_POOLS", "GANTRY_STORE"];
const PREFIX: &str = "GANTRY_";

/// Letters of a name for each one that may be wrong in it before it counts as another name.
const LETTERS_A_SLIP: usize = 3;

impl Origin {
    fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Plugin | Self::Entry { .. } => 2,
            Self::Env(_) | Self::Unknown(_) => 3,
            Self::Flag => 4,
        }
    }
}

impl Layers<'_> {
    /// Reads all layers anew.
    pub fn resolve(&self) -> Resolved {
        let mut resolved = Resolved::default();
        for field in &FIELDS {
            if let Some(value) = field.default.and_then(|text| serde_json::from_str(text).ok()) {
                resolved.values.push((field.name, value, Origin::Default));
            }
        }
        for folder in self.user.as_deref().into_iter().chain([self.project]) {
            resolved.folder(folder);
        }
        self.plugin.iter().for_each(|given| resolved.given(given));
        for (name, text) in self.env.iter().filter(|(_, text)| !text.is_empty()) {
            match FIELDS.iter().find(|field| field.env == name) {
                Some(field) => resolved.take(field, field.kind.read(text), Origin::Env(field.env)),
                None if OTHERS.contains(&name.as_str()) => {}
                None => resolved.stranger(name),
            }
        }
        self.flags.iter().for_each(|(field, value)| resolved.set(field, value.clone(), Origin::Flag));
        resolved.values.sort_by_key(|(name, ..)| *name);
        resolved
    }
}

impl Resolved {
    /// The values as options of the wire; the first fault where there is any.
    pub fn options(&self) -> Result<Value, Fault> {
        match self.faults.first() {
            Some(fault) => Err(fault.clone()),
            None => {
                Ok(self.values.iter().map(|(name, value, _)| ((*name).to_owned(), value.clone())).collect())
            }
        }
    }

    fn folder(&mut self, folder: &Path) {
        let mut found = None;
        for path in NAMES.map(|name| folder.join(name)) {
            let origin = Origin::File { path: path.clone(), line: 1 };
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => {
                    self.faults.push(Fault { origin, what: format!("cannot be read: {error}") });
                    continue;
                }
            };
            if found.replace(path.clone()).is_some() {
                let what = format!("there is {} beside it: keep one of the two", NAMES.join(" or "));
                self.faults.push(Fault { origin, what });
                continue;
            }
            let (values, faults) = file::read(&path, &text);
            self.faults.extend(faults);
            values.into_iter().for_each(|(field, value, origin)| self.set(field, value, origin));
        }
    }

    /// A variable nearly named like one of ours was meant to be it; other programs may have names of their own.
    fn stranger(&mut self, name: &str) {
        let known = FIELDS.iter().map(|field| field.env).chain(OTHERS);
        let slips = name.len().saturating_sub(PREFIX.len()) / LETTERS_A_SLIP;
        match nearest(name, known) {
            Some((near, slip)) if slip <= slips => {
                let what = format!("no such variable; did you mean {near}?");
                self.faults.push(Fault { origin: Origin::Unknown(name.to_owned()), what });
            }
            _ => self.strangers.push(name.to_owned()),
        }
    }

    fn given(&mut self, Given { name, value, origin }: &Given) {
        let fault = |what| Fault { origin: origin.clone(), what };
        if name == BIN {
            if value.as_str().is_none_or(str::is_empty) {
                let what = format!("{BIN} is {value}: it must be the path of Gantry's sidecar");
                self.faults.push(fault(what));
            }
            return;
        }
        match Field::wanted_or(name, &[BIN]) {
            Ok(field) => self.take(field, value.clone(), origin.clone()),
            Err(what) => self.faults.push(fault(what)),
        }
    }

    fn take(&mut self, field: &'static Field, value: Value, origin: Origin) {
        match field.kind.fault(&value) {
            Some(fault) => self.faults.push(Fault { origin, what: format!("{} {fault}", field.name) }),
            None => self.set(field, value, origin),
        }
    }

    fn set(&mut self, field: &'static Field, value: Value, origin: Origin) {
        let lower = |known: &Origin| known.rank() <= origin.rank();
        debug_assert!(self.values.iter().all(|(name, _, known)| *name != field.name || lower(known)));
        self.values.retain(|(name, ..)| *name != field.name);
        self.values.push((field.name, value, origin));
    }
}
