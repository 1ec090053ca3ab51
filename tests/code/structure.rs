//! `search_code` finds and rewrites what ast-grep finds and rewrites.
use crate::tree::{Tree, block_on};
use gantry::adapters::search::TreeSearch;
use gantry::ports::code::{Change, CodeError, CodeQuery, Count, Page, Scope, Search, Stop, TextQuery};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use xtask::lab::tools::{Tools, corpus};

type Place = (String, (usize, usize), (usize, usize));

fn query(root: &Path, language: &str, pattern: &str) -> CodeQuery {
    let (pattern, language) = (pattern.into(), language.into());
    CodeQuery { scope: Scope::all(root), pattern, language, rewrite: None, page: Page::first(1_000_000) }
}

fn ours(mut query: CodeQuery, limit: usize) -> Vec<Place> {
    let mut all = Vec::new();
    query.page.limit = limit;
    loop {
        let found = block_on(TreeSearch::default().code(query.clone(), Stop::default())).unwrap();
        all.extend(found.items.into_iter().map(|node| (node.path, node.start, node.end)));
        query.page.cursor = found.next;
        if query.page.cursor.is_none() {
            assert_eq!(found.total, Count::Exactly(all.len() as u64));
            all.sort();
            return all;
        }
    }
}

fn theirs(root: &Path, language: &str, args: &[&str]) -> Vec<Value> {
    let output = Command::new(Tools::find().unwrap().ast_grep().unwrap())
        .args(["run", "--json=stream", "-l", language])
        .args(args)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn places(found: &[Value]) -> Vec<Place> {
    let place =
        |at: &Value| (at["line"].as_u64().unwrap() as usize + 1, at["column"].as_u64().unwrap() as usize + 1);
    let mut places: Vec<_> = found
        .iter()
        .map(|hit| {
            let path = hit["file"].as_str().unwrap().trim_start_matches("./").to_owned();
            (path, place(&hit["range"]["start"]), place(&hit["range"]["end"]))
        })
        .collect();
    places.sort();
    places
}

#[test]
fn the_corpus_gives_the_same_as_ast_grep() {
    let root = corpus().unwrap();
    for (language, folder, patterns) in [
        ("javascript", "lodash", ["$A === null", "function $F($$$ARGS) { $$$BODY }", "$A && $A()"]),
        (
            "javascript",
            "webpack",
            ["new $CLASS($$$)", "class $A extends $B { $$$ }", "const { $$$A } = require($B)"],
        ),
        ("typescript", "rxjs", ["$A ? $B : $C", "throw $A", "export function $F<$$$T>($$$A): $R { $$$B }"]),
    ] {
        let root = root.join(folder);
        for pattern in patterns {
            let expected = places(&theirs(&root, language, &["-p", pattern]));
            assert_eq!(ours(query(&root, language, pattern), 1_000_000), expected, "{language} {pattern}");
            assert_eq!(ours(query(&root, language, pattern), 37), expected, "{language} {pattern}, in pages");
        }
    }
}

/// Every language: what to find, and what a rewrite makes of it.
const SAMPLES: &[(&str, &str, &str, &str, &str)] = &[
    (
        "rust",
        "a.rs",
        "fn main() {\n    let x = y.unwrap();\n    foo(z.unwrap().unwrap());\n}\n",
        "$A.unwrap()",
        "$A.expect(\"there\")",
    ),
    ("typescript", "a.ts", "const äöü: number = f(1, 2);\nf(3);\n", "f($$$A)", "g($$$A)"),
    ("tsx", "a.tsx", "const a = <div className=\"x\">{f(1)}</div>;\n", "f($A)", "<b>{$A}</b>"),
    ("javascript", "a.js", "var a = 1;\nvar b = a == null;\n", "$A == null", "$A === null"),
    ("python", "a.py", "def f(a):\n    print(a)\n    print(a, b)\n", "print($A)", "log($A)"),
    (
        "go",
        "a.go",
        "package a\n\nfunc f() error {\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}\n",
        "return $A",
        "return wrap($A)",
    ),
    (
        "java",
        "A.java",
        "class A {\n  int f(int x) {\n    return x + 1;\n  }\n}\n",
        "return $A;",
        "return g($A);",
    ),
    ("c", "a.c", "int f(int x) {\n  return g(x, 1);\n}\n", "g($A, $B)", "h($B, $A)"),
    ("cpp", "a.cpp", "int f(std::vector<int> v) {\n  return v.size();\n}\n", "$A.size()", "std::size($A)"),
];

#[test]
fn every_language_is_found_and_rewritten_as_by_ast_grep() {
    for (language, file, text, pattern, rewrite) in SAMPLES {
        let tree = Tree::of(&[(*file, *text)]);
        let root = tree.root();
        let expected = places(&theirs(&root, language, &["-p", pattern]));
        assert!(!expected.is_empty(), "{language}: the sample has no hit");
        assert_eq!(ours(query(&root, language, pattern), 100), expected, "{language}");

        let asked = CodeQuery { rewrite: Some((*rewrite).into()), ..query(&root, language, pattern) };
        let search = TreeSearch::default();
        let changes = block_on(search.rewrite(asked, Stop::default())).unwrap().items;
        assert_eq!(tree.read(file), *text, "{language}: a preview changes nothing");
        block_on(search.apply(root.clone(), changes)).unwrap();
        let ours = tree.read(file);
        tree.write(file, text);
        let output = Command::new(Tools::find().unwrap().ast_grep().unwrap())
            .args(["run", "-l", language, "-p", pattern, "-r", rewrite, "-U"])
            .current_dir(&root)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(ours, tree.read(file), "{language}");
    }
}

#[test]
fn a_rewrite_keeps_modes_and_ends_of_lines_and_never_overwrites_an_edit() {
    let tree = Tree::of(&[("a.js", "f(1);\r\nf(2);\r\n"), ("b.js", "f(3);\n"), ("c.js", "g(3);\n")]);
    let file = tree.root().join("a.js");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o751)).unwrap();
    let search = TreeSearch::default();
    let asked = CodeQuery { rewrite: Some("h($A)".into()), ..query(&tree.root(), "javascript", "f($A)") };
    let changes = block_on(search.rewrite(asked.clone(), Stop::default())).unwrap().items;
    let paths: Vec<_> = changes.iter().map(|c: &Change| (c.path.as_str(), c.hits)).collect();
    assert_eq!(paths, [("a.js", 2), ("b.js", 1)]);

    tree.write("b.js", "f(3); // mine\n");
    let refused = block_on(search.apply(tree.root(), changes)).unwrap_err();
    assert!(refused.to_string().contains("changed meanwhile: b.js"), "{refused}");
    assert_eq!(tree.read("a.js"), "f(1);\r\nf(2);\r\n", "all or nothing");

    let changes = block_on(search.rewrite(asked, Stop::default())).unwrap().items;
    block_on(search.apply(tree.root(), changes)).unwrap();
    assert_eq!(
        (tree.read("a.js").as_str(), tree.read("b.js").as_str()),
        ("h(1);\r\nh(2);\r\n", "h(3); // mine\n")
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o751);
}

