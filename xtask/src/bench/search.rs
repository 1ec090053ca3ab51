//! The code tools of a warm sidecar, over its pipes, against the programs they are measured by, in turns.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise};
use serde_json::{Value, json};

use super::Built;
use super::host::Host;
use super::scratch;
use super::start::resident;
use super::stats::Samples;
use super::table::{Row, Stat, Table};
use crate::lab::tools::{Tools, corpus};

const PAIRS: usize = 21;
const COLD_PAIRS: usize = 5;
const CODE_PAIRS: usize = 5;
/// Calls between two looks at the memory.
const MANY: usize = 10_000;
const FIRST: usize = 20;

struct Bench {
    host: Host,
    root: PathBuf,
    tools: Tools,
}

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let root = corpus()?;
    let host = Host::open(&built.gantry, &folder.path().join("home"), &root)?;
    let mut bench = Bench { host, root, tools: Tools::find()? };
    let mut table = Table::default();
    table = bench.texts(table)?;
    table = bench.files(table)?;
    table = bench.codes(table)?;
    table = bench.memory(table)?;
    bench.host.sidecar.end()?;
    table = first_call(table, built, folder.path())?;
    table = through_the_shim(table, built, folder.path())?;
    Ok(table.remark(
        "Searches are those of the tool, over the sidecar's pipes, on the packages of `xtask/src/lab/tools.rs` (more than 20,000 \
         files), in turns with the program they are compared with, started anew each time as a tool call would; the ratio is taken \
         pair by pair. The pages of files that were evicted before a cold search are read from the disk again; names of files \
         stay cached.",
    ))
}

/// What is searched for, and what ripgrep is called with for the same.
fn texts() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let eight = [
        "alphaOne",
        "betaTwo",
        "gammaThree",
        "deltaFour",
        "epsilonFive",
        "zetaSix",
        "etaSeven",
        "invariantViolation",
    ];
    let each = eight.iter().flat_map(|word| ["-e", word]).collect();
    vec![
        ("no match", json!({"patterns": ["zzqqxxnotthere"]}), vec!["zzqqxxnotthere"]),
        (
            "a rare literal",
            json!({"patterns": ["createSourceFile("], "literal": true}),
            vec!["-F", "createSourceFile("],
        ),
        (
            "a regular expression",
            json!({"patterns": [r"get[A-Z]\w+Symbol\(|fn_\d{3}"]}),
            vec![r"get[A-Z]\w+Symbol\(|fn_\d{3}"],
        ),
        (
            "any case",
            json!({"patterns": ["invariantviolation"], "case": "insensitive"}),
            vec!["-i", "invariantviolation"],
        ),
        ("eight patterns", json!({"patterns": eight}), each),
    ]
}

impl Bench {
    fn tool(&mut self, tool: &str, args: Value) -> Result<(Value, Duration)> {
        call(&mut self.host, tool, args)
    }

    fn run(&self, program: &Path, args: &[&str]) -> Result<Duration> {
        let started = Instant::now();
        let output = Command::new(program).args(args).current_dir(&self.root).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start {}", program.display()))?;
        let took = started.elapsed();
        ensure!(output.status.code().is_some_and(|code| code < 2), "{args:?}: {output:?}");
        Ok(took)
    }

    /// Ratios of the pairs, and what the tool took by itself.
    fn pairs(
        &mut self,
        count: usize,
        tool: &str,
        args: &Value,
        program: &Path,
        against: &[&str],
        cold: bool,
    ) -> Result<(Samples, Samples)> {
        let (mut ratios, mut own) = (Vec::new(), Vec::new());
        for number in 0..count {
            let mut ours = Duration::ZERO;
            let mut theirs = Duration::ZERO;
            // Who goes first may pay for what the machine does beside.
            for turn in [number % 2, 1 - number % 2] {
                if cold {
                    evict(&self.root)?;
                }
                if turn == 0 {
                    ours = self.tool(tool, args.clone())?.1;
                } else {
                    theirs = self.run(program, against)?;
                }
            }
            ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
            own.push(ours);
        }
        Ok((Samples::new(ratios), Samples::millis(own)))
    }

