//! The npm packages: one with the plugin and a launcher, and one with the sidecar for each platform.

mod sizes;
mod trial;

pub use sizes::with_size;
pub use trial::starts;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A platform that there is a package for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// As in the package's name.
    pub name: &'static str,
    pub rust: &'static str,
    os: &'static str,
    cpu: &'static str,
    libc: Option<&'static str>,
    /// Version of the C library that zig is asked for.
    pub glibc: Option<&'static str>,
}

const fn linux(name: &'static str, rust: &'static str, cpu: &'static str, libc: &'static str) -> Platform {
    let glibc = if libc.len() == 5 { Some("2.17") } else { None };
    Platform { name, rust, os: "linux", cpu, libc: Some(libc), glibc }
}

const fn mac(name: &'static str, rust: &'static str, cpu: &'static str) -> Platform {
    Platform { name, rust, os: "darwin", cpu, libc: None, glibc: None }
}

pub const PLATFORMS: [Platform; 7] = [
    linux("linux-x64", "x86_64-unknown-linux-gnu", "x64", "glibc"),
    linux("linux-x64-musl", "x86_64-unknown-linux-musl", "x64", "musl"),
    linux("linux-arm64", "aarch64-unknown-linux-gnu", "arm64", "glibc"),
    linux("linux-arm64-musl", "aarch64-unknown-linux-musl", "arm64", "musl"),
    mac("darwin-x64", "x86_64-apple-darwin", "x64"),
    mac("darwin-arm64", "aarch64-apple-darwin", "arm64"),
    Platform {
        name: "win32-x64",
        rust: "x86_64-pc-windows-gnu",
        os: "win32",
        cpu: "x64",
        libc: None,
        glibc: None,
    },
];

impl Platform {
    pub fn named(name: &str) -> Result<Self> {
        let names = || PLATFORMS.map(|p| p.name).join(", ");
        PLATFORMS
            .into_iter()
            .find(|p| p.name == name)
            .with_context(|| format!("no platform {name}; there are {}", names()))
    }

    /// The one this program runs on.
    pub fn here() -> Result<Self> {
        let musl = cfg!(target_env = "musl");
        let name = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") if musl => "linux-x64-musl",
            ("linux", "x86_64") => "linux-x64",
            ("linux", "aarch64") if musl => "linux-arm64-musl",
            ("linux", "aarch64") => "linux-arm64",
            ("macos", "x86_64") => "darwin-x64",
            ("macos", "aarch64") => "darwin-arm64",
            (os, arch) => anyhow::bail!("there is no package for {os} on {arch}"),
        };
        Self::named(name)
    }

    /// Whether its binary runs on this machine; a musl one is linked statically.
    pub fn runs_here(&self) -> bool {
        Self::here().is_ok_and(|here| (here.os, here.cpu) == (self.os, self.cpu))
    }

    /// Name of its binary.
    pub fn program(&self) -> &'static str {
        if self.os == "win32" { "gantry.exe" } else { "gantry" }
    }

    pub fn package(&self) -> String {
        format!("opencode-gantry-{}", self.name)
    }
}

/// The package with the plugin, from the built shim; answers with the tarball.
pub fn pack_plugin(out: &Path) -> Result<PathBuf> {
    let root = root()?;
    let shim = root.join("plugin-shim");
    let folder = fresh(&out.join("opencode-gantry"))?;
    let mut manifest = shim_manifest()?;
    let version = manifest["version"].clone();
    let fields = manifest.as_object_mut().context("plugin-shim/package.json is no object")?;
    // The host runs no scripts of a package, and what is needed for building is built.
    for field in ["scripts", "devDependencies"] {
        fields.remove(field);
    }
    let optional = PLATFORMS.map(|p| (p.package(), version.clone()));
    fields.insert("optionalDependencies".into(), Value::Object(optional.into_iter().collect()));
    fields.insert("files".into(), json!(["dist", "schema"]));
    fs::write(folder.join("package.json"), format!("{manifest:#}\n"))?;
    fs::create_dir_all(folder.join("dist"))?;
    for file in ["index.js", "tui.js", "launcher.js"] {
        let built = shim.join("dist").join(file);
        fs::copy(&built, folder.join("dist").join(file)).with_context(|| {
            format!("{} is not built: npm --prefix plugin-shim run build", built.display())
        })?;
    }
    fs::create_dir_all(folder.join("schema"))?;
    fs::copy(root.join("schemas/config.schema.json"), folder.join("schema/config.schema.json"))?;
    common(root, &folder)?;
    pack(&folder, out)
}

