//! Servers that publish by themselves, such as gopls.
//!
//! Silence proves nothing: on a busy machine a server is silent because it is still at work. What proves something is a
//! publication of a version that was sent after all else. Some servers do not repeat themselves when a new version has the
//! errors of the one before. So a file that nothing was heard of is shown with one error more (the probe), and without it again:
//! both have to be spoken of.
use super::client::{Published, Silence};
use super::known::Language;
use super::session::Session;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// After its last word, for what a server adds to its first publication. Errors of types are in the first.
const QUIET: Duration = Duration::from_millis(400);
/// Without a word and without announced work: it will not say anything.
const MUTE: Duration = Duration::from_secs(20);

/// What a server that is waited for is doing.
pub(super) enum Sign {
    Done,
    AtWork,
    Silent,
}

impl Session {
    /// Until the server has said of each of these texts what it knows. `last` is what it was shown last, all of it after `turn`.
    pub(super) async fn listen(
        &mut self,
        asked: &[(&str, &str)],
        last: Option<&str>,
        turn: u64,
    ) -> Result<(), Silence> {
        if let Some(path) = last {
            let spoken = |session: &Self| session.news(path, turn, None).is_some();
            self.wait("", |silent| if spoken(self) || silent >= QUIET { Sign::Done } else { Sign::Silent })
                .await?;
            if spoken(self) {
                self.heard(path);
            }
        }
        let unheard: Vec<_> =
            asked.iter().filter(|(path, _)| self.open[*path].heard_at != Some(self.told)).copied().collect();
        if last.is_none() && unheard.is_empty() {
            return Ok(());
        }
        self.probe(&unheard).await?;
        self.wait("", |silent| if silent >= QUIET { Sign::Done } else { Sign::Silent }).await?;
        for (path, _) in asked {
            self.heard(path);
        }
        Ok(())
    }

    fn heard(&mut self, path: &str) {
        let told = self.told;
        self.open.entry(path.to_owned()).and_modify(|document| document.heard_at = Some(told));
    }

    async fn probe(&mut self, files: &[(&str, &str)]) -> Result<(), Silence> {
        if files.is_empty() {
            return Ok(());
        }
        self.probes += 1;
        let word = format!("gantryAsks{}", self.probes);
        let turn = self.client.heard.turn();
        for (path, text) in files {
            let text = self.with_probe(path, text, &word);
            self.change(path, &text).await?;
        }
        let fault = "it said nothing of the files it was shown";
        self.wait_for_all(fault, files, |session, path| session.news(path, turn, Some(&word)).is_some())
            .await?;
        let turn = self.client.heard.turn();
        let (mut shown, mut versions) = (Vec::new(), BTreeSet::new());
        for (path, text) in files {
            let published = self.client.heard.published(&self.uri(path)).unwrap_or_default();
            if published.version.is_some() {
                versions.insert(*path);
            }
            // Where another error hides the probe, what was said is what is known of the text itself.
            if names(&published, &word) || beyond(&published, text) {
                shown.push((*path, *text));
            }
            self.change(path, text).await?;
        }
        self.wait_for_all(fault, &shown, |session, path| {
            let gives_versions = versions.contains(path);
            session.news(path, turn, None).is_some()
                || !gives_versions && session.is_rid_of(path, turn, &word)
        })
        .await
    }

    /// An error that no compiler overlooks.
    fn with_probe(&self, path: &str, text: &str, word: &str) -> String {
        let known = self.client.heard.published(&self.uri(path)).unwrap_or_default();
        // Of errors of syntax gopls tells the first one only: there the probe is all of the file.
        if self.language == Language::Go
            && known.items.iter().any(|item| item["source"] == "syntax")
            && let Some(package) = self.language.without_content(text)
        {
            return format!("{package}\n{word}\n");
        }
        format!("{text}\n{word}\n")
    }

    /// What was published of the newest version of an open file after `turn`. Without a version it may be of the file on disk,
    /// which gopls speaks of while it loads a project: then only the `word` in it tells.
    fn news(&self, path: &str, turn: u64, word: Option<&str>) -> Option<Published> {
        let version = self.open.get(path)?.version;
        let published = self.client.heard.published(&self.uri(path))?;
        let is_of_it = match published.version {
            Some(said) => said >= version,
            None => word.is_some_and(|word| names(&published, word)),
        };
        (published.turn > turn && is_of_it).then_some(published)
    }

    fn is_rid_of(&self, path: &str, turn: u64, word: &str) -> bool {
        let published = self.client.heard.published(&self.uri(path));
        published.is_some_and(|published| published.turn > turn && !names(&published, word))
    }

    async fn wait_for_all(
        &self,
        fault: &str,
        files: &[(&str, &str)],
        is_said: impl Fn(&Self, &str) -> bool,
    ) -> Result<(), Silence> {
        self.wait(fault, |_| {
            if files.iter().all(|(path, _)| is_said(self, path)) { Sign::Done } else { Sign::Silent }
        })
        .await
    }

    /// Until `look`, which is told how long the server has been silent, says that it is done. A server that is silent for
    /// too long has `fault`. Publications and announced work are no silence.
    pub(super) async fn wait(
        &self,
        fault: &str,
        mut look: impl FnMut(Duration) -> Sign,
    ) -> Result<(), Silence> {
        let heard = &self.client.heard;
        let (mut silent_since, mut turn) = (Instant::now(), heard.turn());
        loop {
            let before = std::mem::replace(&mut turn, heard.turn());
            if turn != before || heard.is_working() {
                silent_since = Instant::now();
            }
            match look(silent_since.elapsed()) {
                Sign::Done => return Ok(()),
                Sign::AtWork => silent_since = Instant::now(),
                Sign::Silent if silent_since.elapsed() >= MUTE => return Err(Silence::of(fault)),
                Sign::Silent => {}
            }
            tokio::select! {
                () = heard.something.notified() => {}
                () = self.client.gone() => return Err(Silence::Gone),
                () = tokio::time::sleep(QUIET / 4) => {}
            }
        }
    }
}

fn names(published: &Published, word: &str) -> bool {
    published.items.iter().any(|item| item["message"].as_str().is_some_and(|text| text.contains(word)))
}

/// An error after the end of the text.
fn beyond(published: &Published, text: &str) -> bool {
    let lines = text.split('\n').count() as u64;
    published.items.iter().any(|item: &Value| item["range"]["start"]["line"].as_u64() >= Some(lines))
}
