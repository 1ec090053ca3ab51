//! Diagnostics by real language servers, one for each project and language, kept warm.
//!
//! A server belongs to one call at a time. It is started by the first call, ended after five idle minutes or when too many
//! others are wanted, and started anew with growing pauses when it crashes. Nothing is ever downloaded: a server that is
//! not on this machine is named, with how to get it. "No answer" is never "no errors".
mod client;
mod documents;
mod framing;
mod known;
mod session;

use super::watchdog::Watchdog;
use crate::ports::Fut;
use crate::ports::code::{CodeError, Diagnosed, Diagnostic, Diagnostics, Severity, Unchecked};
use futures_util::future::join_all;
use known::Language;
use parking_lot::Mutex;
use session::Session;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// From the last call of a server to its end.
const IDLE: Duration = Duration::from_secs(300);
/// Servers that run at one time. They take hundreds of megabytes each.
const MOST: usize = 6;
/// For one call, the start of the server and its first look at the project included.
const CALL: Duration = Duration::from_secs(90);
/// After a server broke down: before it is started again, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Files of one call.
pub(super) const FILES: usize = 200;

type Key = (PathBuf, Language);

#[derive(Clone, Default)]
pub struct LanguageServers {
    slots: Arc<Mutex<BTreeMap<Key, Arc<Slot>>>>,
    watchdog: Option<Arc<Watchdog>>,
    /// In place of the PATH.
    path: Option<OsString>,
}

/// The place of one server.
struct Slot {
    server: tokio::sync::Mutex<Kept>,
    last_used: Mutex<Instant>,
}

/// A server as one call leaves it to the next.
#[derive(Default)]
struct Kept {
    session: Option<Session>,
    /// Breakdowns in a row.
    failures: u32,
    not_before: Option<Instant>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { server: tokio::sync::Mutex::default(), last_used: Mutex::new(Instant::now()) }
    }
}

impl LanguageServers {
    /// Servers that a killed process leaves running are ended by the watchdog.
    pub fn watched(watchdog: Option<Arc<Watchdog>>) -> Self {
        Self { watchdog, ..Self::default() }
    }

    /// Looks for servers in these folders in place of those of the PATH.
    pub fn found_on(self, path: OsString) -> Self {
        Self { path: Some(path), ..self }
    }

    /// Servers that are running now.
    pub fn running(&self) -> usize {
        let slots: Vec<_> = self.slots.lock().values().cloned().collect();
        // One that is busy is running.
        slots
            .iter()
            .filter(|slot| slot.server.try_lock().ok().is_none_or(|kept| kept.session.is_some()))
            .count()
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        let slot = slots.entry(key.clone()).or_default().clone();
        *slot.last_used.lock() = Instant::now();
        if slots.len() > MOST {
            let oldest = slots
                .iter()
                .filter(|(other, _)| *other != key)
                .min_by_key(|(_, slot)| *slot.last_used.lock());
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                // Ends when its last call has ended.
                slots.remove(&oldest);
            }
        }
        slot
    }

    /// The texts of some files, as the server is to see them, before and after; both answers in order.
    async fn ask(
        &self,
        root: &Path,
        language: Language,
        rounds: Vec<Vec<File>>,
    ) -> Result<Vec<Vec<Diagnostic>>, String> {
        let key = (root.to_path_buf(), language);
        let slot = self.slot(&key);
        let mut kept = slot.server.lock().await;
        let asked = tokio::time::timeout(CALL, self.ask_kept(&mut kept, root, language, &rounds)).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(_) => {
                // What it still works on would be taken for the answer to the next question.
                kept.broke_down();
                Err(format!("{} gave no answer within {} s", language.name(), CALL.as_secs()))
            }
        };
        *slot.last_used.lock() = Instant::now();
        drop(kept);
        self.end_when_idle(key, &slot);
        answer
    }

    async fn ask_kept(
        &self,
        kept: &mut Kept,
        root: &Path,
        language: Language,
        rounds: &[Vec<File>],
    ) -> Result<Vec<Vec<Diagnostic>>, String> {
        let was_warm = kept.session.as_ref().is_some_and(Session::is_alive);
        let first = self.try_once(kept, root, language, rounds).await;
        match first {
            // One that worked before and died since is worth a second try at once.
            Err(_) if was_warm && kept.session.is_none() => {
                kept.not_before = None;
                self.try_once(kept, root, language, rounds).await
            }
            answer => answer,
        }
    }

    async fn try_once(
        &self,
        kept: &mut Kept,
        root: &Path,
        language: Language,
        rounds: &[Vec<File>],
    ) -> Result<Vec<Vec<Diagnostic>>, String> {
        if !kept.session.as_ref().is_some_and(Session::is_alive) {
            kept.session = None;
            if let Some(wait) = kept
                .not_before
                .map(|at| at.saturating_duration_since(Instant::now()))
                .filter(|w| !w.is_zero())
            {
                return Err(format!(
                    "{} broke down {} times and is started again in {} s",
                    language.name(),
                    kept.failures,
                    wait.as_secs() + 1
                ));
            }
            let path = self.path.clone().or_else(|| std::env::var_os("PATH")).unwrap_or_default();
            let command = language.command(root, &path)?;
            match Session::start(root, language, command, self.watchdog.clone()).await {
                Ok(session) => kept.session = Some(session),
                Err(why) => {
                    kept.broke_down();
                    return Err(why);
                }
            }
        }
        let Some(session) = kept.session.as_mut() else { return Err("it did not start".into()) };
        match session.diagnose(rounds).await {
            Ok(answers) => {
                kept.failures = 0;
                Ok(answers)
            }
            Err(why) => {
                kept.broke_down();
                Err(why)
            }
        }
    }

    /// A timer that ends by itself; each call brings its own. It keeps no server alive.
    fn end_when_idle(&self, key: Key, slot: &Arc<Slot>) {
        let since = *slot.last_used.lock();
        let (slots, slot) = (Arc::downgrade(&self.slots), Arc::downgrade(slot));
        let end = tokio::time::sleep(IDLE);
        tokio::spawn(async move {
            end.await;
            let (Some(slots), Some(slot)) = (slots.upgrade(), slot.upgrade()) else { return };
            if *slot.last_used.lock() == since {
                slots.lock().remove(&key);
                let session = slot.server.lock().await.session.take();
                if let Some(session) = session {
                    session.end().await;
                }
            }
        });
    }

    async fn diagnose(
        &self,
        root: PathBuf,
        files: Vec<Wanted>,
    ) -> Result<(Diagnosed, Vec<Diagnostic>), CodeError> {
        if files.len() > FILES {
            return Err(CodeError::Invalid(format!(
                "{} files are too many for one call: name {FILES} at most",
                files.len()
            )));
        }
        let mut by_language: BTreeMap<Language, Vec<Wanted>> = BTreeMap::new();
        for file in files {
            if let Some(language) = Language::of(&file.path) {
                by_language.entry(language).or_default().push(file);
            }
        }
        let asked = by_language.into_iter().map(|(language, files)| {
            let root = &root;
            async move {
                let (rounds, paths, unread) = rounds(root, &files);
                let answer =
                    if paths.is_empty() { Ok(Vec::new()) } else { self.ask(root, language, rounds).await };
                (paths, unread, answer)
            }
        });
        let (mut diagnosed, mut before) = (Diagnosed::default(), Vec::new());
        for (paths, unread, answer) in join_all(asked).await {
            diagnosed.unchecked.extend(unread);
            match answer {
                Ok(mut answers) => {
                    diagnosed.checked.extend(paths);
                    diagnosed.found.extend(answers.pop().unwrap_or_default());
                    before.extend(answers.pop().unwrap_or_default());
                }
                Err(reason) => diagnosed.unchecked.push(Unchecked { paths, reason }),
            }
        }
        diagnosed.checked.sort();
        diagnosed.found.sort();
        Ok((diagnosed, before))
    }
}