/// The package with the sidecar for one platform; answers with the tarball.
pub fn pack_platform(platform: Platform, binary: &Path, out: &Path) -> Result<PathBuf> {
    let folder = fresh(&out.join(platform.package()))?;
    let mut manifest = json!({
        "name": platform.package(),
        "version": shim_manifest()?["version"],
        "description": format!("The sidecar of opencode-gantry for {}", platform.name),
        "license": "MIT",
        "os": [platform.os],
        "cpu": [platform.cpu],
        "files": ["bin"],
        "preferUnplugged": true,
    });
    if let Some(libc) = platform.libc {
        manifest["libc"] = json!([libc]);
    }
    fs::write(folder.join("package.json"), format!("{manifest:#}\n"))?;
    fs::create_dir_all(folder.join("bin"))?;
    let bin = folder.join("bin").join(platform.program());
    fs::copy(binary, &bin).with_context(|| format!("no binary {}", binary.display()))?;
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o755))?;
    common(root()?, &folder)?;
    pack(&folder, out)
}

/// Version of the C library that a Linux binary needs at least; none when it is linked statically.
pub fn needs_glibc(binary: &Path) -> Result<Option<(u32, u32)>> {
    let bytes = fs::read(binary)?;
    let mark = b"GLIBC_";
    let mut found = None;
    for at in memchr_all(&bytes, mark) {
        let text: String = bytes[at + mark.len()..]
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'.')
            .map(|b| *b as char)
            .collect();
        let mut parts = text.split('.').map_while(|n| n.parse().ok());
        if let (Some(major), Some(minor)) = (parts.next(), parts.next()) {
            found = found.max(Some((major, minor)));
        }
    }
    Ok(found)
}

fn memchr_all<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(mark.len()).enumerate().filter(move |(_, w)| *w == mark).map(|(at, _)| at)
}

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")
}

fn shim_manifest() -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(root()?.join("plugin-shim/package.json"))?)?)
}

fn fresh(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.canonicalize()?)
}

fn common(root: &Path, folder: &Path) -> Result<()> {
    for file in ["README.md", "LICENSE"] {
        fs::copy(root.join(file), folder.join(file))?;
    }
    Ok(())
}

fn pack(folder: &Path, out: &Path) -> Result<PathBuf> {
    let output = Command::new("npm")
        .args(["pack", "--json", "--ignore-scripts", "--pack-destination"])
        .arg(out.canonicalize()?)
        .current_dir(folder)
        .output()
        .context("npm cannot be started")?;
    ensure!(output.status.success(), "npm pack failed: {}", String::from_utf8_lossy(&output.stderr));
    let packed: Value = serde_json::from_slice(&output.stdout)?;
    let name = packed[0]["filename"].as_str().context("npm pack names no file")?;
    Ok(out.canonicalize()?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_plugin_looks_for() {
        assert_eq!(
            Platform::named("linux-x64").map(|p| p.package()).ok().as_deref(),
            Some("opencode-gantry-linux-x64")
        );
        let error = Platform::named("beos").expect_err("unknown").to_string();
        assert!(error.contains("linux-x64, linux-x64-musl"), "{error}");
        let names = PLATFORMS.map(|p| p.name);
        let programs = PLATFORMS.map(|p| (p.os == "win32", p.program()));
        assert!(programs.contains(&(true, "gantry.exe")) && programs.contains(&(false, "gantry")));
        assert!(names.iter().all(|n| names.iter().filter(|m| m == &n).count() == 1));
    }

    #[test]
    fn this_very_binary_needs_some_c_library() {
        let needs = needs_glibc(&std::env::current_exe().expect("a path")).expect("readable");
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            assert!(needs > Some((2, 2)), "{needs:?}");
        }
    }
}
