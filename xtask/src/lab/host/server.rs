//! The host as an HTTP server, and the few calls of it that tests make.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::events::Events;
use super::process::HostProcess;

/// A cold start boots the host and migrates a new database.
const START: Duration = Duration::from_secs(60);
/// A call may boot an instance for its directory first, or wait for a whole turn, be it one with a mission in it.
const CALL: Duration = Duration::from_secs(180);

/// A listening `opencode serve`.
pub struct Server {
    pub process: HostProcess,
    project: Client,
}

/// Calls to a server in one of the directories that it serves.
#[derive(Clone)]
pub struct Client {
    url: String,
    directory: PathBuf,
    agent: ureq::Agent,
}

impl Server {
    pub(super) fn new(mut process: HostProcess, directory: PathBuf) -> Result<Self> {
        let deadline = Instant::now() + START;
        let url = loop {
            if let Some(url) = listening(&process.stdout()) {
                break url;
            }
            if let Some(status) = process.try_wait()? {
                bail!("the host ended at its start ({status}): {}{}", process.stdout(), process.stderr());
            }
            if Instant::now() >= deadline {
                bail!("the host did not listen within {START:?}: {}{}", process.stdout(), process.stderr());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let config = ureq::Agent::config_builder().timeout_global(Some(CALL)).http_status_as_error(false);
        Ok(Self { process, project: Client { url, directory, agent: config.build().into() } })
    }

    /// Calls in the project's directory.
    pub fn client(&self) -> &Client {
        &self.project
    }

    /// Calls in another directory, which the host opens at the first of them.
    pub fn client_in(&self, directory: &Path) -> Client {
        Client { directory: directory.to_owned(), ..self.project.clone() }
    }

    /// GET in the project's directory.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.project.get(path)
    }

    /// POST in the project's directory.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.project.post(path, body)
    }
}

impl Client {
    /// The answer's JSON, or null when it has no body.
    pub fn get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url)).query("directory", self.directory());
        answer(path, request.call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url)).query("directory", self.directory());
        answer(path, request.send_json(body))
    }

    pub fn delete(&self, path: &str) -> Result<Value> {
        let request = self.agent.delete(format!("{}{path}", self.url)).query("directory", self.directory());
        answer(path, request.call())
    }

    /// The directory's event stream, read from now on.
    pub fn events(&self) -> Result<Events> {
        // Of the agent for calls, every call has an end.
        let request = ureq::get(format!("{}/event", self.url)).query("directory", self.directory());
        let response = request.call().context("the host did not answer /event")?;
        Ok(Events::read(response.into_body().into_reader()))
    }

    fn directory(&self) -> String {
        self.directory.display().to_string()
    }
}

/// The host prints one line with its address.
fn listening(stdout: &str) -> Option<String> {
    let line = stdout.lines().find(|line| line.contains("listening on http://"))?;
    Some(line[line.find("http://")?..].trim().to_owned())
}

fn answer(path: &str, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value> {
    let mut response = response.with_context(|| format!("the host did not answer {path}"))?;
    let status = response.status();
    let text = response.body_mut().read_to_string()?;
    if !status.is_success() {
        bail!("the host answered {status} to {path}: {text}");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("the host's answer to {path} is not JSON: {text}"))
}

#[cfg(test)]
mod tests {
    use super::listening;

    #[test]
    fn address_is_read_from_the_line_that_announces_it() {
        let stdout = "Warning: unsecured.\nopencode server listening on http://127.0.0.1:4096\n";
        assert_eq!(listening(stdout).as_deref(), Some("http://127.0.0.1:4096"));
        assert_eq!(listening("opencode server starts"), None);
    }
}
