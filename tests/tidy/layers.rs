//! The arrows between layers, and what the pure part may not touch.
use crate::scan::{self, Token};

/// What a layer may use of the crate, as path prefixes. `*` is everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("lib.rs", &[]),
    ("main.rs", &["*"]),
    ("app", &["*"]),
    ("domain", &["domain"]),
    ("ports", &["domain", "ports"]),
    // `step` is a pure function over values: of the engine it sees only the parts that are pure themselves.
    ("engine/core", &["domain", "ports", "engine::core", "engine::prompts", "engine::report"]),
    ("engine/prompts", &["domain", "engine::core", "engine::report"]),
    ("engine/export", &["domain", "engine::core", "engine::prompts", "engine::report"]),
    ("engine/report", &["domain", "engine::core", "engine::prompts"]),
    ("engine", &["domain", "ports", "engine"]),
    ("adapters/mod.rs", &["adapters"]),
    // The one adapter whose other side is our own wire: the host is reached by calling the shim.
    ("adapters/opencode", &["domain", "ports", "adapters::opencode", "protocol", "rpc"]),
    ("adapters", &["domain", "ports", "adapters::<own>"]),
    ("protocol", &["domain", "protocol"]),
    // The values of the ports (what a host message is) are what wire types are turned into.
    ("rpc", &["domain", "ports", "protocol", "engine::handle", "rpc"]),
    ("web", &["domain", "protocol", "engine::handle", "web"]),
    ("sim", &["domain", "ports", "engine", "adapters::memory", "sim"]),
    ("cli/sim.rs", &["sim", "cli"]),
    ("cli", &["app", "protocol", "setup", "cli"]),
    ("setup", &["domain", "setup"]),
    ("telemetry", &["domain", "telemetry"]),
];

/// Layers that cannot fail for outside reasons: no clock, chance, file, thread or runtime, and no wire or store format.
const PURE: &[&str] = &["domain", "engine/core", "engine/prompts", "engine/export", "engine/report"];

/// Dependencies that are pure themselves.
const PURE_DEPENDENCIES: &[&str] = &["regex", "thiserror"];

const IMPURE_STD: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// The only file that may write to the terminal: stdout belongs to the protocol.
const PRINTER: &str = "cli/output.rs";

/// Names of `[dependencies]` as they are written in code.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let section =
        manifest.lines().skip_while(|l| *l != "[dependencies]").skip(1).take_while(|l| !l.starts_with('['));
    let names: Vec<String> =
        section.filter_map(|l| Some(l.split_once('=')?.0.trim().replace('-', "_"))).collect();
    assert!(names.iter().any(|n| n == "tokio"), "the manifest lists its dependencies in another way now");
    names
}

/// Everything wrong in one file; `file` is below `src/`.
pub fn faults(file: &str, text: &str, dependencies: &[String]) -> Vec<String> {
    let Some((layer, may)) = ARROWS.iter().find(|(layer, _)| is_in(file, layer)) else {
        return vec![format!("src/{file}: no layer of that name; add it to ARROWS with what it may use")];
    };
    let own = may.iter().map(|m| m.replace("<own>", own_adapter(file)));
    let may: Vec<String> = own.collect();
    let pure = PURE.iter().any(|p| is_in(file, p));
    let mut faults = Vec::new();
    for (line, path) in scan::paths(file, text) {
        let path = path.join("::");
        if let Some(target) = path.strip_prefix("crate::") {
            if !may.iter().any(|m| m == "*" || below(target, m)) {
                faults.push(format!("src/{file}:{line}: {layer} may not use {path}"));
            }
        } else if pure && is_impure(&path, dependencies) {
            faults.push(format!("src/{file}:{line}: {layer} is pure and may not use {path}; make it a port"));
        }
        if file != PRINTER && writes_to_the_terminal(&path) {
            faults.push(format!("src/{file}:{line}: {path} belongs into src/{PRINTER}"));
        }
    }
    if file != PRINTER {
        faults.extend(prints(file, text));
    }
    faults
}

fn is_in(file: &str, layer: &str) -> bool {
    file == layer || file == format!("{layer}.rs") || file.starts_with(&format!("{layer}/"))
}

fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `sqlite` for `adapters/sqlite/writer.rs` and for `adapters/sqlite.rs`.
fn own_adapter(file: &str) -> &str {
    file.split('/').nth(1).unwrap_or_default().trim_end_matches(".rs")
}

