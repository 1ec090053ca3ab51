//! `cargo xtask dist`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::steps::{build_shim, cargo, check, require_tools, workspace};
use crate::dist::{self, PLATFORMS, Platform};

/// Oldest C library that the Linux packages run with.
const OLDEST_GLIBC: (u32, u32) = (2, 17);
/// Largest package, in bytes as npm fetches it.
const MAX_PACKAGE: u64 = 10 << 20;

/// Build the npm packages: the plugin, and the sidecar for a platform.
#[derive(Debug, Args)]
pub(super) struct Dist {
    /// Platforms to build for; this one when none is named
    #[arg(long = "platform", value_name = "NAME")]
    platforms: Vec<String>,
    /// Where the packages go
    #[arg(long, default_value = "target/dist")]
    out: PathBuf,
    /// Start what was built in this root as well: a folder with the files of another system. Needs root's rights
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Write the sizes into docs/packages.md
    #[arg(long)]
    record: bool,
}

impl Dist {
    pub(super) fn run(self) -> Result<ExitCode> {
        require_tools()?;
        let platforms = match self.platforms.as_slice() {
            [] => vec![Platform::here()?],
            names => names.iter().map(|name| Platform::named(name)).collect::<Result<_>>()?,
        };
        build_shim()?;
        fs::create_dir_all(&self.out)?;
        let plugin = dist::pack_plugin(&self.out)?;
        let mut made = vec![(size(&plugin)?, "opencode-gantry".to_owned(), "the plugin".to_owned())];
        for platform in &platforms {
            let binary = build(*platform)?;
            let tried = self.tried(*platform, &binary)?;
            let tarball = dist::pack_platform(*platform, &binary, &self.out)?;
            made.push((size(&tarball)?, platform.package(), tried));
        }
        if self.record {
            record(&made)?;
        }
        for (size, package, tried) in made {
            eprintln!("{size:>9} bytes  {package}: {tried}");
        }
        for platform in PLATFORMS.iter().filter(|platform| !platforms.contains(platform)) {
            eprintln!("        –        {}: not built", platform.package());
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Starts what can be started here, and says what was done.
    fn tried(&self, platform: Platform, binary: &Path) -> Result<String> {
        if !platform.runs_here() {
            return Ok("built, and not run: it is for another machine".into());
        }
        let mut tried = format!("{} answers here", dist::starts(binary, None)?);
        if let Some(root) = &self.root {
            dist::starts(binary, Some(root)).with_context(|| format!("in the root {}", root.display()))?;
            tried += &format!(" and in {}", root.display());
        }
        Ok(tried)
    }
}

fn record(made: &[(u64, String, String)]) -> Result<()> {
    let file = workspace()?.join("docs/packages.md");
    let mut text = fs::read_to_string(&file)?;
    for (size, package, _) in made {
        text = dist::with_size(&text, package, *size)
            .with_context(|| format!("{} has no row for {package}", file.display()))?;
    }
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn size(tarball: &Path) -> Result<u64> {
    let size = fs::metadata(tarball)?.len();
    ensure!(size <= MAX_PACKAGE, "{} has {size} bytes; at most {MAX_PACKAGE}", tarball.display());
    Ok(size)
}

/// With zig as the linker, which brings every C library along; else for this machine alone.
fn build(platform: Platform) -> Result<PathBuf> {
    let zig = cargo(&["zigbuild", "--help"])?.output().is_ok_and(|output| output.status.success());
    if !zig && platform != Platform::here()? {
        bail!(
            "building for {} needs cargo-zigbuild and zig: pip install cargo-zigbuild ziglang",
            platform.name
        );
    }
    let target = match platform.glibc.filter(|_| zig) {
        Some(glibc) => format!("{}.{glibc}", platform.rust),
        None => platform.rust.to_owned(),
    };
    let verb = if zig { "zigbuild" } else { "build" };
    let mut command = cargo(&[verb, "--release", "--locked", "--bin", "gantry", "--target", &target])?;
    if !rustlib()?.join(platform.rust).join("lib").is_dir() {
        from_source(platform, &mut command)?;
    }
    check(command)?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or(workspace()?.join("target"), PathBuf::from);
    let binary = folder.join(platform.rust).join("release").join(platform.program());
    let needs = dist::needs_glibc(&binary)?;
    if needs > Some(OLDEST_GLIBC) {
        ensure!(!zig, "{} needs glibc {needs:?}; at most {OLDEST_GLIBC:?}", binary.display());
        eprintln!(
            "warning: this binary needs glibc {needs:?}; with cargo-zigbuild it would run from 2.17 on"
        );
    }
    Ok(binary)
}

/// Where Rust keeps its standard libraries, a folder for each platform, and their source.
fn rustlib() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("cannot start rustc")?;
    let root = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    Ok(root.join("lib/rustlib"))
}

/// Where rustup cannot fetch the standard library of a platform, its source does as well. It takes an unstable option,
/// which a stable compiler allows in this way.
fn from_source(platform: Platform, command: &mut Command) -> Result<()> {
    let source = rustlib()?.join("src/rust/library/Cargo.lock");
    ensure!(
        source.is_file(),
        "Rust has no standard library for {name}: rustup target add {name} (or: rustup component add rust-src)",
        name = platform.rust
    );
    command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
    if platform.rust.ends_with("musl") {
        // rustup's package has the start files of musl beside the library; zig brings its own.
        command.env("RUSTFLAGS", "-C link-self-contained=no");
    }
    Ok(())
}