    fn texts(&mut self, mut table: Table) -> Result<Table> {
        let rg = self.tools.ripgrep()?;
        for (what, args, against) in texts() {
            let against = [["--no-config", "-n"].as_slice(), &against, &["."]].concat();
            let (ratio, own) = self.pairs(PAIRS, "search_text", &args, &rg, &against, false)?;
            table = table
                .row(Row::new(format!("`search_text`, {what}, ÷ ripgrep"), "×", ratio).below(Stat::P50, 1.1))
                .row(Row::new("… by itself", "ms", own));
        }
        let cold = json!({"patterns": ["zzqqxxnotthere"]});
        let (ratio, own) = self.pairs(
            COLD_PAIRS,
            "search_text",
            &cold,
            &rg,
            &["--no-config", "-n", "-e", "zzqqxxnotthere", "."],
            true,
        )?;
        table = table
            .row(
                Row::new("`search_text`, no match, files evicted from memory, ÷ ripgrep", "×", ratio)
                    .below(Stat::P50, 1.1),
            )
            .row(Row::new("… by itself", "ms", own));
        let mut early = Vec::new();
        for _ in 0..PAIRS {
            let (answer, took) = self.tool("search_text", json!({"patterns": ["return"], "limit": 50}))?;
            ensure!(answer["metadata"]["exact"] == false, "not stopped early: {}", answer["metadata"]);
            early.push(took);
        }
        Ok(table.row(
            Row::new(
                "`search_text`, a common word, first 50 hits (early stop)",
                "ms",
                Samples::millis(early),
            )
            .below(Stat::P50, 5.0),
        ))
    }

    fn files(&mut self, mut table: Table) -> Result<Table> {
        let rg = self.tools.ripgrep()?;
        for (what, glob) in
            [("all", None), ("`*.d.ts`", Some("*.d.ts")), ("a rare name", Some("**/ReactDebug*"))]
        {
            let mut against = vec!["--no-config", "--files"];
            against.extend(glob.iter().flat_map(|glob| ["-g", glob]));
            let args = json!({"globs": glob.into_iter().collect::<Vec<_>>()});
            let (ratio, own) = self.pairs(PAIRS, "search_files", &args, &rg, &against, false)?;
            table = table
                .row(
                    Row::new(format!("`search_files`, {what}, newest first, ÷ `rg --files`"), "×", ratio)
                        .below(Stat::P50, 1.0),
                )
                .row(Row::new("… by itself", "ms", own));
        }
        let fd =
            ["fd", "fdfind"].into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        let Some(fd) = fd else {
            return Ok(table.remark("fd is not on this machine, so `search_files` was not compared with it."));
        };
        let args = json!({"globs": ["*.d.ts"]});
        let (ratio, _) = self.pairs(
            PAIRS,
            "search_files",
            &args,
            Path::new(fd),
            &["--type", "f", "--glob", "*.d.ts"],
            false,
        )?;
        Ok(table
            .row(Row::new("`search_files`, `*.d.ts`, newest first, ÷ fd", "×", ratio).below(Stat::P50, 1.0)))
    }

    fn codes(&mut self, mut table: Table) -> Result<Table> {
        let ast_grep = self.tools.ast_grep()?;
        for (language, pattern) in
            [("javascript", "console.warn($$$A)"), ("typescript", "function $F($$$A): boolean { $$$B }")]
        {
            let args = json!({"language": language, "pattern": pattern});
            let against = ["run", "-l", language, "-p", pattern, "--json=stream"];
            let (ratio, own) = self.pairs(CODE_PAIRS, "search_code", &args, &ast_grep, &against, false)?;
            table = table
                .row(
                    Row::new(format!("`search_code`, {language} `{pattern}`, ÷ ast-grep"), "×", ratio)
                        .below(Stat::P50, 1.1),
                )
                .row(Row::new("… by itself", "ms", own));
        }
        Ok(table)
    }

