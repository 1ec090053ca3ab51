//! What the plugin adds to the host that loads it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Built;
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};
use crate::lab::host::{self, HostEnv};
use crate::lab::model::{Model, Role, Rule, Script};
use crate::lab::sample;

const IMPORTS: usize = 20;
/// Whole starts scatter by more than what is looked for, however many; what one spends inside the plugin does not.
const STARTS: usize = 10;
const INSIDES: usize = 10;
const START: Duration = Duration::from_secs(60);
/// Imports the file it is given, and prints what that took (ms) and how much memory is resident then (bytes).
const IMPORT: &str = "const from = performance.now(); await import(process.argv.at(-1)); \
                      console.log(JSON.stringify([performance.now() - from, process.memoryUsage().rss]))";

/// Calls the hooks that the host calls for everything, with what concerns no mission, and prints microseconds a call.
const HOOKS: &str = "const { default: plugin } = await import(process.argv.at(-1)); \
    const hooks = await plugin.server({ client: {}, directory: '/nowhere', worktree: '/nowhere' }); \
    const part = { type: 'tool', callID: 'c', sessionID: 's', state: { status: 'running' } }; \
    const calls = [() => hooks.event({ event: { type: 'message.part.updated', properties: { sessionID: 's', part } } }), \
        () => hooks['tool.execute.before']({ tool: 'write', sessionID: 's', callID: 'c' }, { args: { filePath: 'x' } })]; \
    const times = calls.map((call) => Array.from({ length: 100 }, () => { \
        const from = performance.now(); for (let n = 0; n < 1000; n++) call(); return performance.now() - from })); \
    console.log(JSON.stringify(times)); process.exit(0)";

/// A plugin around ours. When the host ends it writes down what ours took of it, in milliseconds: the import, and the rest.
const INSIDE: &str = "import { appendFileSync } from 'node:fs'; \
    const from = performance.now(); const { default: plugin } = await import(SHIM); \
    const took = [performance.now() - from, 0]; \
    const timed = (call) => (...args) => { const from = performance.now(); \
        try { return call(...args) } finally { took[1] += performance.now() - from } }; \
    process.on('exit', () => appendFileSync(TOOK, JSON.stringify(took) + '\\n')); \
    export default { id: 'inside', server: async (input, options) => { \
        const hooks = await timed(plugin.server)(input, options); \
        for (const [name, hook] of Object.entries(hooks)) if (typeof hook === 'function') hooks[name] = timed(hook); \
        return hooks } }";

/// Import time and size, in Node.js and in the Bun that the host is built on.
pub(super) fn shim(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        anyhow::Ok(path)
    };
    let bundle = std::fs::read_to_string(&built.shim)?;
    let script = file("import.mjs", IMPORT)?;
    let empty = file("empty.mjs", "export default {}\n")?;
    let builtins = file("builtins.mjs", &builtins(&bundle))?;
    let bun = host::find()?;

    let hooks = file("hooks.mjs", HOOKS)?;
    let size = Samples::new(vec![bundle.len() as f64 / 1e3]);
    let mut table = Table::default().row(Row::new("shim: size of the bundle", "KB", size));
    for (name, program) in [("Node.js", Path::new("node")), ("the host's Bun", bun.as_path())] {
        let import = |module: &Path| import(program, &script, module, folder.path());
        let (mut time, mut memory, mut own_time, mut own_memory) = (vec![], vec![], vec![], vec![]);
        import(&built.shim)?;
        for _ in 0..IMPORTS {
            let (nothing, modules, shim) = (import(&empty)?, import(&builtins)?, import(&built.shim)?);
            time.push(shim.0 - nothing.0);
            memory.push((shim.1 - nothing.1) / 1e6);
            own_time.push(shim.0 - modules.0);
            own_memory.push((shim.1 - modules.1) / 1e6);
        }
        let row = |what: &str, unit, values| Row::new(what.replace("NAME", name), unit, Samples::new(values));
        table = table
            .row(row("import in NAME", "ms", time).below(Stat::P50, 10.0))
            .row(row("… beyond the built-in modules it uses", "ms", own_time))
            .row(row("memory after the import in NAME", "MB", memory).below(Stat::P50, 3.0))
            .row(row("… beyond the built-in modules it uses", "MB", own_memory));
        let [event, call] = foreign(program, &hooks, &built.shim, folder.path())?;
        table = table
            .row(row("event of a foreign session, in NAME", "µs", event).below(Stat::P99, 50.0))
            .row(row("tool call of a foreign session, in NAME", "µs", call).below(Stat::P99, 50.0));
    }
    Ok(table.remark(
        "Imports are taken in turns with that of an empty module, which is subtracted. The second of each pair of rows \
         subtracts a module that imports the same built-in modules and does nothing: a host that uses them itself has \
         paid for those already.",
    ))
}

/// A module that imports what the bundle imports of the runtime, and nothing else.
fn builtins(bundle: &str) -> String {
    let names = bundle.lines().filter(|line| line.starts_with("import "));
    let names = names.filter_map(|line| line.split_once(" from ")).map(|(_, name)| name);
    let names: BTreeSet<_> = names.filter(|name| name.starts_with("\"node:")).collect();
    names.iter().map(|name| format!("import {name}\n")).collect()
}

fn import(program: &Path, script: &Path, module: &Path, home: &Path) -> Result<(f64, f64)> {
    printed(program, script, module, home)
}

/// Microseconds of the two hooks, in rounds of a thousand calls.
fn foreign(program: &Path, script: &Path, module: &Path, home: &Path) -> Result<[Vec<f64>; 2]> {
    printed(program, script, module, home)
}

