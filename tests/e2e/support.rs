//! The stage of one test: a project, a scripted model and the real host, all in one scratch folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gantry::adapters::sqlite::SqliteStore;
use gantry::domain::ids::Millis;
use gantry::engine::core::event::Event;
use gantry::engine::core::replay;
use gantry::engine::core::state::Mission;
use gantry::engine::journal;
use gantry::ports::store::{MissionRow, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::lab::host::{Client, Finished, HostEnv};
use xtask::lab::model::{Model, Script};
use xtask::lab::sample::{self, git};

/// Longest wait for anything that is sure to come; a host that starts cold on a busy machine takes seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time for processes to end by themselves after their host.
pub const END: Duration = Duration::from_secs(10);
/// For what follows from an event and not from a look that comes round after a while.
pub const PROMPTLY: Duration = Duration::from_secs(3);
/// What the scripted model thinks per beat.
pub const BEAT: Duration = Duration::from_millis(30);

pub struct Stage {
    // In the order of the drops: processes first, the folder they run in last.
    pub env: HostEnv,
    pub model: Model,
    pub project: PathBuf,
    folder: TempDir,
}

/// A mission as the journal on disk tells it.
pub struct Told {
    pub row: MissionRow,
    pub facts: Vec<(Millis, Event)>,
    /// The state that replaying the facts gives.
    pub mission: Mission,
}

impl Stage {
    /// A host with the model and nothing of Gantry, in a project that `make` fills.
    pub fn bare(make: impl FnOnce(&Path), script: impl FnOnce(&Path) -> Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, project) = (folder.path().join("host"), folder.path().join("project"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&project).unwrap();
        let project = project.canonicalize().unwrap();
        make(&project);
        let model = Model::start(script(&project)).unwrap();
        let env = HostEnv::new(&root, &project).unwrap().model(&model);
        Self { env, model, project, folder }
    }

    /// The sample project of the demo, and Gantry.
    pub fn sample(script: impl FnOnce(&Path) -> Script) -> Self {
        Self::bare(|project| sample::create(project).unwrap(), script).gantry()
    }

    /// A repository with one file and no checks, and Gantry.
    pub fn small(script: impl FnOnce(&Path) -> Script) -> Self {
        Self::bare(small_project, script).gantry()
    }

    pub fn gantry(self) -> Self {
        self.adjust(|env| env.plugin(&shim(), json!({})).gantry(&sidecar()))
    }

    pub fn adjust(mut self, change: impl FnOnce(HostEnv) -> HostEnv) -> Self {
        self.env = change(self.env);
        self
    }

    /// The scratch folder, for files of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `/task`, headless, to its end.
    pub fn task(&self, text: &str) -> Finished {
        self.env.run_command("task", text).unwrap().wait(PATIENCE).unwrap()
    }

    /// A plain message to the user's own agent, headless, to its end.
    pub fn run(&self, text: &str) -> Finished {
        self.env.run(&[text]).unwrap().wait(PATIENCE).unwrap()
    }

    /// Puts a shell script in the place of the sidecar. `$GANTRY_REAL` is the real one.
    pub fn stand_in(self, script: &str) -> Self {
        let file = self.folder().join("stand-in");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let real = sidecar().display().to_string();
        self.adjust(|env| env.gantry(&file).env("GANTRY_REAL", &real))
    }

    /// Gantry's own command line.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = self.env.command(&sidecar()).unwrap().args(args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "gantry {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Rows of `gantry missions --json`, newest first.
    pub fn missions(&self) -> Vec<Value> {
        serde_json::from_str(&self.cli(&["missions", "--json"])).unwrap()
    }

    /// The missions in the store, oldest first.
    pub fn told(&self) -> Vec<Told> {
        let store = self.env.gantry_home().join("gantry.db");
        if !store.is_file() {
            return Vec::new();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(&store).unwrap();
            let mut all = Vec::new();
            for row in store.missions(None, false, 100).await.unwrap().into_iter().rev() {
                let records = store.load(row.id.clone()).await.unwrap();
                let decode = |kind: &str, body: &str| journal::decode(kind, body).unwrap();
                let facts: Vec<_> = records.iter().map(|r| (r.at, decode(&r.kind, &r.body))).collect();
                let mission = replay(&row.id, &facts).unwrap();
                all.push(Told { row, facts, mission });
            }
            all
        })
    }

    /// The one mission there is.
    pub fn only(&self) -> Told {
        let mut all = self.told();
        assert_eq!(all.len(), 1, "missions in the store");
        all.remove(0)
    }

    /// Every process of the stage has ended by itself.
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.env.wait_gone(END).unwrap(), []);
    }

    /// Every request found its place in the script.
    pub fn assert_no_misses(&self) {
        assert_eq!(self.model.misses(), [""; 0]);
    }
}

