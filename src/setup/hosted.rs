//! Which plugin entries of Gantry's OpenCode loads in a directory, and where each of them stands.
//!
//! The places, their order and what becomes of two entries are those of OpenCode 1.18, as `opencode debug config` shows
//! them. Left out on purpose is what cannot be read here: what a server of an organisation hands out, managed
//! preferences of macOS, and plugin files that lie in `.opencode/plugin` without being named anywhere.
use super::config::{Given, Origin};
use super::edit::{self, Fault, Located};
use super::entry::{self, PACKAGE};
use super::places::{self, Kind};
use crate::domain::file_url::file_url;
use serde_json::{Map, Value};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A text of configuration is a file, or stands in the environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    File(PathBuf),
    Variable(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "{name}"),
        }
    }
}

/// An entry of ours.
#[derive(Clone, PartialEq, Debug)]
pub struct Registered {
    pub place: Place,
    pub element: Value,
    /// Its options, `bin` with them.
    pub options: Vec<Given>,
    /// The plugin file it names, where it is no package.
    pub file: Option<PathBuf>,
    /// Entries that agree in it are one to the host.
    key: String,
}

/// What the host makes of the entries of ours.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plugins {
    /// Each of them is loaded; more than one is one too many.
    pub loaded: Vec<Registered>,
    /// Those that another takes the place of, with all its options.
    pub covered: Vec<Registered>,
    /// Texts that cannot be read, as sentences.
    pub faults: Vec<String>,
}

impl Registered {
    /// Whether it says anything but what to load.
    pub fn sets_options(&self) -> bool {
        self.options.iter().any(|given| given.name != "bin")
    }

    pub fn bin(&self) -> Option<&str> {
        self.options.iter().find(|given| given.name == "bin")?.value.as_str().filter(|bin| !bin.is_empty())
    }

    /// The options as the host hands them over.
    pub fn as_given(&self) -> Map<String, Value> {
        self.options.iter().map(|given| (given.name.clone(), given.value.clone())).collect()
    }

    /// What it names, in words that mean the same in every file.
    pub fn spec(&self) -> String {
        let said = entry::spec(&self.element).unwrap_or(PACKAGE);
        match &self.file {
            Some(file) if !said.starts_with("file://") => file_url(file),
            _ => said.to_owned(),
        }
    }
}

/// The root of the working tree around a directory; the directory itself outside version control. Project files of
/// Gantry are read there, and host files from there down.
pub fn worktree(directory: &Path) -> PathBuf {
    repository(directory).unwrap_or(directory).to_owned()
}

fn repository(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|folder| folder.join(".git").exists())
}

/// Reads all places anew. `kind`: of the host itself, or of its terminal interface on either line.
pub fn plugins(kind: Kind, directory: &Path, env: Env<'_>) -> Plugins {
    let mut found = Plugins::default();
    for source in sources(kind, directory, env) {
        found.take(source);
    }
    found
}

/// All that the host reads, as far as it can be read.
pub fn configs(directory: &Path, env: Env<'_>) -> Vec<Value> {
    let texts = sources(Kind::Host, directory, env).into_iter().filter_map(|source| source.text.ok());
    texts.filter_map(|text| edit::value(&text).ok()).collect()
}

/// A text, and how it is to be taken.
struct Source {
    place: Place,
    /// Relative paths are taken from here.
    folder: PathBuf,
    text: Result<String, String>,
    /// Its list takes the place of those before it, which are of the same folder.
    replaces: bool,
}

impl Plugins {
    fn take(&mut self, source: Source) {
        let Source { place, folder, text, replaces } = source;
        let ours = |element: &Value| entry::is_ours(element, &folder);
        let located = text.and_then(|text| {
            let located = edit::located(&text, &ours).map_err(|fault: Fault| fault.to_string())?;
            Ok((located, edit::has_list(&text)))
        });
        let (located, has_list) = match located {
            Ok(read) => read,
            Err(fault) => return self.faults.push(format!("{place} {fault}")),
        };
        if replaces && has_list {
            self.covered.append(&mut self.loaded);
        }
        for entry in located {
            let entry = registered(&place, &folder, entry);
            let (same, others) =
                std::mem::take(&mut self.loaded).into_iter().partition(|known| known.key == entry.key);
            self.loaded = others;
            self.covered.extend::<Vec<_>>(same);
            self.loaded.push(entry);
        }
    }
}

