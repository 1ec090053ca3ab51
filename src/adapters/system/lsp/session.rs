//! A server that knows a project: files opened and changed in it, and what it says of them once it is quiet.
use super::super::watchdog::Watchdog;
use super::client::{Client, Silence};
use super::convert::{diagnostic, of_tsserver};
use super::documents::Snapshot;
use super::known::{self, Language};
use super::listen::Sign;
use super::wanted::{self, File};
use crate::domain::file_url::file_url;
use crate::ports::code::Diagnostic;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// For the first answer of a server.
const START: Duration = Duration::from_secs(30);
/// Documents left open for the next call; a server rereads a closed one from disk.
const OPEN: usize = 50;
/// Changed files that are shown to a server which does not ask to be told of them.
const SHOWN: usize = 200;
/// "Ask again" answers of one question.
const AGAIN: u32 = 20;
const SERVER_CANCELLED: i64 = -32802;
const CONTENT_MODIFIED: i64 = -32801;
/// The one command by which `typescript-language-server` answers for the compiler behind it.
const TSSERVER: &str = "typescript.tsserverRequest";

/// How a server is made to say what it knows of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    /// `textDocument/diagnostic`.
    Pull,
    /// The compiler itself: a publication of the server may come in parts, its answer is whole.
    TsServer,
    /// It publishes by itself, and is listened to.
    Listen,
}

pub(super) struct Document {
    pub version: i64,
    pub text: String,
    /// What the server had been told when it last said all of this file.
    pub heard_at: Option<u64>,
}

pub(super) struct Session {
    root: PathBuf,
    pub(super) language: Language,
    pub(super) client: Client,
    ask: Option<Ask>,
    pub(super) open: BTreeMap<String, Document>,
    seen: Snapshot,
    /// Changes that the server was told of; counts up.
    pub(super) told: u64,
    /// Probes so far.
    pub(super) probes: u64,
    /// A question is under way, or was when its asker went away: what is open may be texts of long ago.
    unfinished: bool,
}

impl Session {
    pub(super) async fn start(
        root: &Path,
        language: Language,
        command: known::Command,
        watchdog: Option<Arc<Watchdog>>,
    ) -> Result<Self, String> {
        let client = Client::start(root, &command, settings(root, language), watchdog)?;
        let shown = command.program.display();
        let why = match timeout(START, client.request("initialize", hello(root))).await {
            Ok(Ok(answer)) => {
                let seen = snapshot(root, language).await;
                let ask = if offers(&answer, TSSERVER) {
                    Some(Ask::TsServer)
                } else if answer["capabilities"].get("diagnosticProvider").is_some_and(|p| !p.is_null()) {
                    Some(Ask::Pull)
                } else {
                    None
                };
                let session = Self {
                    root: root.into(),
                    language,
                    client,
                    ask,
                    open: BTreeMap::new(),
                    seen,
                    told: 0,
                    probes: 0,
                    unfinished: false,
                };
                session.client.notify("initialized", json!({})).await.map_err(|e| session.why(e))?;
                let settings = json!({"settings": {}});
                session
                    .client
                    .notify("workspace/didChangeConfiguration", settings)
                    .await
                    .map_err(|e| session.why(e))?;
                return Ok(session);
            }
            Ok(Err(Silence::Refused(refused))) => refused.message,
            Ok(Err(Silence::Gone)) => {
                // Its last words are on their way.
                tokio::time::sleep(Duration::from_millis(50)).await;
                format!("it ended at once: {}", client.last_words())
            }
            Err(_) => format!("no answer within {} s", START.as_secs()),
        };
        Err(format!("{} ({shown}) could not be started: {why}", language.name()))
    }

    pub(super) fn is_alive(&self) -> bool {
        self.client.is_alive()
    }

    pub(super) async fn end(self) {
        self.client.end().await;
    }

    fn why(&self, silence: Silence) -> String {
        match silence {
            Silence::Refused(refused) => format!("{} refused: {}", self.language.name(), refused.message),
            Silence::Gone => {
                let words = self.client.last_words();
                let words = if words.is_empty() { "without a word".into() } else { words };
                format!("{} ended: {words}", self.language.name())
            }
        }
    }

    /// What the server says of the files as they are given, one answer for each round.
    pub(super) async fn diagnose(&mut self, rounds: &[Vec<File>]) -> Result<Vec<Vec<Diagnostic>>, String> {
        self.look_at_all(rounds).await.map_err(|silence| self.why(silence))
    }

    async fn look_at_all(&mut self, rounds: &[Vec<File>]) -> Result<Vec<Vec<Diagnostic>>, Silence> {
        if std::mem::replace(&mut self.unfinished, true) {
            for path in self.open.keys().cloned().collect::<Vec<_>>() {
                self.close(&path).await?;
            }
        }
        self.follow_disk(rounds).await?;
        let mut answers = Vec::new();
        for files in rounds {
            answers.push(self.look(files).await?);
        }
        self.unfinished = false;
        Ok(answers)
    }