    fn memory(&mut self, table: Table) -> Result<Table> {
        let pid = self.host.sidecar.pid();
        let mut round = |calls: usize| -> Result<()> {
            for number in 0..calls {
                let (tool, args) = match number % 3 {
                    0 => ("search_text", json!({"patterns": ["useMemo"], "path": "react-dom/cjs"})),
                    1 => ("search_files", json!({"globs": ["*.js"], "path": "react-dom"})),
                    _ => (
                        "search_code",
                        json!({"pattern": "require($A)", "language": "javascript", "path": "react-dom/index.js"}),
                    ),
                };
                self.tool(tool, args)?;
            }
            Ok(())
        };
        round(MANY / 10)?;
        let Some(before) = resident(pid)? else {
            return Ok(table.remark("Memory is read from /proc, which this system has not."));
        };
        round(MANY)?;
        let after = resident(pid)?.context("the sidecar is gone")?;
        let one = |value| Samples::new(vec![value]);
        Ok(table.row(Row::new("resident memory after 1,000 searches", "MB", one(before))).row(
            Row::new(format!("… {MANY} further searches add"), "MB", one(after - before))
                .below(Stat::P50, 5.0),
        ))
    }
}

fn call(host: &mut Host, tool: &str, args: Value) -> Result<(Value, Duration)> {
    let params = json!({
        "directory": host.directory(), "session": "ses_1", "call": "call_1", "agent": "worker", "tool": tool, "args": args,
    });
    let (answer, took) = host.call("tool/call", params)?;
    ensure!(answer["title"] != "not answered", "{tool}: {}", answer["output"]);
    Ok((answer, took))
}

/// Takes the content of all files out of the system's cache, where the system lets us.
fn evict(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            evict(&entry.path())?;
        } else if entry.file_type()?.is_file() {
            fadvise(&File::open(entry.path())?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Of a sidecar that was just started, in a project of 100 files.
fn first_call(table: Table, built: &Built, folder: &Path) -> Result<Table> {
    let project = scratch::project(folder, 100)?;
    let mut took = Vec::new();
    for _ in 0..FIRST {
        let mut host = Host::open(&built.gantry, &folder.join("home"), &project)?;
        took.push(call(&mut host, "search_text", json!({"patterns": ["value77"]}))?.1);
        host.sidecar.end()?;
    }
    Ok(table.row(
        Row::new("first `search_text` after the start", "ms", Samples::millis(took)).below(Stat::P50, 10.0),
    ))
}

/// The same small search through the plugin's tool and straight over the pipes.
fn through_the_shim(table: Table, built: &Built, folder: &Path) -> Result<Table> {
    const CALLS: usize = 1_000;
    let project = folder.join("project");
    let mut host = Host::open(&built.gantry, &folder.join("home"), &project)?;
    let args = json!({"patterns": ["value7 "], "path": "src/part0/file7.js", "limit": 1});
    let mut straight = Vec::new();
    for _ in 0..CALLS {
        straight.push(call(&mut host, "search_text", args.clone())?.1);
    }
    host.sidecar.end()?;
    let script = folder.join("shim.mjs");
    std::fs::write(&script, SHIM)?;
    let output = Command::new("node")
        .arg(&script)
        .args([built.shim.as_os_str(), project.as_os_str()])
        .arg(args.to_string())
        .arg(CALLS.to_string())
        .env("GANTRY_BIN", &built.gantry)
        .env("GANTRY_HOME", folder.join("home"))
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let through: Vec<f64> = serde_json::from_slice(&output.stdout)?;
    let straight = Samples::millis(straight);
    let added = through.iter().map(|took| took - straight.p50()).collect();
    Ok(table
        .row(Row::new("a search of one file, over the pipes", "ms", straight))
        .row(Row::new("… added by the plugin in Node.js", "ms", Samples::new(added)).below(Stat::P50, 1.0)))
}

const SHIM: &str = r#"
const [file, directory, args, calls] = process.argv.slice(2)
const { default: plugin } = await import(file)
const call = async () => ({ data: {} })
const session = Object.fromEntries(["create", "get", "children", "promptAsync", "prompt", "abort", "messages", "status", "delete"].map((name) => [name, call]))
const hooks = await plugin.server({ client: { session, tui: { showToast: call }, _client: { patch: call } }, directory, worktree: directory })
const context = (callID) => ({ sessionID: "ses_1", messageID: "msg_1", callID, agent: "worker", abort: new AbortController().signal, ask: async () => {} })
const took = []
for (let n = -20; n < Number(calls); n++) {
  const from = performance.now()
  const { output } = await hooks.tool.search_text.execute(JSON.parse(args), context(`call_${n}`))
  if (n >= 0) took.push(performance.now() - from)
  if (!output.includes("1 shown")) throw new Error(output)
}
console.log(JSON.stringify(took))
await hooks.dispose()
process.exit(0)
"#;
