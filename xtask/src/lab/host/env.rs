//! Where a host runs: its home, its configuration, and the mark by which all its processes are found again.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portable_pty::CommandBuilder;
use serde_json::{Value, json};

use super::process::HostProcess;
use super::server::Server;
use crate::lab::model::Model;
use crate::lab::tui::Tui;

/// Carried by every process started here and, because children inherit it, by all that those start. The name does not
/// begin with GANTRY_: the sidecar keeps such variables from the checks it runs.
const MARK_VAR: &str = "LAB_MARK";
/// Configuration the host adds to that of its files.
const CONTENT_VAR: &str = "OPENCODE_CONFIG_CONTENT";
/// Taken over from the caller; everything else is left out so that no setting of the user gets in.
const INHERITED: [&str; 2] = ["PATH", "LANG"];
const FOLDERS: [(&str, &str); 6] = [
    ("HOME", "home"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_STATE_HOME", "state"),
    // The host unpacks a library of 14 MB there at every start and leaves it.
    ("TMPDIR", "tmp"),
];
const SETTINGS: [(&str, &str); 5] = [
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
];

/// The environment of a host for one project. Dropping it kills whatever is still running in it.
pub struct HostEnv {
    binary: PathBuf,
    root: PathBuf,
    project: PathBuf,
    home: Home,
    mark: String,
    config: Value,
    /// The file of the configuration is left to others from now on.
    settled: bool,
    vars: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// Nothing of the user's is read or written.
    Scratch,
    /// The user's settings and credentials are read; ours are laid over them without touching a file.
    User,
}

/// A process that outlived its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub pid: u32,
    pub command: String,
}

impl HostEnv {
    /// `root` is an existing scratch folder that will hold home and data; `project` is where the host runs.
    pub fn new(root: &Path, project: &Path) -> Result<Self> {
        let mut env = Self::bare(root, project, Home::Scratch)?;
        for (name, folder) in FOLDERS {
            let folder = env.root.join(folder);
            fs::create_dir_all(&folder)?;
            env = env.env(name, &folder.display().to_string());
        }
        Ok(env.config(
            json!({"$schema": "https://opencode.ai/config.json", "autoupdate": false, "share": "disabled"}),
        ))
    }

    /// The user's own home, providers and settings; only the database of conversations is a scratch one.
    pub fn of_user(root: &Path, project: &Path) -> Result<Self> {
        ensure!(
            std::env::var_os(CONTENT_VAR).is_none(),
            "unset {CONTENT_VAR}: this run has to set it itself"
        );
        let env = Self::bare(root, project, Home::User)?;
        let database = env.root.join("opencode.db").display().to_string();
        Ok(env.env("OPENCODE_DB", &database))
    }

    fn bare(root: &Path, project: &Path, home: Home) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = root.canonicalize().with_context(|| format!("no folder {}", root.display()))?;
        let project = project.canonicalize().with_context(|| format!("no folder {}", project.display()))?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{count}-{}", std::process::id(), root.display());
        let mut vars = vec![(MARK_VAR.to_owned(), mark.clone())];
        if home == Home::Scratch {
            vars.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(Self {
            binary: super::find()?,
            root,
            project,
            home,
            mark,
            config: json!({}),
            settled: false,
            vars,
        })
    }