fn printed<T: DeserializeOwned>(program: &Path, script: &Path, module: &Path, home: &Path) -> Result<T> {
    let mut command = Command::new(program);
    // The host's binary runs a script like Bun itself when it is told to.
    command.env("BUN_BE_BUN", "1").env("HOME", home).arg(script).arg(module).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} could not run {}: {stderr}", program.display(), module.display());
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} printed {}", program.display(), String::from_utf8_lossy(&output.stdout)))
}

/// `opencode run` with an answer of one line, with and without the plugin, in turns.
pub(super) fn host(built: &Built) -> Result<Table> {
    let script = Script::new().rule(Rule::new(Role::Other).contains("say hello").say("Hello."));
    let model = Model::start(script)?;
    let folder = scratch::folder()?;
    let project = folder.path().join("project");
    sample::create(&project)?;
    let env = |name: &str| {
        let root = folder.path().join(name);
        std::fs::create_dir(&root)?;
        anyhow::Ok(HostEnv::new(&root, &project)?.model(&model))
    };
    let without = env("without")?;
    let with = env("with")?.plugin(&built.shim, json!({})).gantry(&built.gantry);

    // The first start of an environment makes its database.
    for env in [&without, &with] {
        run(env)?;
    }
    let mut runs = Vec::new();
    for number in 0..STARTS {
        // Who goes first may pay for what the machine does beside.
        runs.push(if number % 2 == 0 {
            let bare = run(&without)?;
            (bare, run(&with)?)
        } else {
            let full = run(&with)?;
            (run(&without)?, full)
        });
    }
    let inside = inside(built, folder.path(), env("inside")?)?;
    ensure!(model.misses().is_empty(), "the script missed a turn: {:?}", model.misses());
    let added = |of: fn(&Run) -> Duration| {
        Samples::new(
            runs.iter().map(|(bare, full)| (of(full).as_secs_f64() - of(bare).as_secs_f64()) * 1e3).collect(),
        )
    };
    let wall = |pick: fn(&(Run, Run)) -> Duration| Samples::millis(runs.iter().map(pick));
    let mut table = Table::default()
        .row(Row::new(
            "`opencode run` of a one-line answer, without the plugin",
            "ms",
            wall(|(bare, _)| bare.wall),
        ))
        .row(Row::new("… with the plugin", "ms", wall(|(_, full)| full.wall)))
        .row(
            Row::new("… added by the plugin, pair by pair", "ms", added(|run| run.wall))
                .below(Stat::P50, 20.0),
        );
    let [import, rest] = [0, 1].map(|part| Samples::new(inside.iter().map(|took| took[part]).collect()));
    table = table
        .row(Row::new("… inside the plugin: its import", "ms", import).below(Stat::P50, 10.0))
        .row(Row::new("… inside the plugin: all its hooks, to the host's end", "ms", rest));
    if cpu_of_children().is_some() {
        table = table
            .row(Row::new("… processor time added by the plugin, pair by pair", "ms", added(|run| run.cpu)))
            .remark("Processor time of the host has steps of 10 ms; on a busy machine it says more than wall time.");
    }
    Ok(table)
}

/// What a start of the host spends in the plugin. Taken inside one process, so it does not scatter as whole starts do.
fn inside(built: &Built, folder: &Path, env: HostEnv) -> Result<Vec<[f64; 2]>> {
    let took = folder.join("took");
    let quoted = |text: String| serde_json::to_string(&text);
    let shim = quoted(format!("file://{}", built.shim.display()))?;
    let plugin = INSIDE.replace("SHIM", &shim).replace("TOOK", &quoted(took.display().to_string())?);
    let file = folder.join("inside.mjs");
    std::fs::write(&file, plugin)?;
    let env = env.plugin(&file, json!({})).gantry(&built.gantry);
    for _ in 0..INSIDES {
        run(&env)?;
    }
    let lines = std::fs::read_to_string(&took)?;
    lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

struct Run {
    wall: Duration,
    /// Zero where the system does not tell.
    cpu: Duration,
}

fn run(env: &HostEnv) -> Result<Run> {
    let (started, before) = (Instant::now(), cpu_of_children());
    let finished = env.run(&["say hello"])?.wait(START)?;
    let wall = started.elapsed();
    ensure!(finished.code == Some(0) && finished.stdout.contains("Hello."), "the host said {finished:?}");
    let cpu = cpu_of_children().unwrap_or_default().saturating_sub(before.unwrap_or_default());
    Ok(Run { wall, cpu })
}

/// Processor time of all processes that we started and that have ended; nothing where the system does not tell.
fn cpu_of_children() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name, may have blanks in it. The fields are numbered from 1 in proc(5).
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> = rest.split_whitespace().skip(16 - 3).take(2).flat_map(str::parse).collect();
    let [user, system] = ticks[..] else { return None };
    // A tick is 10 ms on every Linux, whatever the kernel's own clock is.
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_modules_of_a_bundle_are_found_once_each() {
        let bundle = "// src\nimport { a } from \"node:fs\";\nimport { b } from \"node:fs\";\n\
                      import * as c from \"node:os\";\nconst text = 'import x from \"node:net\"';\n";
        assert_eq!(builtins(bundle), "import \"node:fs\";\nimport \"node:os\";\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processor_time_of_ended_children_is_counted() {
        let before = cpu_of_children().unwrap();
        let busy = "let i = 0; const end = Date.now() + 200; while (Date.now() < end) i++";
        assert!(Command::new("node").args(["--eval", busy]).status().unwrap().success());
        let spent = cpu_of_children().unwrap() - before;
        assert!(spent >= Duration::from_millis(20), "{spent:?}");
    }
}