#[test]
fn bad_questions_are_answered_with_what_to_write() {
    let tree = Tree::of(&[("a.js", "f(1)\n"), ("b.js", "f(2)\n")]);
    let plain = query(&tree.root(), "javascript", "f($A)");
    let cases = [
        (CodeQuery { language: "cobol".into(), ..plain.clone() }, "one of rust, typescript"),
        (CodeQuery { pattern: "".into(), ..plain.clone() }, "no single piece"),
        (CodeQuery { pattern: "f(1); g(2)".into(), ..plain.clone() }, "no single piece"),
        (CodeQuery { rewrite: Some("g($B)".into()), ..plain.clone() }, "$B, which the pattern does not have"),
        (
            CodeQuery { rewrite: Some("g($A)".into()), page: Page::first(1), ..plain.clone() },
            "more than 1 files",
        ),
    ];
    for (query, part) in cases {
        let search = TreeSearch::default();
        let answer = if query.rewrite.is_some() {
            block_on(search.rewrite(query.clone(), Stop::default())).map(|_| ())
        } else {
            block_on(search.code(query.clone(), Stop::default())).map(|_| ())
        };
        let Err(CodeError::Invalid(said)) = answer else { panic!("taken: {query:?}") };
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
}

#[test]
fn files_that_cannot_be_parsed_are_named() {
    let tree =
        Tree::of(&[("bin.js", b"f(1)\0".as_slice()), ("latin.js", b"f('\xe4')\n"), ("ok.js", b"f(2)\n")]);
    let found =
        block_on(TreeSearch::default().code(query(&tree.root(), "javascript", "f($A)"), Stop::default()))
            .unwrap();
    let paths: Vec<_> = found.items.iter().map(|n| n.path.as_str()).collect();
    assert_eq!(paths, ["latin.js", "ok.js"]);
    assert_eq!(found.remarks, ["1 file with NUL bytes, left out: bin.js"]);
}

/// So deep that comparing nodes level by level would overflow the stack of the thread, which ends the process.
#[test]
fn deeply_nested_code_is_left_out_by_name_where_nodes_are_compared() {
    let nested = |levels| format!("{}x == x{};\n", "(".repeat(levels), ")".repeat(levels));
    let deep = nested(50_000);
    let tree = Tree::of(&[("deep.js", deep.as_str()), ("flat.js", "a == a;\n"), ("some.js", &nested(400))]);
    let search = TreeSearch::default();
    let found = block_on(search.code(query(&tree.root(), "js", "$A == $A"), Stop::default())).unwrap();
    let paths: Vec<_> = found.items.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(paths, ["flat.js", "some.js"]);
    assert!(
        found.remarks[0].starts_with("1 file nested more than 500 deep, left out"),
        "{:?}",
        found.remarks
    );
    assert!(found.remarks[0].ends_with(": deep.js"), "{:?}", found.remarks);
    let asked = CodeQuery { rewrite: Some("same($A)".into()), ..query(&tree.root(), "js", "$A == $A") };
    let changed = block_on(search.rewrite(asked, Stop::default())).unwrap();
    assert_eq!((changed.items.len(), changed.remarks), (2, found.remarks));
    // Nothing is compared here.
    let found = block_on(search.code(query(&tree.root(), "js", "$A == $B"), Stop::default())).unwrap();
    assert_eq!((found.items.len(), found.remarks), (3, vec![]));
    let pattern = format!("{}$A{}", "[".repeat(4_000), "]".repeat(4_000));
    let refused = block_on(search.code(query(&tree.root(), "js", &pattern), Stop::default())).unwrap_err();
    assert_eq!(refused.to_string(), "the pattern is nested more than 200 deep");
}

#[test]
fn what_a_rewrite_leaves_out_is_told_and_utf_16_is_read() {
    let marked: Vec<u8> = "\u{feff}f(3);\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = b"f(1); // \xe9\n".to_vec();
    let tree = Tree::of(&[("a.js", b"f(2);\n".to_vec()), ("latin.js", latin), ("wide.js", marked)]);
    let search = TreeSearch::default();
    let found = block_on(search.code(query(&tree.root(), "javascript", "f($A)"), Stop::default())).unwrap();
    let paths: Vec<_> = found.items.iter().map(|node| (node.path.as_str(), node.text.as_str())).collect();
    assert_eq!(paths, [("a.js", "f(2)"), ("latin.js", "f(1)"), ("wide.js", "f(3)")]);
    let asked = CodeQuery { rewrite: Some("g($A)".into()), ..query(&tree.root(), "javascript", "f($A)") };
    let changed = block_on(search.rewrite(asked, Stop::default())).unwrap();
    let paths: Vec<_> = changed.items.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["a.js"]);
    assert_eq!(changed.remarks, ["2 files not in UTF-8, left out by the rewrite: latin.js, wide.js"]);
}

/// Parsing one large file cannot be stopped half way; what waits behind it is its like only, and it ends soon after its
/// asker has gone.
#[test]
fn a_search_for_structure_keeps_no_other_waiting() {
    let large = "function f(a) { return g(a, [1, 2, 3], { b: a + 1 }); }\n".repeat(60_000);
    let tree = Tree::of(&[("large.js", large.as_str()), ("small.txt", "needle\n")]);
    let search = TreeSearch::default();
    let structural = || search.code(query(&tree.root(), "javascript", "g($A, $B, $C)"), Stop::default());
    let word = TextQuery::new(Scope { path: "small.txt".into(), ..Scope::all(tree.root()) }, "needle");
    block_on(async {
        let two = async { tokio::join!(structural(), structural()) };
        tokio::select! {
            biased;
            _ = two => panic!("a search through megabytes took less time than one for a word"),
            found = search.text(word, Stop::default()) => assert_eq!(found.unwrap().items.len(), 1),
        }
    });
}
