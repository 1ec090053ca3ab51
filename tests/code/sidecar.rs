//! The tools through the real sidecar: many at once, cancelled, and with the process killed under them.
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xtask::bench::{Host, Script, plan, scratch};
use xtask::lab::tools::{Tools, corpus};

const FILES: usize = 100;

/// A mission whose first worker is at work, in a project with a language server.
struct Rig {
    host: Host,
    worker: String,
    project: PathBuf,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = scratch::folder().unwrap();
        let project = scratch::project(folder.path(), FILES).unwrap();
        fs::write(project.join(".git/info/exclude"), "node_modules\n").unwrap();
        std::os::unix::fs::symlink(Tools::find().unwrap().modules(), project.join("node_modules")).unwrap();
        let gantry = Path::new(env!("CARGO_BIN_EXE_gantry"));
        let mut host = Host::open(gantry, &folder.path().join("home"), &project).unwrap();
        let script = Script { plan: plan(1, false), turn: Duration::ZERO, forgetful: false, endless: true };
        let worker = host.first_worker(script).unwrap();
        Self { host, worker, project, _folder: folder }
    }

    fn params(&self, tool: &str, args: &Value) -> Value {
        json!({"directory": self.host.directory(), "session": self.worker, "call": "call_x", "agent": "worker", "tool": tool, "args": args})
    }

    fn send(&mut self, tool: &str, args: &Value) -> u64 {
        let params = self.params(tool, args);
        self.host.send("tool/call", params).unwrap().0
    }
}

fn output(answer: &Result<Value, String>) -> &str {
    answer.as_ref().unwrap()["output"].as_str().unwrap()
}

#[test]
fn four_hundred_mixed_calls_at_once_are_all_right() {
    let mut rig = Rig::new();
    fs::create_dir_all(rig.project.join("work")).unwrap();
    fs::write(rig.project.join("work/T1.txt"), "the change of the task\n").unwrap();
    for n in 0..8 {
        let text = format!("export const typed{n}: {} = {n}\n", if n % 2 == 0 { "number" } else { "string" });
        fs::write(rig.project.join(format!("typed{n}.ts")), text).unwrap();
    }
    let calls: Vec<(u64, usize)> = (0..400)
        .map(|n| {
            let one = n % FILES;
            let (tool, args) = match n % 5 {
                0 => ("search_text", json!({"patterns": [format!("const value{one} ")], "limit": 1})),
                1 => ("search_files", json!({"globs": [format!("file{one}.js")]})),
                2 => ("search_code", json!({"pattern": format!("export const value{one} = $A;"), "language": "javascript", "limit": 1})),
                3 => ("diagnostics", json!({"paths": [format!("typed{}.ts", n % 8)]})),
                _ => ("tree_diff", json!({})),
            };
            (rig.send(tool, &args), n)
        })
        .collect();
    for (id, n) in calls {
        let answer = rig.host.answer(id).unwrap().1;
        let said = output(&answer);
        let one = n % FILES;
        let file = format!("src/part{}/file{one}.js\n", one / 50);
        match n % 5 {
            0 => assert!(
                said.starts_with(&format!("{file}  1: export const value{one} = {one};\n")),
                "{n}: {said}"
            ),
            1 => assert_eq!(said, format!("{file}1 file.\n"), "{n}"),
            2 => assert!(
                said.starts_with(&format!("{file}  1:1: export const value{one} = {one};\n")),
                "{n}: {said}"
            ),
            3 if n % 2 == 0 => assert_eq!(said, "1 file checked, nothing found.\n", "{n}"),
            3 => assert!(
                said.starts_with(&format!("typed{}.ts:1:14: error [typescript 2322]", n % 8)),
                "{n}: {said}"
            ),
            _ => assert!(
                said.starts_with("diff --git a/work/T1.txt b/work/T1.txt")
                    && said.ends_with("+the change of the task\n"),
                "{n}: {said}"
            ),
        }
    }
}

