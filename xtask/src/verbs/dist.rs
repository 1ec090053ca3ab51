//! `cargo xtask dist`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;

use super::steps::{build_shim, cargo, check, require_tools, workspace};
use crate::dist::{self, Platform};

/// Oldest C library that the Linux packages run with.
const OLDEST_GLIBC: (u32, u32) = (2, 17);
/// Largest binary of a package, in bytes.
const MAX_BINARY: u64 = 10 << 20;

/// Build the npm packages: the plugin, and the sidecar for a platform.
#[derive(Debug, Args)]
pub(super) struct Dist {
    /// Platforms to build for; this one when none is named
    #[arg(long = "platform", value_name = "NAME")]
    platforms: Vec<String>,
    /// Where the packages go
    #[arg(long, default_value = "target/dist")]
    out: PathBuf,
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
        let mut made = vec![dist::pack_plugin(&self.out)?];
        for platform in platforms {
            let binary = build(platform)?;
            let size = fs::metadata(&binary)?.len();
            ensure!(size <= MAX_BINARY, "{} has {size} bytes; at most {MAX_BINARY}", binary.display());
            made.push(dist::pack_platform(platform, &binary, &self.out)?);
        }
        for tarball in made {
            eprintln!("{:>9} bytes  {}", fs::metadata(&tarball)?.len(), tarball.display());
        }
        Ok(ExitCode::SUCCESS)
    }
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
    check(cargo(&[verb, "--release", "--locked", "--bin", "gantry", "--target", &target])?)?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or(workspace()?.join("target"), PathBuf::from);
    let binary = folder.join(platform.rust).join("release/gantry");
    let needs = dist::needs_glibc(&binary)?;
    if needs > Some(OLDEST_GLIBC) {
        eprintln!(
            "warning: this binary needs glibc {needs:?}; with cargo-zigbuild it would run from 2.17 on"
        );
    }
    Ok(binary)
}
