//! Where OpenCode looks for its configuration.
use super::edit;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a file of the host's configuration is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The host itself.
    Host,
    /// The same in the user's own folder, where the host takes one more name. It makes one of the files there: of lists
    /// in several, the last counts.
    User,
    /// Its terminal interface on 1.x, which has plugins of its own.
    Terminal,
    /// The same on 2.x. It loads what it needs with the plugins of the host, but takes over the entries of `tui.json`
    /// when it is started for the first time. In the user's own folder only.
    Client,
}

impl Kind {
    /// Names the host reads in a folder, in its order.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Host => &["opencode.json", "opencode.jsonc"],
            Self::User => &["config.json", "opencode.json", "opencode.jsonc"],
            Self::Terminal => &["tui.json", "tui.jsonc"],
            Self::Client => &["cli.json"],
        }
    }

    /// The name of a file that is made.
    fn usual(self) -> &'static str {
        match self {
            Self::Host | Self::User => "opencode.json",
            Self::Terminal => "tui.json",
            Self::Client => "cli.json",
        }
    }

    pub fn schema(self) -> &'static str {
        match self {
            Self::Host | Self::User => "https://opencode.ai/config.json",
            Self::Terminal => "https://opencode.ai/tui.json",
            Self::Client => "https://opencode.ai/v2/cli.json",
        }
    }
}

/// The folder of the user's own configuration of the host: `$XDG_CONFIG_HOME/opencode`, else `~/.config/opencode`.
pub fn global(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    config_home(env).map(|dir| dir.join("opencode"))
}

/// The folder of the user's own options of Gantry.
pub fn own_folder(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    config_home(env).map(|dir| dir.join("gantry"))
}

/// What the host has fetched: `$XDG_CACHE_HOME/opencode`, else `~/.cache/opencode`.
pub fn cache(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    xdg(env, "XDG_CACHE_HOME", ".cache").map(|dir| dir.join("opencode"))
}

/// As the host asks for the home folder.
pub const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

fn config_home(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    xdg(env, "XDG_CONFIG_HOME", ".config")
}

fn xdg(env: impl Fn(&str) -> Option<String>, name: &str, usual: &str) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(name).filter(|dir| dir.is_absolute()).or_else(|| set(HOME).map(|home| home.join(usual)))
}

/// The files of a folder that the host may read, whether or not they are there; what comes later counts more.
pub fn in_order(kind: Kind, folder: &Path) -> Vec<PathBuf> {
    kind.names().iter().map(|name| folder.join(name)).collect()
}

/// The file of a folder to write to: the one with an entry of ours, else with a plugin list, else the one that is there,
/// else the usual name. Where one list alone counts, it is the file with that.
pub fn choose(
    kind: Kind,
    texts: &[(PathBuf, Option<String>)],
    ours: &dyn Fn(&Value) -> bool,
) -> Option<PathBuf> {
    let is_usual = |path: &Path| path.file_name().is_some_and(|name| name == kind.usual());
    let there = || texts.iter().filter_map(|(path, text)| Some((path, text.as_deref()?)));
    let with_entry = || there().find(|(_, text)| edit::count(text, ours).is_ok_and(|n| n > 0));
    let with_list = || there().filter(|(_, text)| edit::has_list(text));
    let found = match kind {
        Kind::User => with_list().next_back(),
        Kind::Host | Kind::Terminal | Kind::Client => with_entry().or_else(|| with_list().next()),
    };
    let usual = || there().find(|(path, _)| is_usual(path));
    let found = found.or_else(usual).or_else(|| there().next_back()).map(|(path, _)| path);
    found.or_else(|| texts.iter().map(|(path, _)| path).find(|path| is_usual(path))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_global_folder_follows_xdg() {
        type Set<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Set, Option<&str>); 5] = [
            (&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")], Some("/x/opencode")),
            (&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")], Some("/h/.config/opencode")),
            (&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")], Some("/h/.config/opencode")),
            (&[("HOME", "/h")], Some("/h/.config/opencode")),
            (&[], None),
        ];
        for (env, wanted) in cases {
            let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(global(get), wanted.map(PathBuf::from), "{env:?}");
        }
    }

    #[test]
    fn the_file_that_is_in_use_is_chosen() {
        let ours = |v: &Value| v == "opencode-gantry";
        let choose = |json: Option<&str>, jsonc: Option<&str>| {
            let texts = in_order(Kind::Host, Path::new("/f")).into_iter().zip([json, jsonc]);
            let texts: Vec<_> = texts.map(|(path, text)| (path, text.map(str::to_owned))).collect();
            let chosen = super::choose(Kind::Host, &texts, &ours).expect("always one");
            chosen.file_name().expect("a name").to_string_lossy().into_owned()
        };
        let (list, entry) = (r#"{"plugin": ["x"]}"#, r#"{"plugin": ["opencode-gantry"]}"#);
        assert_eq!(choose(None, None), "opencode.json");
        assert_eq!(choose(None, Some("{}")), "opencode.jsonc");
        assert_eq!(choose(Some("{}"), Some("{}")), "opencode.json");
        assert_eq!(choose(Some("{}"), Some(list)), "opencode.jsonc");
        assert_eq!(choose(Some(list), Some(entry)), "opencode.jsonc");
        assert_eq!(choose(Some("broken"), Some(entry)), "opencode.jsonc");
    }

    #[test]
    fn in_the_users_folder_the_list_that_counts_is_chosen() {
        let ours = |v: &Value| v == "opencode-gantry";
        let choose = |config: Option<&str>, json: Option<&str>, jsonc: Option<&str>| {
            let texts = in_order(Kind::User, Path::new("/f")).into_iter().zip([config, json, jsonc]);
            let texts: Vec<_> = texts.map(|(path, text)| (path, text.map(str::to_owned))).collect();
            let chosen = super::choose(Kind::User, &texts, &ours).expect("always one");
            chosen.file_name().expect("a name").to_string_lossy().into_owned()
        };
        let (list, entry) = (r#"{"plugin": ["x"]}"#, r#"{"plugin": ["opencode-gantry"]}"#);
        assert_eq!(choose(None, None, None), "opencode.json");
        assert_eq!(choose(Some("{}"), None, None), "config.json");
        assert_eq!(choose(Some("{}"), None, Some("{}")), "opencode.jsonc");
        // A list of its own in opencode.json would end those that config.json names.
        assert_eq!(choose(Some(list), Some("{}"), None), "config.json");
        assert_eq!(choose(Some(entry), None, Some("{}")), "config.json");
        assert_eq!(choose(Some(entry), Some(list), Some("{}")), "opencode.json");
        assert_eq!(choose(None, Some(entry), Some(list)), "opencode.jsonc");
    }
}