    /// Makes the scripted model the host's only provider.
    pub fn model(self, model: &Model) -> Self {
        let limit = json!({"context": 128_000, "output": 8_000});
        self.config(json!({
            "model": "lab/scripted",
            "small_model": "lab/scripted",
            "enabled_providers": ["lab"],
            "provider": {"lab": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": model.url(), "apiKey": "lab"},
                "models": {"scripted": {"name": "scripted", "tool_call": true, "limit": limit}},
            }},
        }))
    }

    /// Loads a plugin file with its options.
    pub fn plugin(mut self, file: &Path, options: Value) -> Self {
        let entry = json!([format!("file://{}", file.display()), options]);
        match self.config.get_mut("plugin").and_then(Value::as_array_mut) {
            Some(plugins) => plugins.push(entry),
            None => self.config["plugin"] = json!([entry]),
        }
        self
    }

    /// Loads a plugin file into the terminal interface.
    pub fn tui_plugin(self, file: &Path) -> Result<Self> {
        let folder = self.root.join("config/opencode");
        fs::create_dir_all(&folder)?;
        let config = json!({"$schema": "https://opencode.ai/tui.json", "plugin": [format!("file://{}", file.display())]});
        fs::write(folder.join("tui.json"), config.to_string())?;
        Ok(self)
    }

    /// Names the sidecar's binary; its data goes into this environment.
    pub fn gantry(self, binary: &Path) -> Self {
        let home = self.gantry_home().display().to_string();
        self.env("GANTRY_BIN", &binary.display().to_string()).env("GANTRY_HOME", &home)
    }

    /// Adds top-level keys to the host's configuration; a key that is there already is replaced.
    pub fn config(mut self, keys: Value) -> Self {
        if let (Value::Object(all), Value::Object(more)) = (&mut self.config, keys) {
            all.extend(more);
        }
        self
    }

    /// Writes the configuration for the last time, so that what others change in it stays; answers with its file.
    pub fn settle(&mut self) -> Result<PathBuf> {
        self.write_config()?;
        self.settled = true;
        Ok(self.root.join("config/opencode/opencode.json"))
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn project(&self) -> &Path {
        &self.project
    }

    /// The scratch folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn gantry_home(&self) -> PathBuf {
        self.root.join("gantry")
    }

    /// `opencode run` with these arguments, without a terminal.
    pub fn run(&self, args: &[&str]) -> Result<HostProcess> {
        let mut command = self.command(&self.binary)?;
        HostProcess::spawn(command.arg("run").args(args))
    }

    /// `opencode run --command NAME TEXT`: a slash command, headless.
    pub fn run_command(&self, name: &str, text: &str) -> Result<HostProcess> {
        self.run(&["--command", name, text])
    }

    /// `opencode serve` on a free port; returns when it listens.
    pub fn serve(&self) -> Result<Server> {
        let mut command = self.command(&self.binary)?;
        let process = HostProcess::spawn(command.args(["serve", "--hostname", "127.0.0.1", "--port", "0"]))?;
        Server::new(process, self.project.clone())
    }

    /// The host's terminal interface in a pseudo terminal of this size.
    pub fn tui(&self, columns: u16, rows: u16) -> Result<Tui> {
        self.tui_in(&self.project, columns, rows)
    }

    /// As `tui`, started in this folder.
    pub fn tui_in(&self, folder: &Path, columns: u16, rows: u16) -> Result<Tui> {
        let mut command = CommandBuilder::new(&self.binary);
        command.env_clear();
        for (name, value) in self.environment()? {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.cwd(folder);
        Tui::spawn(command, columns, rows)
    }

    /// Any program in this environment, for example the sidecar's own command line.
    pub fn command(&self, program: &Path) -> Result<Command> {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment()?).current_dir(&self.project);
        Ok(command)
    }

    /// Processes of this environment that are still alive.
    pub fn leftovers(&self) -> io::Result<Vec<Leftover>> {
        marked(&format!("{MARK_VAR}={}", self.mark))
    }

    /// Waits for every process to end by itself; returns those that did not.
    pub fn wait_gone(&self, timeout: Duration) -> io::Result<Vec<Leftover>> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = self.leftovers()?;
            if left.is_empty() || Instant::now() >= deadline {
                return Ok(left);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The whole environment of a process, with the configuration written where it points to.
    fn environment(&self) -> Result<Vec<(OsString, OsString)>> {
        // The host takes the folder it works in from PWD before it asks the system.
        let inherited = |name: &OsString| {
            name != "PWD" && (self.home == Home::User || INHERITED.iter().any(|known| name == known))
        };
        let mut all: Vec<(OsString, OsString)> =
            std::env::vars_os().filter(|(name, _)| inherited(name)).collect();
        all.extend(self.vars.iter().map(|(name, value)| (name.into(), value.into())));
        all.push(("PWD".into(), self.project.clone().into()));
        match self.home {
            Home::Scratch if self.settled => {}
            Home::Scratch => self.write_config()?,
            // Lists of plugins are joined, so the user's own stay.
            Home::User => all.push((CONTENT_VAR.into(), self.config.to_string().into())),
        }
        Ok(all)
    }

    fn write_config(&self) -> Result<()> {
        let folder = self.root.join("config/opencode");
        // The host installs its plugin package (63 MB, from npm) into every configuration folder whose lock
        // file does not list it, and no plugin is loaded before that has ended. Nothing here needs it.
        fs::create_dir_all(folder.join("node_modules"))?;
        let lock =
            json!({"lockfileVersion": 3, "packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}});
        write_changed(&folder.join("package-lock.json"), &lock.to_string())?;
        let text = serde_json::to_string_pretty(&self.config)?;
        write_changed(&folder.join("opencode.json"), &text)
    }
}

/// Leaves an equal file alone: a running host may be reading it.
fn write_changed(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

impl Drop for HostEnv {
    fn drop(&mut self) {
        for left in self.leftovers().unwrap_or_default() {
            super::process::kill(left.pid);
        }
    }
}

#[cfg(target_os = "linux")]
fn marked(mark: &str) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that ends while we look, or that belongs to someone else, cannot be read: not ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|var| var == mark.as_bytes()) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned();
            found.push(Leftover { pid, command });
        }
    }
    Ok(found)
}

#[cfg(not(target_os = "linux"))]
fn marked(_mark: &str) -> io::Result<Vec<Leftover>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "processes can be told by their environment on Linux only",
    ))
}
