//! Real language servers, started, asked, killed and left alone.
use crate::tree::Tree;
use gantry::adapters::system::LanguageServers;
use gantry::ports::code::{Diagnosed, Diagnostic, Diagnostics, Severity};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use xtask::lab::tools::Tools;

const STRICT: &str =
    r#"{"compilerOptions": {"strict": true, "noEmit": true, "allowJs": true}, "include": ["*.ts", "src"]}"#;
const ADD: &str = "export function add(a: number, b: number): number {\n  return a + b\n}\n";
const USE_RIGHT: &str = "import { add } from \"./add\"\nexport const five = add(2, 3)\n";
const USE_WRONG: &str = "import { add } from \"./add\"\nexport const five = /* 😀 */ add(2, \"3\")\n";

/// With TypeScript before version 7, behind its language server.
pub fn typescript(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::of(files);
    tree.write("tsconfig.json", STRICT);
    tree.link(Tools::find().unwrap().modules(), "node_modules");
    tree
}

/// With TypeScript from version 7 on, which is a language server itself.
pub fn native(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::of(files);
    let package = Tools::find().unwrap().modules().join("typescript7");
    tree.write("tsconfig.json", STRICT);
    tree.link(&package, "node_modules/typescript");
    tree.link(&package.join("bin/tsc"), "node_modules/.bin/tsc");
    tree
}

pub fn python(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::of(files);
    tree.link(Tools::find().unwrap().modules(), "node_modules");
    tree
}

pub async fn ask(servers: &LanguageServers, tree: &Tree, paths: &[&str]) -> Diagnosed {
    servers.of(tree.root(), paths.iter().map(ToString::to_string).collect()).await.unwrap()
}

pub fn places(found: &[Diagnostic]) -> Vec<(&str, usize, usize)> {
    found
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| (d.path.as_str(), d.line, d.column))
        .collect()
}