    async fn look(&mut self, files: &[File]) -> Result<Vec<Diagnostic>, Silence> {
        let turn = self.client.heard.turn();
        for file in files.iter().filter(|file| file.text.is_none()) {
            self.close(&file.path).await?;
        }
        let mut last = None;
        // Those that are asked about come last: what is said of the last one is said of all that was shown.
        for asked in [false, true] {
            for file in files.iter().filter(|file| file.asked == asked) {
                if let Some(text) = &file.text
                    && self.show(&file.path, text).await?
                {
                    last = Some(file.path.as_str());
                }
            }
        }
        let asked: Vec<_> = files
            .iter()
            .filter(|file| file.asked)
            .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
            .collect();
        let ask = self.way().await;
        if self.language == Language::Rust {
            self.wait_loaded().await?;
        }
        if ask == Ask::Listen {
            self.listen(&asked, last, turn).await?;
        }
        let mut found = Vec::new();
        for (path, text) in asked {
            let items = match ask {
                Ask::Pull => self.pull(path).await?,
                Ask::TsServer => self.tsserver(path).await?,
                Ask::Listen => self.client.heard.published(&self.uri(path)).unwrap_or_default().items,
            };
            found.extend(items.into_iter().filter_map(|item| diagnostic(path, text, item)));
        }
        self.close_all_but(files).await?;
        Ok(found)
    }

    pub(super) fn uri(&self, path: &str) -> String {
        file_url(&self.root.join(path))
    }

    /// Servers register some of what they can do only after the start.
    async fn way(&mut self) -> Ask {
        if let Some(ask) = self.ask {
            return ask;
        }
        let until = Instant::now() + Duration::from_secs(2);
        while !self.client.heard.answers_for_files.load(Relaxed)
            && Instant::now() < until
            && self.language == Language::Python
        {
            let _ = timeout(Duration::from_millis(100), self.client.heard.something.notified()).await;
        }
        let ask = if self.client.heard.answers_for_files.load(Relaxed) { Ask::Pull } else { Ask::Listen };
        *self.ask.insert(ask)
    }

    /// Whether the server was told anything new.
    async fn show(&mut self, path: &str, text: &str) -> Result<bool, Silence> {
        let uri = self.uri(path);
        match self.open.get_mut(path) {
            Some(document) if document.text == text => return Ok(false),
            Some(document) => {
                document.text = text.to_owned();
                self.change(path, text).await?;
            }
            None => {
                let id = self.language.id(path);
                let document = json!({"uri": uri, "languageId": id, "version": 1, "text": text});
                self.client.notify("textDocument/didOpen", json!({"textDocument": document})).await?;
                let document = Document { version: 1, text: text.to_owned(), heard_at: None };
                self.open.insert(path.to_owned(), document);
            }
        }
        self.told += 1;
        // Some servers look at the whole project only when a file is saved.
        self.client.notify("textDocument/didSave", json!({"textDocument": {"uri": uri}})).await?;
        Ok(true)
    }

    /// Shows another text of an open file.
    pub(super) async fn change(&mut self, path: &str, text: &str) -> Result<(), Silence> {
        let uri = self.uri(path);
        let Some(document) = self.open.get_mut(path) else { return Ok(()) };
        document.version += 1;
        let document = json!({"uri": uri, "version": document.version});
        let change = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.client.notify("textDocument/didChange", change).await
    }

    async fn close(&mut self, path: &str) -> Result<(), Silence> {
        if self.open.remove(path).is_some() {
            self.told += 1;
            let document = json!({"textDocument": {"uri": self.uri(path)}});
            self.client.notify("textDocument/didClose", document).await?;
        }
        Ok(())
    }

    async fn close_all_but(&mut self, files: &[File]) -> Result<(), Silence> {
        let others: Vec<_> =
            self.open.keys().filter(|path| !files.iter().any(|file| file.path == **path)).cloned().collect();
        let surplus = self.open.len().saturating_sub(OPEN);
        for path in others.iter().take(surplus) {
            self.close(path).await?;
        }
        Ok(())
    }

