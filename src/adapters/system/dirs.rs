//! Where Gantry keeps its data.
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no folder for Gantry's data: set GANTRY_HOME to one, or HOME to your home folder")]
pub struct NoDataDir;

/// `GANTRY_HOME`, else the user's data folder of this system. Nothing is made on disk here.
pub fn data_dir() -> Result<PathBuf, NoDataDir> {
    choose(|name| std::env::var_os(name).filter(|value| !value.is_empty()), cfg!(windows))
}

fn choose(env: impl Fn(&str) -> Option<OsString>, windows: bool) -> Result<PathBuf, NoDataDir> {
    if let Some(home) = env("GANTRY_HOME") {
        // Processes with other working directories must mean the same folder.
        return std::path::absolute(home).map_err(|_| NoDataDir);
    }
    if windows {
        return env("LOCALAPPDATA").map(|dir| PathBuf::from(dir).join("gantry")).ok_or(NoDataDir);
    }
    // The XDG specification tells programs to pass over a relative path.
    if let Some(data) = env("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        return Ok(data.join("gantry"));
    }
    env("HOME").map(|home| PathBuf::from(home).join(".local/share/gantry")).ok_or(NoDataDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_set_counts() {
        let here = std::env::current_dir().expect("a working directory");
        let unix = [("HOME", "/home/ann")];
        type Set<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Set, bool, Option<PathBuf>); 8] = [
            (&[("GANTRY_HOME", "/data"), ("XDG_DATA_HOME", "/xdg"), unix[0]], false, Some("/data".into())),
            (&[("GANTRY_HOME", "data"), unix[0]], false, Some(here.join("data"))),
            (&[("XDG_DATA_HOME", "/xdg"), unix[0]], false, Some("/xdg/gantry".into())),
            (&[("XDG_DATA_HOME", "xdg"), unix[0]], false, Some("/home/ann/.local/share/gantry".into())),
            (&unix, false, Some("/home/ann/.local/share/gantry".into())),
            (&[], false, None),
            (&[("LOCALAPPDATA", "/local"), unix[0]], true, Some("/local/gantry".into())),
            (&unix, true, None),
        ];
        for (set, windows, expected) in cases {
            let env = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
            assert_eq!(choose(env, windows).ok(), expected, "{set:?}");
        }
    }
}