/// The same story with each server: clean, an error in a file, an error that comes from another file, mended.
async fn story(tree: Tree, files: [(&str, &str); 2], wrong_use: (&str, (usize, usize)), other_add: &str) {
    let servers = LanguageServers::default();
    let [(add, add_text), (user, right)] = files;
    tree.write(add, add_text);
    tree.write(user, right);
    let clean = ask(&servers, &tree, &[add, user]).await;
    assert_eq!(clean.unchecked, [], "all were looked at");
    assert_eq!(clean.checked, [add, user]);
    assert_eq!(places(&clean.found), []);

    let (wrong, (line, column)) = wrong_use;
    tree.write(user, wrong);
    let found = ask(&servers, &tree, &[user]).await.found;
    assert_eq!(places(&found), [(user, line, column)], "{found:?}");

    // The file itself stays as it is; what it uses changes on disk, unasked for.
    tree.write(user, right);
    assert_eq!(places(&ask(&servers, &tree, &[user]).await.found), []);
    tree.write(add, other_add);
    let found = ask(&servers, &tree, &[user]).await.found;
    assert_eq!(places(&found).len(), 1, "an error by a change elsewhere: {found:?}");

    tree.write(add, add_text);
    assert_eq!(places(&ask(&servers, &tree, &[add, user]).await.found), []);
    assert_eq!(servers.running(), 1, "one server for all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_server() {
    let files = [("add.ts", ADD), ("use.ts", USE_RIGHT)];
    story(typescript(&[]), files, (USE_WRONG, (2, 36)), &ADD.replace("b: number", "b: string")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_itself() {
    let files = [("add.ts", ADD), ("use.ts", USE_RIGHT)];
    story(native(&[]), files, (USE_WRONG, (2, 36)), &ADD.replace("b: number", "b: string")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyright() {
    let add = "def add(a: int, b: int) -> int:\n    return a + b\n";
    let right = "from add import add\n\nfive = add(2, 3)\n";
    let wrong = "from add import add\n\nfive = add(2, \"3\")\n";
    story(
        python(&[]),
        [("add.py", add), ("use.py", right)],
        (wrong, (3, 15)),
        &add.replace("b: int", "b: str"),
    )
    .await;
}

/// Where the machine has it.
#[tokio::test(flavor = "multi_thread")]
async fn gopls() {
    if Command::new("gopls").arg("version").output().is_err() {
        eprintln!("gopls is not on this machine: not run");
        return;
    }
    let add = "package main\n\nfunc add(a int, b int) int {\n\treturn a + b\n}\n";
    let right = "package main\n\nfunc main() {\n\tprintln(add(2, 3))\n}\n";
    let wrong = "package main\n\nfunc main() {\n\tprintln(add(2, \"3\"))\n}\n";
    let tree = Tree::of(&[("go.mod", "module example.com/five\n\ngo 1.18\n")]);
    story(
        tree,
        [("add.go", add), ("main.go", right)],
        (wrong, (4, 17)),
        &add.replace("b int", "b string").replace("a + b", "a"),
    )
    .await;
}

/// Where the machine has it.
#[tokio::test(flavor = "multi_thread")]
async fn rust_analyzer() {
    if !Command::new("rust-analyzer").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("rust-analyzer is not on this machine: not run");
        return;
    }
    let add = "pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
    let right = "mod add;\n\nfn main() {\n    let five = add::add(2, 3u32);\n    println!(\"{five}\");\n}\n";
    let wrong = "mod add;\n\nfn main() {\n    let five = add::add(2, \"3\");\n    println!(\"{five}\");\n}\n";
    let tree =
        Tree::of(&[("Cargo.toml", "[package]\nname = \"five\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")]);
    story(
        tree,
        [("src/add.rs", add), ("src/main.rs", right)],
        (wrong, (4, 28)),
        &add.replace("b: u32", "b: i64").replace("a + b", "a"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_is_never_clean() {
    let servers = LanguageServers::default();
    for (tree, file, text) in [
        (typescript(&[]), "a.ts", "export const x = (1 +\n"),
        (typescript(&[]), "a.js", "export const x = (1 +\n"),
        (native(&[]), "a.ts", "export const x = (1 +\n"),
        (python(&[]), "a.py", "def f(:\n    return 1\n"),
    ] {
        tree.write(file, text);
        let answer = ask(&servers, &tree, &[file]).await;
        assert_eq!(answer.unchecked, [], "{file}");
        assert!(!places(&answer.found).is_empty(), "{file}: {:?}", answer.found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_new_errors_are_new() {
    let old = "export const a: number = \"old\"\nexport const b: number = 1\n";
    let new = "// a line more\nexport const a: number = \"old\"\nexport const b: number = \"new\"\n";
    for tree in [typescript(&[]), native(&[])] {
        tree.write("kept.ts", new);
        tree.write("made.ts", "export const c: string = 1\n");
        let servers = LanguageServers::default();
        let before = vec![
            ("kept.ts".to_owned(), Some(old.to_owned())),
            ("made.ts".to_owned(), None),
            ("gone.ts".to_owned(), Some("export const d = 1\n".to_owned())),
            ("notes.md".to_owned(), None),
        ];
        let answer = servers.new_errors(tree.root(), before).await.unwrap();
        assert_eq!(answer.unchecked, []);
        assert_eq!(places(&answer.found), [("kept.ts", 3, 14), ("made.ts", 1, 14)], "{:?}", answer.found);
        // The texts from before are gone from the server too.
        assert_eq!(places(&ask(&servers, &tree, &["kept.ts"]).await.found).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_server_is_named_with_its_cure() {
    let servers = LanguageServers::default().found_on("/nowhere".into());
    let tree =
        Tree::of(&[("a.py", "x = 1\n"), ("a.ts", "let x = 1\n"), ("a.txt", "x"), ("b.go", "package b\n")]);
    let answer = ask(&servers, &tree, &["a.py", "a.ts", "a.txt", "b.go"]).await;
    assert_eq!((answer.checked, answer.found), (vec![], vec![]));
    let said: Vec<_> =
        answer.unchecked.iter().map(|u| (u.paths.clone(), u.reason.split(':').next().unwrap())).collect();
    let expected = [
        ("a.ts", "typescript-language-server is not installed"),
        ("a.py", "pyright is not installed"),
        ("b.go", "gopls is not installed"),
    ];
    assert_eq!(said, expected.map(|(path, why)| (vec![path.to_owned()], why)));
    assert!(answer.unchecked.iter().all(|u| u.reason.contains("install")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_start_says_why_and_is_tried_again_later() {
    let tree = Tree::of(&[("a.ts", "let x = 1\n")]);
    tree.write(
        "node_modules/.bin/typescript-language-server",
        "#!/bin/sh\necho run $$ >> \"$0.runs\"\necho 'no node here' >&2\nexit 3\n",
    );
    let program = tree.root().join("node_modules/.bin/typescript-language-server");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let servers = LanguageServers::default();
    let reason = |answer: &Diagnosed| answer.unchecked[0].reason.clone();
    let first = reason(&ask(&servers, &tree, &["a.ts"]).await);
    assert!(first.contains("could not be started: it ended at once: no node here"), "{first}");
    let second = reason(&ask(&servers, &tree, &["a.ts"]).await);
    assert!(second.contains("broke down 1 times and is started again in 1 s"), "{second}");
    let runs = || tree.read("node_modules/.bin/typescript-language-server.runs").lines().count();
    assert_eq!(runs(), 1, "not started in the pause");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    ask(&servers, &tree, &["a.ts"]).await;
    assert_eq!(runs(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_replaced_in_the_same_call() {
    let tree = typescript(&[("add.ts", ADD), ("use.ts", USE_WRONG)]);
    let servers = LanguageServers::default();
    assert_eq!(places(&ask(&servers, &tree, &["use.ts"]).await.found).len(), 1);
    for child in children("typescript-language-server") {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(child).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
    }
    let answer = ask(&servers, &tree, &["use.ts"]).await;
    assert_eq!(answer.unchecked, []);
    assert_eq!(places(&answer.found).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_end_with_their_owner() {
    let tree = typescript(&[("add.ts", ADD)]);
    let servers = LanguageServers::default();
    ask(&servers, &tree, &["add.ts"]).await;
    assert!(!children("typescript-language-server").is_empty());
    drop(servers);
    let end = Instant::now() + Duration::from_secs(10);
    while !children("typescript-language-server").is_empty() {
        assert!(Instant::now() < end, "it is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_given_up_leaves_nothing_behind() {
    for tree in [typescript(&[]), native(&[])] {
        tree.write("add.ts", ADD);
        tree.write("use.ts", USE_RIGHT);
        let servers = LanguageServers::default();
        assert_eq!(places(&ask(&servers, &tree, &["use.ts"]).await.found), []);
        let long_ago = ADD.replace("b: number", "b: string");
        for micros in [0, 50, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000] {
            let before = vec![("add.ts".to_owned(), Some(long_ago.clone()))];
            let given_up = servers.new_errors(tree.root(), before);
            let _ = tokio::time::timeout(Duration::from_micros(micros), given_up).await;
            let answer = ask(&servers, &tree, &["use.ts"]).await;
            assert_eq!(
                (answer.unchecked.len(), places(&answer.found)),
                (0, vec![]),
                "given up after {micros} µs"
            );
        }
    }
}

#[tokio::test]
async fn an_idle_server_ends() {
    let tree = native(&[("add.ts", ADD)]);
    let servers = LanguageServers::default();
    ask(&servers, &tree, &["add.ts"]).await;
    assert_eq!(servers.running(), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(200)).await;
    tokio::time::resume();
    // Used again in time, it is kept for another five minutes.
    ask(&servers, &tree, &["add.ts"]).await;
    for (seconds, running) in [(200, 1), (101, 0)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        let end = Instant::now() + Duration::from_secs(10);
        while servers.running() != running {
            assert!(Instant::now() < end, "{} after {seconds} s", servers.running());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_unused_server_gives_way() {
    let servers = LanguageServers::default();
    let trees: Vec<_> = (0..8).map(|_| native(&[("add.ts", ADD)])).collect();
    for tree in &trees {
        assert_eq!(ask(&servers, tree, &["add.ts"]).await.unchecked, []);
        assert!(servers.running() <= 6);
    }
    assert_eq!(servers.running(), 6);
    assert_eq!(ask(&servers, &trees[0], &["add.ts"]).await.checked, ["add.ts"], "started anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_get_their_own_answers() {
    let tree = typescript(&[("add.ts", ADD)]);
    for n in 0..40 {
        let text = if n % 2 == 0 { USE_RIGHT } else { USE_WRONG };
        tree.write(&format!("use{n}.ts"), text);
    }
    let servers = LanguageServers::default();
    let calls = (0..40).map(|n| {
        let (servers, root) = (servers.clone(), tree.root());
        tokio::spawn(async move { servers.of(root, vec![format!("use{n}.ts")]).await.unwrap() })
    });
    let calls: Vec<_> = calls.collect();
    for (n, call) in calls.into_iter().enumerate() {
        let answer = call.await.unwrap();
        assert_eq!(answer.unchecked, []);
        assert_eq!(places(&answer.found).len(), n % 2, "use{n}.ts");
    }
}

/// Ids of children of this process whose command line has `part` in it.
pub fn children(part: &str) -> Vec<i32> {
    let own = std::process::id().to_string();
    let pids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let alive = fields.next().is_some_and(|state| state != "Z");
        let parent = fields.next().is_some_and(|parent| parent == own);
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        alive && parent && String::from_utf8_lossy(&line).contains(part)
    })
    .collect()
}
