//! A server that knows a project: files opened and changed in it, and what it says of them once it is quiet.
use super::super::watchdog::Watchdog;
use super::File;
use super::client::{Client, Silence};
use super::documents::Snapshot;
use super::known::{self, Language};
use crate::domain::file_url::file_url;
use crate::ports::code::{Diagnostic, Severity};
use gen_lsp_types as lsp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// For the first answer of a server.
const START: Duration = Duration::from_secs(30);
/// Without a word from a server that tells by itself, after its last one: it has said all.
const QUIET: Duration = Duration::from_millis(400);
/// Without a word and without announced work: it will not say anything.
const MUTE: Duration = Duration::from_secs(20);
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
    /// It publishes by itself; it is listened to until it is quiet.
    Listen,
}

struct Document {
    version: i64,
    text: String,
}

pub(super) struct Session {
    root: PathBuf,
    language: Language,
    client: Client,
    ask: Option<Ask>,
    open: BTreeMap<String, Document>,
    seen: Snapshot,
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
        let present: Vec<_> =
            files.iter().filter_map(|file| Some((&file.path, file.text.as_ref()?))).collect();
        let mut changed = Vec::new();
        for (path, text) in &present {
            if self.show(path, text).await? {
                changed.push((*path).clone());
            }
        }
        for file in files.iter().filter(|file| file.text.is_none()) {
            self.close(&file.path).await?;
        }
        let mut found = Vec::new();
        let ask = self.way().await;
        if self.language == Language::Rust {
            self.wait_loaded().await?;
        }
        if ask == Ask::Listen {
            self.listen(&changed, turn).await?;
        }
        for (path, text) in present {
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

    fn uri(&self, path: &str) -> String {
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
                document.version += 1;
                document.text = text.to_owned();
                let document = json!({"uri": uri, "version": document.version});
                let change = json!({"textDocument": document, "contentChanges": [{"text": text}]});
                self.client.notify("textDocument/didChange", change).await?;
            }
            None => {
                let id = self.language.id(path);
                let document = json!({"uri": uri, "languageId": id, "version": 1, "text": text});
                self.client.notify("textDocument/didOpen", json!({"textDocument": document})).await?;
                self.open.insert(path.to_owned(), Document { version: 1, text: text.to_owned() });
            }
        }
        // Some servers look at the whole project only when a file is saved.
        self.client.notify("textDocument/didSave", json!({"textDocument": {"uri": uri}})).await?;
        Ok(true)
    }

    async fn close(&mut self, path: &str) -> Result<(), Silence> {
        if self.open.remove(path).is_some() {
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
            if let Ok(text) = std::fs::read_to_string(self.root.join(&path)) {
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

    /// Until the server has spoken of every file since `turn`, has nothing under way, and has said no more for a while.
    async fn listen(&self, changed: &[String], turn: u64) -> Result<(), Silence> {
        let heard = &self.client.heard;
        let mut last = turn;
        self.wait("it said nothing of the files it was shown", |silent| {
            let spoken = |path: &String| {
                heard.published(&self.uri(path)).is_some_and(|p| {
                    let version = self.open.get(path).map(|d| d.version);
                    p.turn > turn && (p.version.is_none() || p.version >= version)
                })
            };
            let all = changed.iter().all(spoken);
            let before = std::mem::replace(&mut last, heard.turn());
            if last != before || heard.is_working() {
                Sign::AtWork
            } else if all && silent >= QUIET {
                Sign::Done
            } else {
                Sign::Silent
            }
        })
        .await
    }

    /// Until `look`, which is told how long the server has been silent, says that it is done. A server that is silent for
    /// too long has `fault`.
    async fn wait(&self, fault: &str, mut look: impl FnMut(Duration) -> Sign) -> Result<(), Silence> {
        let mut silent_since = Instant::now();
        loop {
            match look(silent_since.elapsed()) {
                Sign::Done => return Ok(()),
                Sign::AtWork => silent_since = Instant::now(),
                Sign::Silent if silent_since.elapsed() >= MUTE => return Err(Silence::of(fault)),
                Sign::Silent => {}
            }
            tokio::select! {
                () = self.client.heard.something.notified() => {}
                () = self.client.gone() => return Err(Silence::Gone),
                () = tokio::time::sleep(QUIET / 4) => {}
            }
        }
    }
}

/// What a server that is waited for is doing.
enum Sign {
    Done,
    AtWork,
    Silent,
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
    let python =
        [".venv/bin/python", "venv/bin/python"].map(|path| root.join(path)).into_iter().find(|p| p.is_file());
    match (language, python) {
        (Language::Python, Some(python)) => json!({"python": {"pythonPath": python}}),
        _ => json!({}),
    }
}

/// The compiler's own form, as one of the protocol.
fn of_tsserver(item: &Value) -> Value {
    let place = |at: &Value| {
        let less_one = |n: &Value| n.as_u64().unwrap_or(1).saturating_sub(1);
        json!({"line": less_one(&at["line"]), "character": less_one(&at["offset"])})
    };
    let severity = match item["category"].as_str() {
        Some("error") => 1,
        Some("warning") => 2,
        Some("suggestion") => 4,
        _ => 3,
    };
    json!({
        "range": {"start": place(&item["start"]), "end": place(&item["end"])},
        "severity": severity,
        "code": item["code"],
        "source": "typescript",
        "message": item["text"],
    })
}

fn diagnostic(path: &str, text: &str, item: Value) -> Option<Diagnostic> {
    let item: lsp::Diagnostic = serde_json::from_value(item).ok()?;
    let severity = match item.severity {
        Some(lsp::DiagnosticSeverity::Warning) => Severity::Warning,
        Some(lsp::DiagnosticSeverity::Information) => Severity::Information,
        Some(lsp::DiagnosticSeverity::Hint) => Severity::Hint,
        // Without a severity the client is to decide; the careful reading is an error.
        _ => Severity::Error,
    };
    let line = item.range.start.line as usize;
    Some(Diagnostic {
        path: path.to_owned(),
        line: line + 1,
        column: column(text, line, item.range.start.character as usize) + 1,
        severity,
        code: item.code.map(|code| match code {
            lsp::Code::Int(number) => number.to_string(),
            lsp::Code::String(text) => text,
        }),
        source: item.source,
        message: match item.message {
            lsp::Message::String(text) => text.replace('\u{a0}', " "),
            lsp::Message::MarkupContent(content) => content.value,
        },
    })
}

/// Characters before `units` of UTF-16.
fn column(text: &str, line: usize, units: usize) -> usize {
    let line = text.split('\n').nth(line).unwrap_or_default();
    let mut left = units;
    line.chars()
        .take_while(|c| {
            let fits = left >= c.len_utf16();
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::column;

    #[test]
    fn columns_count_characters() {
        let text = "abc\n😀ä = x\n";
        for (line, units, chars) in
            [(0, 0, 0), (0, 2, 2), (0, 9, 3), (1, 2, 1), (1, 3, 2), (1, 6, 5), (7, 3, 0)]
        {
            assert_eq!(column(text, line, units), chars, "{line}:{units}");
        }
    }
}