    /// Tells the server what has happened on disk since it was last asked.
    async fn follow_disk(&mut self, rounds: &[Vec<File>]) -> Result<(), Silence> {
        let asked: BTreeSet<_> = rounds.iter().flatten().map(|file| file.path.as_str()).collect();
        let now = snapshot(&self.root, self.language).await;
        let changes = self.seen.changes(&now);
        self.seen = now;
        // What an earlier call left open would hide the disk.
        let left: Vec<_> = self.open.keys().filter(|path| !asked.contains(path.as_str())).cloned().collect();
        for path in left.into_iter().filter(|path| changes.iter().any(|(changed, _)| changed == path)) {
            self.close(&path).await?;
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.told += 1;
        if self.client.heard.wants_changes.load(Relaxed) {
            let event = |(path, change): &(String, super::documents::Change)| json!({"uri": self.uri(path), "type": *change as u8});
            let events: Vec<_> = changes.iter().map(event).collect();
            self.client.notify("workspace/didChangeWatchedFiles", json!({"changes": events})).await?;
        }
        // It reads what it was told of, or saw by itself, in its own time. A file that was open once is known at once; those
        // that are asked for are opened anyway.
        let language = self.language;
        let is_shown = |path: &String| Language::of(path) == Some(language) && !asked.contains(path.as_str());
        let sources = changes.into_iter().map(|(path, _)| path).filter(is_shown);
        for path in sources.take(SHOWN) {
            if let Ok(Ok(text)) = wanted::text(&self.root.join(&path)) {
                self.show(&path, &text).await?;
                self.close(&path).await?;
            }
        }
        Ok(())
    }

    async fn pull(&self, path: &str) -> Result<Vec<Value>, Silence> {
        let mut tries = 0;
        loop {
            let asked = self
                .client
                .request("textDocument/diagnostic", json!({"textDocument": {"uri": self.uri(path)}}))
                .await;
            match asked {
                Ok(report) => return Ok(report["items"].as_array().cloned().unwrap_or_default()),
                Err(Silence::Refused(refused))
                    if matches!(refused.code, SERVER_CANCELLED | CONTENT_MODIFIED) && tries < AGAIN =>
                {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(silence) => return Err(silence),
            }
        }
    }

    async fn tsserver(&self, path: &str) -> Result<Vec<Value>, Silence> {
        let file = self.root.join(path);
        let mut found = Vec::new();
        for command in ["syntacticDiagnosticsSync", "semanticDiagnosticsSync"] {
            let arguments = json!([command, {"file": file}]);
            let asked = json!({"command": TSSERVER, "arguments": arguments});
            let answer = self.client.request("workspace/executeCommand", asked).await?;
            let Some(body) = answer["body"].as_array() else {
                let message = answer["message"]
                    .as_str()
                    .or(answer["type"].as_str())
                    .unwrap_or("no answer of the compiler");
                return Err(Silence::of(message));
            };
            found.extend(body.iter().map(of_tsserver));
        }
        Ok(found)
    }

    /// rust-analyzer answers at once, before it has loaded the project, that all is well.
    async fn wait_loaded(&self) -> Result<(), Silence> {
        let heard = &self.client.heard;
        self.wait("it did not say that it has loaded the project", |_| match *heard.loaded.lock() {
            Some(true) => Sign::Done,
            Some(false) => Sign::AtWork,
            None => Sign::Silent,
        })
        .await
    }
}

async fn snapshot(root: &Path, language: Language) -> Snapshot {
    let root = root.to_path_buf();
    tokio::task::spawn_blocking(move || Snapshot::take(&root, language)).await.unwrap_or_default()
}

fn offers(answer: &Value, command: &str) -> bool {
    let commands = &answer["capabilities"]["executeCommandProvider"]["commands"];
    commands.as_array().is_some_and(|all| all.iter().any(|one| one == command))
}

fn hello(root: &Path) -> Value {
    let folder = file_url(root);
    let name = root.file_name().map_or_else(|| "project".into(), |name| name.to_string_lossy());
    json!({
        "processId": std::process::id(),
        "clientInfo": {"name": "gantry", "version": env!("CARGO_PKG_VERSION")},
        "rootUri": folder,
        "rootPath": root,
        "workspaceFolders": [{"uri": folder, "name": name}],
        // Nothing is fetched; and the compiler is run by the project's checks, not by rust-analyzer beside them.
        "initializationOptions": {"disableAutomaticTypingAcquisition": true, "checkOnSave": false},
        "capabilities": {
            "general": {"positionEncodings": ["utf-16"]},
            "window": {"workDoneProgress": true},
            "experimental": {"serverStatusNotification": true},
            "workspace": {
                "configuration": true,
                "workspaceFolders": true,
                "didChangeConfiguration": {"dynamicRegistration": false},
                "didChangeWatchedFiles": {"dynamicRegistration": true},
                "diagnostics": {"refreshSupport": true}
            },
            "textDocument": {
                "synchronization": {"didSave": true},
                "publishDiagnostics": {"versionSupport": true, "relatedInformation": true},
                "diagnostic": {"dynamicRegistration": true}
            }
        }
    })
}

/// What a server gets when it asks for its section of the settings.
fn settings(root: &Path, language: Language) -> Value {
    let names = [".venv/bin/python", "venv/bin/python"];
    let python = known::folders(root)
        .into_iter()
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|python| python.is_file());
    match (language, python) {
        (Language::Python, Some(python)) => json!({"python": {"pythonPath": python}}),
        _ => json!({}),
    }
}
