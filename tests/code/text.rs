//! `search_text` and `search_files` find what ripgrep finds.
use crate::tree::{Tree, block_on};
use gantry::adapters::search::TreeSearch;
use gantry::ports::code::{
    Case, CodeError, Count, FileLines, FileQuery, Found, Page, Scope, Search, Stop, TextQuery,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use xtask::lab::tools::{Tools, corpus};

/// A hit or a line of context: number, whether it is context, columns of the hits; none where the line is no UTF-8.
type Told = (u64, bool, Option<Vec<(usize, usize)>>);
type ByFile = BTreeMap<String, Vec<Told>>;

fn text(query: TextQuery) -> Result<Found<FileLines>, CodeError> {
    block_on(TreeSearch::default().text(query, Stop::default()))
}

fn files(query: FileQuery) -> Found<String> {
    block_on(TreeSearch::default().files(query, Stop::default())).unwrap()
}

/// All pages of `limit` hits, put together.
fn ours(query: &TextQuery, limit: usize) -> (ByFile, u64) {
    let mut all = ByFile::new();
    let mut cursor = None;
    let mut total = None;
    loop {
        let found = text(TextQuery { page: Page { cursor, ..Page::first(limit) }, ..query.clone() }).unwrap();
        let hits: usize = found.items.iter().flat_map(|f| &f.lines).filter(|l| !l.context).count();
        assert!(hits <= limit, "{hits} hits on a page of {limit}");
        for file in found.items {
            let lines = all.entry(file.path).or_default();
            lines.extend(file.lines.into_iter().map(|l| {
                let readable = !l.text.contains('\u{fffd}');
                (l.number, l.context, readable.then_some(l.spans))
            }));
        }
        // Each page says the same of the whole, as far as it knows.
        match (found.total, total) {
            (Count::Exactly(n), Some(known)) => assert_eq!(n, known),
            (Count::Exactly(n), None) => total = Some(n),
            (Count::AtLeast(n), _) => assert!(n > 0 && total.is_none_or(|known| n <= known)),
        }
        cursor = found.next;
        if cursor.is_none() {
            return (all, total.unwrap());
        }
        assert_eq!(hits, limit, "a page that is not the last is full");
    }
}

fn rg(root: &Path, args: &[String]) -> (ByFile, u64) {
    let output = Command::new(Tools::find().unwrap().ripgrep().unwrap())
        .args(["--no-config", "--json", "--sort", "path"])
        .args(args)
        .args(["--", "./"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{args:?}: {output:?}");
    let (mut all, mut hits) = (ByFile::new(), 0);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let data = &event["data"];
        let context = event["type"] == "context";
        if event["type"] != "match" && !context {
            continue;
        }
        hits += u64::from(!context);
        let path = data["path"]["text"].as_str().unwrap().trim_start_matches("./").to_owned();
        let spans = data["lines"]["text"].as_str().filter(|text| !text.contains('\u{fffd}')).map(|text| {
            let bytes = text.as_bytes();
            let shown = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let shown = shown.strip_suffix(b"\r").unwrap_or(shown).len();
            let column = |at: &Value| {
                let at = (at.as_u64().unwrap() as usize).min(shown);
                String::from_utf8_lossy(&bytes[..at]).chars().count() + 1
            };
            let of = data["submatches"].as_array().unwrap();
            // As many are shown of one line.
            of.iter().take(100).map(|m| (column(&m["start"]), column(&m["end"]))).collect()
        });
        all.entry(path).or_default().push((data["line_number"].as_u64().unwrap(), context, spans));
    }
    (all, hits)
}

/// The same question for ripgrep's command line.
fn args(query: &TextQuery) -> Vec<String> {
    let mut args = Vec::new();
    let mut flag = |on: bool, flag: &str| {
        if on {
            args.push(flag.to_owned());
        }
    };
    flag(query.literal, "-F");
    flag(query.case == Case::Insensitive, "-i");
    flag(query.case == Case::Smart, "-S");
    flag(query.word, "-w");
    flag(query.multiline, "-U");
    flag(query.binary, "-a");
    flag(query.scope.hidden, "--hidden");
    flag(query.scope.ignored, "--no-ignore");
    flag(true, &format!("-B{}", query.before));
    flag(true, &format!("-A{}", query.after));
    // The one rule of our own: a repository's files are never searched.
    flag(query.scope.hidden, "-g!.git");
    for glob in &query.scope.globs {
        args.push(format!("-g{glob}"));
    }
    for kind in &query.scope.types {
        args.push(format!("-t{kind}"));
    }
    for pattern in &query.patterns {
        args.push(format!("-e{pattern}"));
    }
    if let Some(encoding) = &query.encoding {
        args.push(format!("-E{encoding}"));
    }
    args
}

const PATHS: &[&str] = &[
    "a.rs",
    "b.ts",
    "src/a.rs",
    "src/b.py",
    "src/deep/c.rs",
    "src/deep/.hidden.rs",
    ".env",
    ".config/x.rs",
    "build/out.rs",
    "dist/b.ts",
    "target/d.rs",
    "lib/über.rs",
    "lib/a b.rs",
    "node_modules/m.ts",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "foo", "Foo", "FOO", "foobar", "bar", "foo_bar", "fn", "x", "äöü", "ß", "(a)", "a.c", "1", "=", "\t",
    ]);
    let text = prop::collection::vec(words, 0..6).prop_map(|words| words.join(" ").into_bytes());
    prop_oneof![
        12 => text,
        1 => Just(b"foo \xff\xfe bar".to_vec()),
        1 => Just("foo ".repeat(20).into_bytes()),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    let lines = prop::collection::vec(line(), 0..12);
    (lines, end, any::<bool>(), 0..13).prop_map(|(lines, end, last, kind)| {
        let mut text = lines.join(end.as_bytes());
        if last {
            text.extend(end.as_bytes());
        }
        match kind {
            // At the start: releases of ripgrep differ in what they say of the lines before a NUL byte.
            0 => [b"\0 foo\nfoo\n", text.as_slice()].concat(),
            1 => [b"\xef\xbb\xbf".as_slice(), &text].concat(),
            2 => {
                let text = String::from_utf8_lossy(&text).into_owned();
                [0xfeffu16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
            }
            _ => text,
        }
    })
}

fn tree() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let ignores = prop::sample::select(vec!["build/\n", "*.ts\n!b.ts\n", "/dist\ntarget\n", "deep/\n", ""]);
    let names =
        prop::sample::select(vec![".gitignore", ".ignore", ".rgignore", "src/.gitignore", "src/.ignore"]);
    let rules = prop::collection::vec((names, ignores.prop_map(|text| text.as_bytes().to_vec())), 0..3);
    let files = prop::sample::subsequence(PATHS, 1..=PATHS.len())
        .prop_flat_map(|paths| paths.into_iter().map(|path| (Just(path), content())).collect::<Vec<_>>());
    (files, rules).prop_map(|(files, rules)| files.into_iter().chain(rules).collect())
}

fn scope() -> impl Strategy<Value = Scope> {
    let globs = prop::collection::vec(
        prop::sample::select(vec!["*.rs", "!src/**", "**/deep/*", "{a,b}.*", "/src"]),
        0..2,
    );
    let types = prop::collection::vec(prop::sample::select(vec!["rust", "ts", "py"]), 0..2);
    (globs, types, any::<bool>(), any::<bool>()).prop_map(|(globs, types, hidden, ignored)| Scope {
        globs: globs.into_iter().map(Into::into).collect(),
        types: types.into_iter().map(Into::into).collect(),
        hidden,
        ignored,
        ..Scope::all("/")
    })
}

prop_compose! {
    fn query()(
        scope in scope(),
        patterns in prop::collection::vec(
            prop::sample::select(vec!["foo", "Foo", "foo|bar", "a.c", r"\bfoo\b", "^", "$", "foo$", "^fn", "ä", r"[fF]oo\w*", "x*", r"\s+", "(a)"]), 1..4),
        literal in prop::bool::weighted(0.3),
        case in prop::sample::select(vec![Case::Sensitive, Case::Insensitive, Case::Smart]),
        word in prop::bool::weighted(0.2),
        multiline in prop::bool::weighted(0.2),
        before in 0..3usize,
        after in 0..3usize,
        binary in prop::bool::weighted(0.2),
        encoding in prop::option::weighted(0.1, prop::sample::select(vec!["utf-8", "latin1", "utf-16le"])),
    ) -> TextQuery {
        TextQuery {
            patterns: patterns.into_iter().map(Into::into).collect(),
            literal, case, word, multiline, before, after, binary,
            encoding: encoding.map(Into::into),
            line_chars: 10_000,
            ..TextQuery::new(scope, "")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn text_is_found_as_by_ripgrep(files in tree(), query in query(), limit in 1..40usize) {
        let tree = Tree::of(&files);
        tree.write(".git/config", "foo Foo bar x\n");
        let query = TextQuery { scope: Scope { root: tree.root(), ..query.scope.clone() }, ..query };
        let (expected, hits) = rg(&tree.root(), &args(&query));
        // With pages, a line of context between two hits may be on either side of the cut; the hits are the same.
        let only_hits = |all: &ByFile| -> ByFile {
            let kept = all.iter().map(|(path, lines)| (path.clone(), lines.iter().filter(|l| !l.1).cloned().collect::<Vec<_>>()));
            kept.filter(|(_, lines)| !lines.is_empty()).collect()
        };
        let (whole, total) = ours(&query, 100_000);
        if query.word && query.multiline {
            // Ripgrep gives lines of context for hits that turn out to be none.
            prop_assert_eq!(only_hits(&whole), only_hits(&expected), "rg {:?}", args(&query));
        } else {
            prop_assert_eq!(&whole, &expected, "rg {:?}", args(&query));
        }
        prop_assert_eq!(total, hits);
        let (paged, total) = ours(&query, limit);
        prop_assert_eq!(only_hits(&paged), only_hits(&expected), "in pages of {}", limit);
        prop_assert_eq!(total, hits);
    }

    #[test]
    fn files_are_found_as_by_ripgrep(files in tree(), scope in scope(), limit in 1..8usize, newest: bool) {
        let tree = Tree::of(&files);
        let scope = Scope { root: tree.root(), ..scope };
        let args = args(&TextQuery { patterns: vec![], ..TextQuery::new(scope.clone(), "") });
        let output = Command::new(Tools::find().unwrap().ripgrep().unwrap())
            .args(["--no-config", "--files", "--sort", "path"]).args(&args).current_dir(tree.root()).output().unwrap();
        let mut expected: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = files_page(&scope, newest, limit, cursor);
            prop_assert_eq!(page.total, Count::Exactly(expected.len() as u64));
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if newest {
            let time = |path: &String| std::fs::metadata(tree.root().join(path)).unwrap().modified().unwrap();
            prop_assert!(found.windows(2).all(|two| time(&two[0]) >= time(&two[1])));
            found.sort();
        } else {
            expected.sort_by(|a, b| Path::new(a).cmp(Path::new(b)));
        }
        if newest {
            expected.sort();
        }
        prop_assert_eq!(found, expected);
    }
}

fn files_page(scope: &Scope, newest: bool, limit: usize, cursor: Option<String>) -> Found<String> {
    files(FileQuery { scope: scope.clone(), newest, page: Page { cursor, ..Page::first(limit) } })
}

#[test]
fn a_large_tree_gives_the_same_as_ripgrep() {
    let root = corpus().unwrap();
    for (pattern, limit) in
        [("createElement", 200), (r"function \w+Symbol\(", 50), ("zzqqxx", 10), ("useEffect", 100_000)]
    {
        let query = TextQuery { line_chars: 100_000_000, ..TextQuery::new(Scope::all(&root), pattern) };
        let (expected, hits) = rg(&root, &args(&query));
        let (found, total) = ours(&query, limit);
        assert_eq!(total, hits, "{pattern}");
        assert!(found == expected, "{pattern}: the hits differ");
    }
}

#[test]
fn what_was_not_read_like_the_rest_is_said() {
    let long = format!("{}needle\n", "y".repeat(12 << 20));
    let tree = Tree::of(&[
        ("image.bin", b"needle\n\0\0needle\n".as_slice()),
        ("latin.txt", b"na\xefve needle\n"),
        ("long.txt", long.as_bytes()),
        ("sixteen.txt", b"\xff\xfen\0e\0e\0d\0l\0e\0"),
    ]);
    let found = text(TextQuery::new(Scope::all(tree.root()), "needle")).unwrap();
    let paths: Vec<_> = found.items.iter().map(|f| f.path.as_str()).collect();
    // The first line of the binary file comes before its first NUL byte, but in the same read.
    assert_eq!(paths, ["latin.txt", "long.txt", "sixteen.txt"]);
    assert_eq!(
        found.remarks,
        ["1 file with NUL bytes, searched up to the first of them (`binary` searches all of it): image.bin"]
    );
    let long = &found.items[1].lines[0];
    assert_eq!((long.number, long.spans.as_slice()), (1, [((12 << 20) + 1, (12 << 20) + 7)].as_slice()));
    assert!(long.text.ends_with("needle") && long.text.chars().count() < 400, "{}", long.text.len());
    let whole =
        text(TextQuery { binary: true, ..TextQuery::new(Scope::all(tree.root()), "needle") }).unwrap();
    assert_eq!((whole.items.len(), whole.remarks.len()), (4, 0));
}

#[test]
fn bad_questions_are_answered_with_what_to_write() {
    let tree = Tree::of(&[("a.rs", "x\n")]);
    let plain = TextQuery::new(Scope::all(tree.root()), "x");
    let scope = |change: fn(&mut Scope)| {
        let mut scope = Scope::all(tree.root());
        change(&mut scope);
        TextQuery { scope, ..plain.clone() }
    };
    let cases = [
        (TextQuery { patterns: vec!["(".into()], ..plain.clone() }, "set `literal`"),
        (TextQuery { patterns: vec!["a\nb".into()], ..plain.clone() }, "set `multiline`"),
        (TextQuery { patterns: vec!["a\\x00".into()], ..plain.clone() }, "set `binary`"),
        (TextQuery { patterns: vec![], ..plain.clone() }, "say what to search for"),
        (TextQuery { encoding: Some("klingon".into()), ..plain.clone() }, "utf-16le"),
        (
            TextQuery { page: Page { cursor: Some("x".into()), ..Page::first(5) }, ..plain.clone() },
            "is no cursor",
        ),
        (scope(|s| s.path = "nowhere".into()), "there is no nowhere"),
        (scope(|s| s.types = vec!["klingon".into()]), "named as in ripgrep"),
        (scope(|s| s.globs = vec!["{".into()]), "glob \"{\""),
    ];
    for (query, part) in cases {
        let Err(CodeError::Invalid(said)) = text(query.clone()) else { panic!("taken: {query:?}") };
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
}

#[test]
fn a_search_that_nobody_waits_for_ends() {
    let root = corpus().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let search = TreeSearch::default();
        let slow = || TextQuery {
            multiline: true,
            ..TextQuery::new(Scope::all(&root), r"(a|b|c|d)+zz[\s\S]{0,50}qq(x|y)+zz")
        };
        // Asked to stop.
        let stop = Stop::default();
        let asked = search.text(slow(), stop.clone());
        let puller = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            stop.pull();
        };
        let (answer, ()) = tokio::join!(asked, puller);
        assert_eq!(answer, Err(CodeError::Cancelled));
        // Forgotten: both places are free again at once, long before the searches could have ended.
        for _ in 0..20 {
            let _ =
                tokio::time::timeout(Duration::from_millis(1), search.text(slow(), Stop::default())).await;
        }
        let started = Instant::now();
        let quick = TextQuery::new(Scope { path: "lodash/lodash.js".into(), ..Scope::all(&root) }, "lodash");
        assert!(matches!(search.text(quick, Stop::default()).await, Ok(found) if !found.items.is_empty()));
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    });
}

#[test]
fn four_hundred_mixed_calls_at_once_are_all_right() {
    let files: Vec<_> =
        (0..200).map(|n| (format!("src/f{n}.rs"), format!("fn f{n}() {{ call({n}); }}\n"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let tree = Tree::of(&files);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let search = std::sync::Arc::new(TreeSearch::default());
        let calls: Vec<_> = (0..400)
            .map(|n| {
                let (search, scope, one) = (search.clone(), Scope::all(tree.root()), n % 200);
                tokio::spawn(async move {
                    let page = Page::first(10);
                    let paths: Vec<String> = match n % 3 {
                        0 => {
                            let query = TextQuery { word: true, ..TextQuery::new(scope, format!("f{one}")) };
                            search
                                .text(query, Stop::default())
                                .await
                                .unwrap()
                                .items
                                .into_iter()
                                .map(|f| f.path)
                                .collect()
                        }
                        1 => {
                            let scope = Scope { globs: vec![format!("f{one}.rs")], ..scope };
                            search
                                .files(FileQuery { scope, newest: true, page }, Stop::default())
                                .await
                                .unwrap()
                                .items
                        }
                        _ => {
                            let query = gantry::ports::code::CodeQuery {
                                scope,
                                pattern: format!("call({one})"),
                                language: "rust".into(),
                                rewrite: None,
                                page,
                            };
                            search
                                .code(query, Stop::default())
                                .await
                                .unwrap()
                                .items
                                .into_iter()
                                .map(|n| n.path)
                                .collect()
                        }
                    };
                    assert_eq!(paths, [format!("src/f{one}.rs")], "call {n}");
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    });
}

#[test]
fn what_is_ignored_stays_so_unless_it_is_asked_for() {
    let tree =
        Tree::of(&[("a.rs", "x\n"), ("build/b.rs", "x\n"), (".c/d.rs", "x\n"), (".gitignore", "build\n")]);
    tree.write(".git/e.rs", "x\n");
    let found = |globs: &[&str], hidden, ignored| {
        let globs = globs.iter().map(ToString::to_string).collect();
        let scope = Scope { globs, hidden, ignored, ..Scope::all(tree.root()) };
        files(FileQuery { scope, newest: false, page: Page::first(10) }).items
    };
    for everything in [&[][..], &["**/*"], &["*"], &["**"], &["**/*", "*.rs"]] {
        assert_eq!(found(everything, false, false), ["a.rs"], "{everything:?}");
    }
    assert_eq!(found(&["**/*"], true, false), [".c/d.rs", ".gitignore", "a.rs"]);
    assert_eq!(found(&["*.rs"], true, true), [".c/d.rs", "a.rs", "build/b.rs"]);
    assert_eq!(found(&[".*/*"], false, false), [".c/d.rs"; 0]);
}

/// Files of one page, those of each after it, and how often a page was asked for.
fn paths_in_pages(root: &Path, limit: usize) -> Vec<String> {
    let mut cursor = None;
    let mut all = Vec::new();
    for _ in 0..100 {
        let query =
            FileQuery { scope: Scope::all(root), newest: false, page: Page { cursor, ..Page::first(limit) } };
        let found = block_on(TreeSearch::default().files(query, Stop::default())).unwrap();
        all.extend(found.items);
        cursor = found.next;
        if cursor.is_none() {
            return all;
        }
    }
    panic!("no end: {all:?}");
}

#[test]
fn a_name_that_is_no_text_is_paged_over() {
    let tree = Tree::of(&[("b.txt", "needle\n")]);
    let odd = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(b"a\xff%.txt".to_vec());
    std::fs::write(tree.root().join(odd), "needle\n".repeat(5)).unwrap();
    let mut cursor = None;
    let mut hits = 0;
    for page in 1.. {
        let query = TextQuery {
            page: Page { cursor, ..Page::first(2) },
            ..TextQuery::new(Scope::all(tree.root()), "needle")
        };
        let found = text(query).unwrap();
        hits += found.items.iter().map(|file| file.lines.len()).sum::<usize>();
        cursor = found.next;
        if cursor.is_none() {
            break;
        }
        assert!(page < 5, "the same page again");
    }
    assert_eq!(hits, 6);
    assert_eq!(paths_in_pages(&tree.root(), 1).len(), 2);
}

#[test]
fn long_paths_count_for_the_length_of_an_answer() {
    let folder = "d".repeat(200);
    let files: Vec<_> = (0..400).map(|n| (format!("{folder}/{folder}/{n:03}.txt"), "needle\n")).collect();
    let tree = Tree::of(&files.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>());
    let page = Page { bytes: 32 * 1024, ..Page::first(1_000) };
    let found =
        text(TextQuery { page: page.clone(), ..TextQuery::new(Scope::all(tree.root()), "needle") }).unwrap();
    assert!(found.next.is_some() && (50..=81).contains(&found.items.len()), "{}", found.items.len());
    let query = FileQuery { scope: Scope::all(tree.root()), newest: true, page };
    let found = block_on(TreeSearch::default().files(query, Stop::default())).unwrap();
    assert!(found.next.is_some() && (50..=81).contains(&found.items.len()), "{}", found.items.len());
}

#[test]
fn a_file_that_memory_has_no_room_for_is_named() {
    let tree = Tree::of(&[("a.txt", "needle\n")]);
    std::fs::File::create(tree.root().join("huge.bin")).unwrap().set_len(200 << 20).unwrap();
    let query = |multiline| TextQuery {
        multiline,
        binary: true,
        ..TextQuery::new(Scope::all(tree.root()), "needle")
    };
    for multiline in [false, true] {
        let found = text(query(multiline)).unwrap();
        assert_eq!(found.items.len(), 1);
        assert!(
            found.remarks[0].starts_with("1 file with more than 128 MB to be held at once"),
            "{:?}",
            found.remarks
        );
        assert!(found.remarks[0].ends_with(": huge.bin"), "{:?}", found.remarks);
    }
}