fn is_impure(path: &str, dependencies: &[String]) -> bool {
    let head = path.split("::").next().unwrap_or_default();
    let foreign = path.contains("::") && dependencies.iter().any(|d| d == head);
    IMPURE_STD.iter().any(|p| below(path, p)) || (foreign && !PURE_DEPENDENCIES.contains(&head))
}

fn writes_to_the_terminal(path: &str) -> bool {
    let path = path.strip_prefix("std::").unwrap_or(path);
    ["io::stdout", "io::stderr", "io::Stdout", "io::Stderr"].contains(&path)
}

fn prints(file: &str, text: &str) -> Vec<String> {
    let tokens = scan::tokens(text);
    let macros = ["print", "println", "eprint", "eprintln", "dbg"];
    let calls = tokens.windows(2).filter_map(|pair| match pair {
        [(line, Token::Word(name)), (_, Token::Mark('!'))] if macros.contains(&name.as_str()) => {
            Some((line, name))
        }
        _ => None,
    });
    calls.map(|(line, name)| format!("src/{file}:{line}: {name}! belongs into src/{PRINTER}")).collect()
}

#[test]
fn faults_are_found() {
    let dependencies = ["tokio", "serde", "thiserror"].map(str::to_owned);
    let cases = [
        ("domain/plan.rs", "use crate::domain::ids::TaskId; use std::{fmt, time::Duration};", ""),
        ("domain/plan.rs", "use crate::ports::host::Host;", "domain may not use crate::ports::host::Host"),
        ("domain/plan.rs", "use super::super::engine;", "domain may not use crate::engine"),
        ("domain/plan.rs", "use serde::Serialize;", "may not use serde::Serialize; make it a port"),
        ("domain/plan.rs", "fn f() { std::fs::read(x) }", "may not use std::fs::read"),
        ("domain/plan.rs", "use std::{time::{Duration, SystemTime}};", "may not use std::time::SystemTime"),
        ("domain/plan.rs", "#[derive(thiserror::Error)] struct E;", ""),
        ("domain/plan.rs", "#[cfg(test)] mod tests { use serde::Serialize; }", ""),
        (
            "engine/core/mod.rs",
            "use crate::engine::dispatcher;",
            "engine/core may not use crate::engine::dispatcher",
        ),
        ("engine/core.rs", "use tokio::sync::mpsc;", "engine/core is pure"),
        ("engine/dispatcher.rs", "use tokio::sync::mpsc; use crate::{domain, ports, engine::core};", ""),
        ("engine/lanes.rs", "use crate::adapters::memory;", "engine may not use crate::adapters::memory"),
        ("adapters/sqlite/writer.rs", "use crate::adapters::sqlite::rows; use crate::ports::store;", ""),
        (
            "adapters/sqlite.rs",
            "use crate::adapters::memory::Store;",
            "adapters may not use crate::adapters::memory::Store",
        ),
        ("adapters/sqlite.rs", "use super::memory;", "adapters may not use crate::adapters::memory"),
        ("adapters/sqlite.rs", "use crate::rpc::PeerHandle;", "adapters may not use crate::rpc::PeerHandle"),
        ("adapters/opencode/stdio.rs", "use crate::{protocol::methods, rpc::PeerHandle};", ""),
        ("rpc/router.rs", "use crate::engine::handle::Engine;", ""),
        ("rpc/router.rs", "use crate::engine::core::step;", "rpc may not use crate::engine::core::step"),
        ("cli/show.rs", "use crate::adapters::sqlite;", "cli may not use crate::adapters::sqlite"),
        ("cli/show.rs", "fn f() { println!(\"x\") }", "println! belongs into src/cli/output.rs"),
        ("cli/show.rs", "fn f() { std::io::stdout() }", "std::io::stdout belongs into src/cli/output.rs"),
        ("cli/output.rs", "fn f() { println!(\"x\"); std::io::stdout() }", ""),
        ("misc/x.rs", "", "no layer of that name"),
    ];
    for (file, text, wanted) in cases {
        let found = faults(file, text, &dependencies).join("\n");
        assert_eq!(found.is_empty(), wanted.is_empty(), "{file}: {text}: {found}");
        assert!(found.contains(wanted), "{file}: {text}: {found}");
    }
}