impl Kept {
    fn broke_down(&mut self) {
        // Dropping it ends its processes.
        self.session = None;
        let pause = PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(Instant::now() + pause);
    }
}

/// A file to be looked at.
struct Wanted {
    path: String,
    /// Its text before the change that is asked about; none when only the present state is.
    before: Option<Option<String>>,
}

/// A file as the server is to see it.
#[derive(Clone)]
pub(super) struct File {
    pub path: String,
    /// None: it is not there.
    pub text: Option<String>,
}

type Rounds = (Vec<Vec<File>>, Vec<String>, Option<Unchecked>);

fn rounds(root: &Path, files: &[Wanted]) -> Rounds {
    let (mut now, mut before, mut paths, mut unread) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for file in files {
        match std::fs::read(root.join(&file.path)) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                now.push(File { path: file.path.clone(), text: Some(text) });
                paths.push(file.path.clone());
                if let Some(text) = &file.before {
                    before.push(File { path: file.path.clone(), text: text.clone() });
                }
            }
            // A file that a change has removed has no errors to look for.
            Err(_) if file.before.is_some() => {}
            Err(error) => unread.push((file.path.clone(), error)),
        }
    }
    let unchecked = unread.first().map(|(_, error)| Unchecked {
        reason: format!("cannot be read: {error}"),
        paths: unread.iter().map(|(path, _)| path.clone()).collect(),
    });
    let rounds = if before.is_empty() { vec![now] } else { vec![before, now] };
    (rounds, paths, unchecked)
}

impl Diagnostics for LanguageServers {
    fn of(&self, root: PathBuf, paths: Vec<String>) -> Fut<'_, Result<Diagnosed, CodeError>> {
        let files = paths.into_iter().map(|path| Wanted { path, before: None }).collect();
        Box::pin(async move { Ok(self.diagnose(root, files).await?.0) })
    }

    fn new_errors(
        &self,
        root: PathBuf,
        before: Vec<(String, Option<String>)>,
    ) -> Fut<'_, Result<Diagnosed, CodeError>> {
        let mut files: Vec<_> =
            before.into_iter().map(|(path, before)| Wanted { path, before: Some(before) }).collect();
        files.retain(|file| Language::of(&file.path).is_some());
        files.truncate(FILES);
        Box::pin(async move {
            let (mut now, before) = self.diagnose(root, files).await?;
            now.found = added(before, now.found);
            Ok(now)
        })
    }
}

/// Errors of `now` beyond those of `before`. Lines move when a file is changed, so an error is known by what it says.
fn added(before: Vec<Diagnostic>, now: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let same = |d: &Diagnostic| (d.path.clone(), d.code.clone(), d.message.clone());
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for error in before.iter().filter(|d| d.severity == Severity::Error) {
        *known.entry(same(error)).or_default() += 1;
    }
    let mut is_new = |error: &Diagnostic| match known.get_mut(&same(error)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    };
    now.into_iter().filter(|d| d.severity == Severity::Error).filter(|error| is_new(error)).collect()
}