#[test]
fn a_cancelled_search_is_answered_at_once() {
    let mut rig = Rig::new();
    let root = corpus().unwrap();
    let directory = root.display().to_string();
    rig.host.call("workspace/open", json!({"directory": directory, "worktree": directory})).unwrap();
    let mut params = rig.params(
        "search_text",
        &json!({"patterns": [r"(a|b|c|d)+zz[\s\S]{0,50}qq(x|y)+zz"], "multiline": true}),
    );
    params["directory"] = directory.into();
    // Of no mission: an agent's searches stay in the tree of its mission.
    params["session"] = "ses_of_nobody".into();
    // More than run at one time, so that some are cancelled while they wait.
    let ids: Vec<u64> = (0..6).map(|_| rig.host.send("tool/call", params.clone()).unwrap().0).collect();
    std::thread::sleep(Duration::from_millis(20));
    let asked = Instant::now();
    for id in &ids {
        rig.host.sidecar.notify("$/cancel", json!({"id": id})).unwrap();
    }
    for id in ids {
        let error = rig.host.answer(id).unwrap().1.unwrap_err();
        assert!(error.contains("-32011"), "{error}");
    }
    // Six of them take several seconds.
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let id = rig.send("search_files", &json!({"globs": ["file7.js"]}));
    assert_eq!(output(&rig.host.answer(id).unwrap().1), "src/part0/file7.js\n1 file.\n");
}

#[test]
fn wrong_arguments_and_places_are_said_in_words() {
    let mut rig = Rig::new();
    for (tool, args, part) in [
        ("search_text", json!({}), "search_text: the arguments do not fit: missing field `patterns`."),
        ("search_text", json!({"patterns": ["("]}), "set `literal`"),
        ("search_text", json!({"patterns": ["x"], "limit": 0}), "limit is 0: it must be 1 to 500"),
        ("search_text", json!({"patterns": ["x"], "path": "/etc"}), "leads outside the project"),
        ("search_files", json!({"path": "node_modules/typescript"}), "leads outside the project"),
        ("search_code", json!({"pattern": "x", "language": "cobol"}), "one of rust, typescript"),
        (
            "search_code",
            json!({"pattern": "x", "language": "rust", "apply": true}),
            "there is nothing to write: give `rewrite`",
        ),
        ("diagnostics", json!({"paths": ["none.ts"]}), "NOT CHECKED: none.ts: cannot be read"),
        ("diagnostics", json!({"paths": ["a.css"]}), "NOT CHECKED: a.css: no language server is known"),
        ("tree_diff", json!({"paths": ["../x"]}), "leads outside the project"),
    ] {
        let id = rig.send(tool, &args);
        let answer = rig.host.answer(id).unwrap().1;
        assert!(output(&answer).contains(part), "{tool} {args}: {answer:?}");
    }
    // One string where a list is meant, null where nothing is, and arguments as a text.
    for args in [
        json!({"patterns": "value7 ", "globs": null, "limit": 1}),
        json!({"pattern": "value7 ", "limit": 1}),
        json!("{\"patterns\": [\"value7 \"], \"limit\": 1}"),
    ] {
        let id = rig.send("search_text", &args);
        assert!(output(&rig.host.answer(id).unwrap().1).starts_with("src/part0/file7.js\n"), "{args}");
    }
    // A conversation of no mission.
    let mut params = rig.params("tree_diff", &json!({}));
    params["session"] = "ses_stranger".into();
    let answer = rig.host.call("tool/call", params).unwrap().0;
    assert!(answer["output"].as_str().unwrap().contains("works for no mission"), "{answer}");
}

#[test]
fn language_servers_do_not_outlive_a_killed_sidecar() {
    let mut rig = Rig::new();
    fs::write(rig.project.join("a.ts"), "export const a = 1\n").unwrap();
    let id = rig.send("diagnostics", &json!({"paths": ["a.ts"]}));
    assert_eq!(output(&rig.host.answer(id).unwrap().1), "1 file checked, nothing found.\n");
    assert!(!at_work_in(&rig.project).is_empty());
    let Rig { host, project, _folder, .. } = rig;
    // As `kill -9`.
    drop(host);
    let end = Instant::now() + Duration::from_secs(10);
    while !at_work_in(&project).is_empty() {
        assert!(Instant::now() < end, "{:?}", at_work_in(&project));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Command lines of the processes whose working folder is this one.
fn at_work_in(folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let here = processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder));
    here.map(|process| {
        String::from_utf8_lossy(&fs::read(process.join("cmdline")).unwrap_or_default()).into_owned()
    })
    .filter(|line| !line.is_empty())
    .collect()
}
