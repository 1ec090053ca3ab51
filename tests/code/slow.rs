//! A server that is slow, that says only what is new, and of which there are too many.
use crate::diagnostics::{ask, children, places};
use crate::tree::Tree;
use gantry::adapters::system::LanguageServers;
use gantry::ports::code::Diagnostics;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const LIB: &str = "package main\n\nfunc F() {}\n";
const APP: &str = "package main\n\nfunc main() { lib.F() }\n";

/// A project whose `gopls` is the script beside this file.
fn project(delay: u64, repeats: bool) -> (Tree, OsString) {
    let tree = Tree::of(&[("lib.go", LIB), ("app.go", APP), ("go.mod", "module five\n")]);
    tree.write("server.json", format!("{{\"delay\": {delay}, \"repeats\": {repeats}}}"));
    tree.write("bin/slow-server.mjs", include_str!("slow-server.mjs"));
    tree.write("bin/gopls", "#!/bin/sh\nexec node \"${0%/*}/slow-server.mjs\"\n");
    let program = tree.root().join("bin/gopls");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = tree.root().join("bin").into_os_string();
    (tree, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_not_taken_for_clean_nor_for_an_error() {
    for repeats in [true, false] {
        // Longer than the quiet that once counted as an answer.
        let (tree, path) = project(600, repeats);
        let servers = LanguageServers::default().found_on(path);
        let errors = async || {
            let answer = ask(&servers, &tree, &["app.go"]).await;
            assert_eq!(answer.unchecked, []);
            places(&answer.found).iter().map(|(path, line, _)| (path.to_string(), *line)).collect::<Vec<_>>()
        };
        let error = |line| vec![("app.go".to_owned(), line)];
        assert_eq!(errors().await, []);
        tree.write("lib.go", LIB.replace("F()", "G()"));
        assert_eq!(errors().await, error(3), "an error by a change elsewhere");
        tree.write("lib.go", LIB);
        assert_eq!(errors().await, [], "mended elsewhere");
        tree.write("app.go", format!("{APP}\n// a comment more\n"));
        assert_eq!(errors().await, [], "another text of which nothing new is to be said");
        tree.write("app.go", format!("{APP})\n"));
        assert_eq!(errors().await, error(4), "an error of syntax");
        tree.write("app.go", format!("{APP})\n// more\n"));
        tree.write("lib.go", LIB.replace("F()", "G()"));
        assert_eq!(errors().await, error(4), "the same error of syntax");
        tree.write("app.go", APP);
        assert_eq!(errors().await, error(3), "which hid another one");
        tree.write("lib.go", LIB);
        assert_eq!(errors().await, []);
        let asked = Instant::now();
        assert_eq!(errors().await, []);
        assert!(
            asked.elapsed() < Duration::from_millis(300),
            "nothing has changed, so nothing is waited for"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_before_is_waited_for_as_well() {
    let (tree, path) = project(600, false);
    let servers = LanguageServers::default().found_on(path);
    // The task took F out of lib.go and wrote app.go, which uses it.
    tree.write("lib.go", LIB.replace("F()", "G()"));
    let before = |app: &str| {
        vec![("app.go".to_owned(), Some(app.to_owned())), ("lib.go".to_owned(), Some(LIB.to_owned()))]
    };
    for _ in 0..2 {
        let answer = servers.new_errors(tree.root(), before(APP)).await.unwrap();
        assert_eq!((answer.unchecked.len(), places(&answer.found).len()), (0, 1), "{:?}", answer.found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_given_behind_hundreds_of_files() {
    let (tree, path) = project(50, true);
    tree.write("server.json", r#"{"delay": 50, "repeats": true, "asks": true}"#);
    let names: Vec<_> = (0..400).map(|n| format!("file{n}.go")).collect();
    names.iter().for_each(|name| tree.write(name, format!("package main\n// {}\n", "x".repeat(1_000))));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let answer = ask(&LanguageServers::default().found_on(path), &tree, &names).await;
    assert_eq!((answer.checked.len(), answer.unchecked), (400, vec![]));
}

#[tokio::test]
async fn a_server_whose_call_was_given_up_ends_when_idle() {
    let (tree, path) = project(60_000, true);
    let servers = LanguageServers::default().found_on(path);
    let given_up = tokio::time::timeout(Duration::from_secs(2), ask(&servers, &tree, &["app.go"])).await;
    assert!(given_up.is_err());
    assert_eq!((servers.running(), at_work(tree.root())), (1, 1));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(301)).await;
    tokio::time::resume();
    let end = Instant::now() + Duration::from_secs(10);
    while servers.running() + at_work(tree.root()) > 0 {
        assert!(Instant::now() < end, "{} are running", servers.running());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_six_run_whoever_asks() {
    let projects: Vec<_> = (0..9).map(|_| project(700, true)).collect();
    let bins = std::env::join_paths(projects.iter().map(|(_, path)| path)).unwrap();
    let servers = LanguageServers::default().found_on(bins);
    let calls: Vec<_> = projects
        .iter()
        .map(|(tree, _)| {
            let (servers, root) = (servers.clone(), tree.root());
            tokio::spawn(async move { servers.of(root, vec!["app.go".into()]).await.unwrap() })
        })
        .collect();
    let mut most = 0;
    while calls.iter().any(|call| !call.is_finished()) {
        most = most.max(projects.iter().map(|(tree, _)| at_work(tree.root())).sum());
        assert!(most <= 6 && servers.running() <= 6, "{most}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(most, 6);
    for call in calls {
        assert_eq!(call.await.unwrap().checked, ["app.go"], "each got its turn");
    }
}

/// Servers that work in this folder.
fn at_work(folder: impl AsRef<Path>) -> usize {
    let is_here =
        |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder.as_ref());
    children("slow-server").iter().filter(|pid| is_here(pid)).count()
}
