//! A package registry on the loopback interface: what npm and the host ask when they install packages.
//!
//! It has the tarballs it is given. Of the other platforms' packages it knows only that they are not for this one, as
//! the real registry would say; everything else is not found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::http::{Bound, Server};
use crate::dist::PLATFORMS;

/// A running registry. Dropping it stops the server.
pub struct Registry {
    url: String,
    shared: Arc<Shared>,
    _server: Server,
}

struct Shared {
    /// By name.
    packages: BTreeMap<String, Value>,
    tarballs: BTreeMap<String, PathBuf>,
    asked: Mutex<Vec<String>>,
}

impl Registry {
    pub fn start(tarballs: &[PathBuf]) -> Result<Self> {
        let bound = Bound::free()?;
        let url = bound.url()?;
        let mut shared =
            Shared { packages: BTreeMap::new(), tarballs: BTreeMap::new(), asked: Mutex::default() };
        for tarball in tarballs {
            shared.add(&url, tarball)?;
        }
        let shared = Arc::new(shared);
        let app = axum::Router::new().fallback(answer).with_state(shared.clone());
        let server = bound.serve("lab-registry", app)?;
        Ok(Self { url, shared, _server: server })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Paths of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn add(&mut self, url: &str, tarball: &Path) -> Result<()> {
        let listed = Command::new("tar").arg("-xOzf").arg(tarball).arg("package/package.json").output()?;
        ensure!(listed.status.success(), "{} has no package.json", tarball.display());
        let mut manifest: Value = serde_json::from_slice(&listed.stdout)?;
        let file = tarball.file_name().context("a file")?.to_string_lossy().into_owned();
        manifest["dist"] = json!({"tarball": format!("{url}/-/{file}")});
        let (name, version) = (manifest["name"].clone(), manifest["version"].clone());
        let (name, version) = (name.as_str().context("a name")?, version.as_str().context("a version")?);
        for other in PLATFORMS.iter().filter(|_| name == "opencode-gantry") {
            self.packages.entry(other.package()).or_insert(foreign(&other.package(), version));
        }
        self.packages.insert(name.to_owned(), packument(name, version, manifest));
        self.tarballs.insert(format!("/-/{file}"), tarball.to_owned());
        Ok(())
    }
}

fn packument(name: &str, version: &str, manifest: Value) -> Value {
    json!({"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}})
}

/// A package for a system that nobody has.
fn foreign(name: &str, version: &str) -> Value {
    let dist = json!({"tarball": "http://127.0.0.1:9/none.tgz"});
    let manifest = json!({"name": name, "version": version, "os": ["aix"], "cpu": ["s390"], "dist": dist});
    packument(name, version, manifest)
}

async fn answer(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(uri.path().to_owned());
    if method != Method::GET {
        // Questions about known faults of packages.
        return axum::Json(json!({})).into_response();
    }
    let name = uri.path().trim_start_matches('/').replace("%2f", "/");
    if let Some(package) = shared.packages.get(&name) {
        return axum::Json(package.clone()).into_response();
    }
    match shared.tarballs.get(uri.path()).map(fs::read) {
        Some(Ok(bytes)) => bytes.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
