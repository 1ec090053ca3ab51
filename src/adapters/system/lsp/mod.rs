//! Diagnostics by real language servers, one for each project and language, kept warm.
//!
//! A server belongs to one call at a time. It is started by the first call, ended after five idle minutes or when too many
//! others are wanted, and started anew with growing pauses when it crashes. Nothing is ever downloaded: a server that is
//! not on this machine is named, with how to get it. "No answer" is never "no errors".
mod client;
mod convert;
mod documents;
mod framing;
mod gone;
mod kept;
mod known;
mod listen;
mod missing;
mod session;
mod wanted;

use super::watchdog::Watchdog;
use crate::ports::Fut;
use crate::ports::code::{CodeError, Diagnosed, Diagnostic, Diagnostics, Unchecked};
use futures_util::future::join_all;
use kept::{Kept, Key, Live, Pool};
use known::Language;
use session::Session;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use wanted::{File, Rounds, Wanted};

/// For one call, the start of the server and its first look at the project included.
const CALL: Duration = Duration::from_secs(90);
/// For each file of a call with many of them.
const FILE: Duration = Duration::from_millis(400);
const LONGEST_CALL: Duration = Duration::from_secs(270);

#[derive(Clone, Default)]
pub struct LanguageServers {
    pool: Arc<Pool>,
    watchdog: Option<Arc<Watchdog>>,
    /// In place of the PATH.
    path: Option<OsString>,
}

type Answers = Result<Vec<Vec<Diagnostic>>, String>;

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
        self.pool.running()
    }

    /// The texts of some files, as the server is to see them, before and after; both answers in order.
    async fn ask(&self, root: &Path, language: Language, rounds: Vec<Vec<File>>) -> Answers {
        let key = (root.to_path_buf(), language);
        let slot = self.pool.slot(&key);
        let mut kept = slot.server.lock().await;
        let files: usize = rounds.iter().map(Vec::len).sum();
        let limit = (FILE * u32::try_from(files).unwrap_or(u32::MAX)).clamp(CALL, LONGEST_CALL);
        let was_warm = kept.live.as_ref().is_some_and(|live| live.session.is_alive());
        let began = Instant::now();
        let mut answer = self.try_once(&mut kept, &key, &rounds, limit).await;
        // One that worked before and died since is worth a second try at once.
        if answer.is_err() && was_warm && kept.live.is_none() && began.elapsed() < limit {
            kept.not_before = None;
            answer = self.try_once(&mut kept, &key, &rounds, limit).await;
        }
        slot.used();
        answer
    }

    async fn try_once(&self, kept: &mut Kept, key: &Key, rounds: &[Vec<File>], limit: Duration) -> Answers {
        kept.live.take_if(|live| !live.session.is_alive());
        let live = match &mut kept.live {
            Some(live) => live,
            None => {
                let live = self.start(kept, key).await?;
                kept.live.insert(live)
            }
        };
        let answers = timeout(limit, live.session.diagnose(rounds))
            .await
            .unwrap_or_else(|_| Err(format!("{} gave no answer within {} s", key.1.name(), limit.as_secs())));
        match answers {
            Ok(_) => kept.failures = 0,
            // What it still works on would be taken for the answer to the next question.
            Err(_) => kept.broke_down(),
        }
        answers
    }

    async fn start(&self, kept: &mut Kept, (root, language): &Key) -> Result<Live, String> {
        let wait = kept.not_before.map(|at| at.saturating_duration_since(Instant::now()));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(format!(
                "{} broke down {} times and is started again in {} s",
                language.name(),
                kept.failures,
                wait.as_secs() + 1
            ));
        }
        let path = self.path.clone().or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        let command = language.command(root, &path)?;
        let place = timeout(CALL, self.pool.place()).await.map_err(|_| {
            "the language servers of other projects are at work: ask again in a minute".to_owned()
        })?;
        match Session::start(root, *language, command, self.watchdog.clone()).await {
            Ok(session) => Ok(Live { session, _place: place }),
            Err(why) => match language.cure(&why) {
                Some(cure) => Err(cure.into()),
                None => {
                    kept.broke_down();
                    Err(why)
                }
            },
        }
    }

    async fn diagnose(
        &self,
        root: PathBuf,
        mut files: Vec<Wanted>,
    ) -> Result<(Diagnosed, Vec<Diagnostic>), CodeError> {
        files.retain(|file| Language::of(&file.path).is_some());
        let (mut diagnosed, mut before) = (Diagnosed::default(), Vec::new());
        diagnosed.unchecked.extend(wanted::surplus(&mut files));
        let mut by_language: BTreeMap<Language, Vec<Wanted>> = BTreeMap::new();
        for file in files {
            if let Some(language) = Language::of(&file.path) {
                by_language.entry(language).or_default().push(file);
            }
        }
        let asked = by_language.into_iter().map(|(language, files)| {
            let root = &root;
            async move {
                let at = root.clone();
                let read = tokio::task::spawn_blocking(move || wanted::rounds(&at, language, files)).await;
                let Rounds { rounds, paths, unchecked } =
                    read.map_err(|error| CodeError::Failed(error.to_string()))?;
                let answer =
                    if paths.is_empty() { Ok(Vec::new()) } else { self.ask(root, language, rounds).await };
                Ok((paths, unchecked, answer))
            }
        });
        for asked in join_all(asked).await {
            let (paths, unchecked, answer) = asked?;
            diagnosed.unchecked.extend(unchecked);
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

impl Diagnostics for LanguageServers {
    fn of(&self, root: PathBuf, paths: Vec<String>) -> Fut<'_, Result<Diagnosed, CodeError>> {
        Box::pin(async move {
            let at = root.clone();
            let expanded = tokio::task::spawn_blocking(move || wanted::expanded(&at, paths)).await;
            let (files, unchecked) = expanded.map_err(|error| CodeError::Failed(error.to_string()))?;
            let mut diagnosed = self.diagnose(root, files).await?.0;
            diagnosed.unchecked.extend(unchecked);
            Ok(diagnosed)
        })
    }

    fn new_errors(
        &self,
        root: PathBuf,
        before: Vec<(String, Option<String>)>,
    ) -> Fut<'_, Result<Diagnosed, CodeError>> {
        let gone = gone::Gone::of(&root, &before);
        let files = before.into_iter().map(|(path, before)| Wanted { path, before: Some(before) }).collect();
        Box::pin(async move {
            let (mut now, mut before) = self.diagnose(root.clone(), files).await?;
            before.retain(|error| !gone.explains(error));
            let missing = missing::Missing::of(&root, &gone.paths, &now.found);
            let new = wanted::added(&before, std::mem::take(&mut now.found));
            (now.missing, now.found) = new.into_iter().partition(|error| missing.explains(error));
            Ok(now)
        })
    }
}
