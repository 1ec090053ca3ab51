//! Where OpenCode looks for its configuration.
use super::edit;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a file of the host's configuration is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The host itself.
    Host,
    /// Its terminal interface on 1.x, which has plugins of its own.
    Terminal,
    /// The same on 2.x. It loads what it needs with the plugins of the host, but takes over the entries of `tui.json`
    /// when it is started for the first time. In the user's own folder only.
    Client,
}

impl Kind {
    /// Names the host reads in a folder, the usual one first.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Host => &["opencode.json", "opencode.jsonc"],
            Self::Terminal => &["tui.json", "tui.jsonc"],
            Self::Client => &["cli.json"],
        }
    }

    pub fn schema(self) -> &'static str {
        match self {
            Self::Host => "https://opencode.ai/config.json",
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

/// As the host asks for the home folder.
pub const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

fn config_home(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute());
    config.or_else(|| set(HOME).map(|home| home.join(".config")))
}

/// The files of a folder that the host may read, whether or not they are there.
pub fn files(kind: Kind, folder: &Path) -> Vec<PathBuf> {
    kind.names().iter().map(|name| folder.join(name)).collect()
}

/// The file of a folder to write to: the one with an entry of ours, else with a plugin list, else the one that is there,
/// else the usual name.
pub fn choose(texts: &[(PathBuf, Option<String>)], ours: &dyn Fn(&Value) -> bool) -> Option<PathBuf> {
    let there = || texts.iter().filter_map(|(path, text)| Some((path, text.as_deref()?)));
    let with_entry = there().find(|(_, text)| edit::count(text, ours).is_ok_and(|n| n > 0));
    let with_list = || there().find(|(_, text)| edit::has_list(text));
    let found = with_entry.or_else(with_list).or_else(|| there().next()).map(|(path, _)| path);
    found.or(texts.first().map(|(path, _)| path)).cloned()
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
            let texts = files(Kind::Host, Path::new("/f")).into_iter().zip([json, jsonc]);
            let texts: Vec<_> = texts.map(|(path, text)| (path, text.map(str::to_owned))).collect();
            let chosen = choose(&texts, &ours).expect("always one");
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
}