impl Told {
    pub fn state(&self) -> &str {
        self.mission.state.name()
    }

    /// When the first fact that `wanted` picks was written down.
    pub fn at(&self, wanted: impl Fn(&Event) -> bool) -> Millis {
        let found = self.facts.iter().find(|(_, event)| wanted(event));
        found.unwrap_or_else(|| panic!("no such fact in {:#?}", self.facts)).0
    }

    pub fn report(&self) -> &str {
        self.mission.report.as_deref().unwrap_or_default()
    }
}

pub fn sidecar() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_gantry"))
}

/// The plugin as npm would install it.
pub fn shim() -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin-shim/dist/index.js");
    assert!(
        file.is_file(),
        "the plugin is not built: `cargo xtask test` builds it and runs these tests, \
         `npm ci && npm run build` in plugin-shim builds it alone"
    );
    file
}

pub fn small_project(folder: &Path) {
    fs::write(folder.join("notes.txt"), "first line\n").unwrap();
    git(folder, &["init", "--quiet", "--initial-branch", "main"]).unwrap();
    git(folder, &["config", "user.name", "Gantry Lab"]).unwrap();
    git(folder, &["config", "user.email", "lab@localhost"]).unwrap();
    git(folder, &["add", "--all"]).unwrap();
    git(folder, &["commit", "--quiet", "--no-gpg-sign", "--message", "Notes"]).unwrap();
}

// A served host, as its clients drive it in one of its directories.

pub fn new_session(host: &Client) -> String {
    text(&host.post("/session", &json!({"title": "lab"})).unwrap()["id"]).to_owned()
}

/// `/task` in a conversation; returns what the Commander said when its turn is over.
pub fn task(host: &Client, session: &str, text: &str) -> String {
    let command = json!({"command": "task", "arguments": text});
    words(&host.post(&format!("/session/{session}/command"), &command).unwrap())
}

/// A message to one of the user's agents; returns its answer.
pub fn ask(host: &Client, session: &str, agent: &str, text: &str) -> String {
    let message = json!({"agent": agent, "parts": [{"type": "text", "text": text}]});
    words(&host.post(&format!("/session/{session}/message"), &message).unwrap())
}

pub fn messages(host: &Client, session: &str) -> Vec<Value> {
    let messages = host.get(&format!("/session/{session}/message")).unwrap();
    messages.as_array().unwrap().clone()
}

/// The tool parts of a conversation.
pub fn calls(messages: &[Value]) -> Vec<Value> {
    let parts = messages.iter().flat_map(|message| message["parts"].as_array().unwrap());
    parts.filter(|part| part["type"] == "tool").cloned().collect()
}

/// The text of one message.
pub fn words(message: &Value) -> String {
    let parts = message["parts"].as_array().unwrap().iter();
    let texts: Vec<&str> =
        parts.filter(|part| part["type"] == "text").map(|part| text(&part["text"])).collect();
    texts.join("\n")
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Looks again and again until there is something to see.
pub fn wait<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
