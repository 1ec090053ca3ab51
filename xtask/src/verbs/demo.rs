//! `cargo xtask demo`.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::progress::{Mission, Progress};
use super::steps::{build_gantry, build_shim, check, require_tools, workspace};
use crate::lab::demo::{self, BEAT};
use crate::lab::host::{self, HostEnv, HostProcess};
use crate::lab::model::Model;
use crate::lab::sample;

/// Between two looks at the mission.
const LOOK: Duration = Duration::from_millis(250);
/// For the host to end by itself after an interrupt.
const GRACE: Duration = Duration::from_secs(5);
const INTERRUPTED: u8 = 130;

/// Run a whole mission on a sample project: real host, real sidecar, scripted model.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Let this model of your own OpenCode configuration do the work instead of the script.
    #[arg(long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// Use a new folder; without it the next demo replaces this one's project and journal.
    #[arg(long)]
    keep: bool,
}

struct Stage {
    env: HostEnv,
    gantry: PathBuf,
    /// Absent when a real model plays.
    script: Option<Model>,
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode> {
        if let Some(model) = &self.model {
            ensure!(model.contains('/'), "--model takes provider/model; `opencode models` lists yours");
        }
        require_tools()?;
        let stopped = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, stopped.clone())?;
        }
        eprintln!("── building the sidecar and the shim");
        let gantry = build_gantry()?;
        let shim = build_shim()?;
        host::find()?;

        let folder = self.folder()?;
        let (root, project) = (folder.path.join("host"), folder.path.join("project"));
        fs::create_dir_all(&root)?;
        sample::create(&project)?;
        let project = project.canonicalize()?;
        eprintln!("── the sample project: {}", project.display());
        let stage = self.stage(&root, &project, &shim, gantry)?;

        eprintln!("── /task {}", demo::TASK);
        let mut host = stage.env.run_command("task", demo::TASK)?;
        let mut progress = Progress::start();
        while host.try_wait()?.is_none() {
            if stopped.load(Ordering::Relaxed) {
                progress.end();
                return stop(host);
            }
            progress.show(stage.mission()?.as_ref());
            std::thread::sleep(LOOK);
        }
        let finished = host.wait(GRACE)?;
        let mission = stage.mission()?;
        progress.show(mission.as_ref());
        let took = progress.end();

        println!("── report\n{}", finished.stdout.trim());
        show_changes(&project)?;
        println!("── journal\n{}", stage.env.gantry_home().join("gantry.db").display());
        let Some(mission) = mission else {
            bail!("the host ended without a mission; it said:\n{}", finished.stderr.trim());
        };
        println!("── mission {} {} after {:.1} s", mission.id, mission.state, took.as_secs_f64());
        if mission.state == "completed" && finished.code == Some(0) {
            return Ok(ExitCode::SUCCESS);
        }
        stage.explain(&finished.stderr);
        Ok(ExitCode::FAILURE)
    }

    fn stage(&self, root: &Path, project: &Path, shim: &Path, gantry: PathBuf) -> Result<Stage> {
        let (env, script) = match &self.model {
            Some(model) => (HostEnv::of_user(root, project)?.config(json!({"model": model})), None),
            None => {
                let script = Model::start(demo::script(project, BEAT))?;
                (HostEnv::new(root, project)?.model(&script), Some(script))
            }
        };
        Ok(Stage { env: env.plugin(shim, json!({})).gantry(&gantry), gantry, script })
    }

    fn folder(&self) -> Result<Folder> {
        let lab = workspace()?.join("target/lab");
        fs::create_dir_all(&lab)?;
        if self.keep {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
            let path = lab.join(format!("demo-{now}"));
            fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
            return Ok(Folder { path, _lock: None });
        }
        let lock = File::create(lab.join("demo.lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another demo is running; --keep gives this one its own folder")
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the demo's folder"),
        }
        let path = lab.join("demo");
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir(&path)?;
        Ok(Folder { path, _lock: Some(lock) })
    }
}

struct Folder {
    path: PathBuf,
    /// Held until the demo ends.
    _lock: Option<File>,
}

impl Stage {
    /// The newest mission of the project, once there is one.
    fn mission(&self) -> Result<Option<Mission>> {
        if !self.env.gantry_home().join("gantry.db").is_file() {
            return Ok(None);
        }
        let mut command = self.env.command(&self.gantry)?;
        command.args(["missions", "--json", "--directory"]).arg(self.env.project()).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("cannot start {}", self.gantry.display()))?;
        // Fails while the sidecar is still setting the store up; the next look comes soon.
        if !output.status.success() {
            return Ok(None);
        }
        let missions: Vec<Mission> = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("`gantry missions --json` said {}", String::from_utf8_lossy(&output.stdout))
        })?;
        Ok(missions.into_iter().max_by_key(|mission| mission.created_at))
    }

    /// What helps to find out why it did not work.
    fn explain(&self, stderr: &str) {
        eprintln!("the host said:\n{}", stderr.trim());
        for miss in self.script.iter().flat_map(Model::misses) {
            eprintln!("the script missed a turn: {miss}");
        }
    }
}

fn show_changes(project: &Path) -> Result<()> {
    // New files show up in a diff only once git has been told of them.
    sample::git(project, &["add", "--all", "--intent-to-add"])?;
    println!("── changes");
    for args in [["diff", "--stat"].as_slice(), &["diff"]] {
        let mut command = Command::new("git");
        command.arg("--no-pager").args(args).current_dir(project);
        check(command)?;
    }
    Ok(())
}

/// The group dies when `host` is dropped, everything else of ours with the stage.
fn stop(mut host: HostProcess) -> Result<ExitCode> {
    eprintln!("stopping");
    host.interrupt();
    // It may be beyond hearing; then it is killed.
    let _ = host.wait(GRACE);
    Ok(ExitCode::from(INTERRUPTED))
}