fn registered(place: &Place, folder: &Path, located: Located) -> Registered {
    let Located { element, options } = located;
    let spec = entry::spec(&element).unwrap_or_default();
    let file = entry::local_file(spec, folder);
    let key = match &file {
        // The host compares the texts of addresses.
        Some(_) if spec.starts_with("file://") => spec.to_owned(),
        Some(file) => file_url(&tidied(file)),
        None => PACKAGE.to_owned(),
    };
    let origin = |line| Origin::Entry { place: place.to_string(), line };
    let given = |(name, value, line)| Given { name, value, origin: origin(line) };
    let options = options.into_iter().map(given).collect();
    Registered { place: place.clone(), element, options, file: file.map(|file| tidied(&file)), key }
}

/// Without `.` and `..`, as far as names tell.
fn tidied(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(tidy.pop()),
            other => tidy.push(other),
        }
    }
    tidy
}

/// In the order of the host: what comes later counts more.
fn sources(kind: Kind, directory: &Path, env: Env<'_>) -> Vec<Source> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let is_on =
        |name: &str| set(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    let of_host = kind == Kind::Host;
    let mut found = Vec::new();
    let mut file = |path: PathBuf, replaces: bool| found.extend(read(path, replaces));
    if let Some(folder) = places::global(env) {
        let own = if of_host { Kind::User } else { kind };
        places::in_order(own, &folder).into_iter().for_each(|path| file(path, of_host));
    }
    if kind == Kind::Client {
        return found;
    }
    if let Some(path) = set(if of_host { "OPENCODE_CONFIG" } else { "OPENCODE_TUI_CONFIG" }) {
        file(directory.join(path), false);
    }
    let mut dotted = Vec::new();
    if !is_on("OPENCODE_DISABLE_PROJECT_CONFIG") {
        // The terminal interface does not stop at the root of the working tree.
        let root = repository(directory).filter(|_| of_host);
        let mut above: Vec<_> = directory.ancestors().collect();
        if let Some(last) = above.iter().position(|folder| Some(*folder) == root) {
            above.truncate(last + 1);
        }
        let down = above.iter().rev();
        down.flat_map(|folder| places::in_order(kind, folder)).for_each(|path| file(path, false));
        dotted.extend(above.iter().map(|folder| folder.join(".opencode")));
    }
    dotted.extend(set(places::HOME).map(|home| Path::new(&home).join(".opencode")));
    dotted.extend(set("OPENCODE_CONFIG_DIR").map(|folder| directory.join(folder)));
    for (n, folder) in dotted.iter().enumerate() {
        if !dotted.iter().take(n).any(|known| known == folder) {
            places::in_order(kind, folder).into_iter().for_each(|path| file(path, false));
        }
    }
    if of_host {
        if let Some(text) = set(CONTENT) {
            let place = Place::Variable(CONTENT);
            found.push(Source { place, folder: directory.to_owned(), text: Ok(text), replaces: false });
        }
        let managed = places::in_order(kind, Path::new(MANAGED));
        found.extend(managed.into_iter().filter_map(|path| read(path, false)));
    }
    found
}

/// Laid over the files by whoever starts the host.
const CONTENT: &str = "OPENCODE_CONFIG_CONTENT";

/// Of the machine, over all else.
const MANAGED: &str = if cfg!(target_os = "macos") {
    "/Library/Application Support/opencode"
} else if cfg!(windows) {
    "C:\\ProgramData\\opencode"
} else {
    "/etc/opencode"
};

fn read(path: PathBuf, replaces: bool) -> Option<Source> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => return None,
            ErrorKind::IsADirectory => Err("is a folder, not a file: move it away".into()),
            ErrorKind::InvalidData => Err("is not UTF-8 text: save it as UTF-8".into()),
            _ => Err(format!("cannot be read: {error}")),
        },
    };
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    Some(Source { place: Place::File(path), folder, text, replaces })
}
