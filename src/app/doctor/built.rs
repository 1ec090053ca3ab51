//! The file of the plugin that an entry makes the host load: where it is, and whether it is as it was built.
use crate::setup::entry::PACKAGE;
use crate::setup::hosted::Registered;
use crate::setup::places::{self, Kind};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What a file begins with that `plugin-shim/build.mjs` has made; the version and the SHA-256 of the rest follow.
const STAMP: &str = "// opencode-gantry ";

/// The file; none where it is a package that the host has yet to fetch.
pub(super) fn file(kind: Kind, entry: &Registered, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    match &entry.file {
        Some(path) if path.is_dir() => Some(main_of(path, kind)),
        Some(path) => Some(path.clone()),
        None => fetched(&entry.spec(), env).map(|folder| main_of(&folder, kind)),
    }
}

/// Where the host keeps a package.
fn fetched(spec: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let spec = if spec == PACKAGE { format!("{PACKAGE}@latest") } else { spec.to_owned() };
    let folder = places::cache(env)?.join("packages").join(spec).join("node_modules").join(PACKAGE);
    folder.is_dir().then_some(folder)
}

/// As the host takes it from the manifest.
fn main_of(folder: &Path, kind: Kind) -> PathBuf {
    let text = std::fs::read_to_string(folder.join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_str(&text).unwrap_or_default();
    let half = if kind == Kind::Terminal { "./tui" } else { "./server" };
    let main = manifest["exports"][half].as_str().or(manifest["main"].as_str());
    let main = main.unwrap_or("index.js");
    folder.join(main.strip_prefix("./").unwrap_or(main))
}

/// The version of the build, or what is wrong with it as the end of a sentence.
pub(super) fn version(file: &Path) -> Result<String, &'static str> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(_) if file.exists() => return Err("which cannot be read"),
        Err(_) => return Err("which is not there"),
    };
    let strange = "which is no build of Gantry's plugin";
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(strange)?;
    let (head, rest) = bytes.split_at_checked(end + 1).ok_or(strange)?;
    let head = std::str::from_utf8(head).ok().and_then(|head| head.trim_end().strip_prefix(STAMP));
    let (version, digest) = head.and_then(|head| head.split_once(' ')).ok_or(strange)?;
    let found: String = Sha256::digest(rest).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == digest { Ok(version.to_owned()) } else { Err("which is not as it was built") }
}
