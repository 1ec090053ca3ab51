use super::*;
use proptest::prelude::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| pattern(text)).collect()
}

fn holder(task: &str) -> Holder {
    Holder { mission: "m".into(), task: task.into() }
}

#[test]
fn what_a_pattern_covers() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("src/a.rs", &["src/a.rs", "SRC/A.rs"], &["src/b.rs", "src", "a.rs", "src/a.rss"]),
        ("src", &["src", "src/a.rs", "src/x/y"], &["srcs/a.rs", "a/src"]),
        ("src/", &["src/a.rs", "src/x/y"], &["srcs"]),
        ("src/*", &["src/a.rs", "src/.hidden"], &["src/x/y", "src"]),
        ("src/*/", &["src/x/y", "src/x/y/z"], &["other/x/y"]),
        ("src/*.rs", &["src/a.rs", "src/.rs"], &["src/a.ts", "src/x/a.rs"]),
        ("**/*.rs", &["a.rs", "src/a.rs", "src/x/a.rs"], &["a.ts", "src/a.rs.bak"]),
        ("src/**", &["src/a", "src/x/y"], &["lib/a"]),
        ("a/**/z", &["a/z", "a/b/z", "a/b/c/z", "a/z/below"], &["a/b", "z"]),
        ("file?.txt", &["file1.txt", "fileä.txt"], &["file.txt", "file12.txt"]),
        ("app/[id]/page.tsx", &["app/[id]/page.tsx"], &["app/i/page.tsx"]),
        ("{{name}}/x.py", &["{{name}}/x.py"], &["name/x.py"]),
        (".", &["a", "x/y/z"], &[]),
        (".\\win\\path", &["win/path", "win/path/x"], &["win"]),
    ];
    for (text, inside, outside) in rows {
        for path in *inside {
            assert!(pattern(text).covers(path), "{text} covers {path}");
        }
        for path in *outside {
            assert!(!pattern(text).covers(path), "{text} does not cover {path}");
        }
    }
}

#[test]
fn which_patterns_overlap() {
    let rows = [
        ("src/*.rs", "src/a.*", true),
        ("src/*.rs", "src/*.ts", false),
        ("src/*.rs", "src/x", false),
        ("src", "src/deep/**/a.rs", true),
        ("**/*.rs", "src/**", true),
        ("**/test_*.py", "tests/*_a.py", true),
        ("a/**/b", "a/*.c", false),
        ("a/**/b", "a/c", true),
        ("a/**/b/*", "a/x/**", true),
        ("a?c", "ab*", true),
        ("a?c", "a*d", false),
        ("docs", "src", false),
        (".", "anything", true),
    ];
    for (a, b, expected) in rows {
        assert_eq!(pattern(a).overlaps(&pattern(b)), expected, "{a} and {b}");
        assert_eq!(pattern(b).overlaps(&pattern(a)), expected, "{b} and {a}");
    }
}

#[test]
fn what_is_no_path_of_the_project() {
    use PathFault::*;
    let long = "x/".repeat(501);
    let rows = [
        ("", Empty),
        ("/etc", Absolute),
        ("\\\\server\\share", Absolute),
        ("c:", Absolute),
        ("c:\\x", Absolute),
        ("~", Home),
        ("~root/x", Home),
        ("..", Parent),
        ("a\\..\\b", Parent),
        (".git", Git),
        ("sub/.GIT/config", Git),
        ("a.{js,ts}", Braces),
        ("a\nb", Control),
        (long.as_str(), TooLong),
    ];
    for (text, fault) in rows {
        assert_eq!(Pattern::parse(text).err(), Some(fault), "{text}");
    }
    for text in [".github/x", ".gitignore", "...", "a~", "ab:c", "-x"] {
        assert!(Pattern::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn texts_are_normalised_and_read_back_the_same() {
    for (text, expected) in
        [("./a//b/", "a/b"), ("a\\*\\", "a/*/"), (".", "."), ("./", "."), ("a/**/", "a/**")]
    {
        let first = pattern(text);
        assert_eq!(first.to_string(), expected);
        for path in ["a", "a/b", "a/b/c", "a/x/c", "z"] {
            assert_eq!(pattern(expected).covers(path), first.covers(path), "{text} and {expected} on {path}");
        }
    }
}

#[test]
fn a_grant_is_all_or_nothing() {
    let mut table = LeaseTable::default();
    table.grant(&holder("T1"), &patterns(&["src/a.rs", "docs"]), 1).expect("free");
    let refused = table.grant(&holder("T2"), &patterns(&["lib", "docs/*.md"]), 2);
    assert_eq!(refused, Err(Conflict::Held { holder: holder("T1"), pattern: pattern("docs") }));
    assert_eq!(table.check(&holder("T3"), "lib/x"), Check::Free, "the half that was free was not taken");
    assert_eq!(table.extend(&holder("T2"), "lib/x"), Err(Conflict::NoLease));

    table.release(&holder("T1"));
    table.grant(&holder("T2"), &patterns(&["lib", "docs/*.md"]), 2).expect("free again");
    assert_eq!(table.check(&holder("T2"), "docs/a.md"), Check::Mine);
    let held = Check::Held { holder: holder("T2"), pattern: pattern("docs/*.md") };
    assert_eq!(table.check(&holder("T1"), "docs/a.md"), held);
}

#[test]
fn a_task_without_files_takes_them_as_it_meets_them() {
    let mut table = LeaseTable::default();
    table.grant(&holder("T1"), &[], 1).expect("nothing to conflict with");
    table.grant(&holder("T2"), &[], 2).expect("nothing to conflict with");
    assert_eq!(table.check(&holder("T1"), "a[*].rs"), Check::Free);
    table.extend(&holder("T1"), "a[*].rs").expect("free");
    table.extend(&holder("T1"), "a[*].rs").expect("mine already");
    assert_eq!(table.check(&holder("T1"), "a[*].rs"), Check::Mine);
    table.extend(&holder("T2"), "a[x].rs").expect("a star in the name of a file is no wildcard");
    let refused = table.extend(&holder("T2"), "a[*].rs");
    assert!(matches!(&refused, Err(Conflict::Held { holder: by, .. }) if *by == holder("T1")), "{refused:?}");
    let text = refused.expect_err("held").to_string();
    assert_eq!(
        text,
        "task T1 of mission m is writing `a[*].rs`: work on other files first, or report partial and name this one"
    );
}

#[test]
fn a_later_attempt_keeps_the_lease_and_an_earlier_one_is_fenced_off() {
    let mut table = LeaseTable::default();
    table.grant(&holder("T1"), &patterns(&["a"]), 1).expect("free");
    table.extend(&holder("T1"), "b").expect("free");
    table.grant(&holder("T1"), &patterns(&["c"]), 4).expect("its own");
    for path in ["a", "b", "c"] {
        assert_eq!(table.check(&holder("T1"), path), Check::Mine, "{path}");
    }
    assert_eq!(table.grant(&holder("T1"), &patterns(&["d"]), 3), Err(Conflict::Stale { newest: 4 }));
    assert_eq!(table.check(&holder("T1"), "d"), Check::Free);
    let other = Holder { mission: "n".into(), task: "T1".into() };
    assert!(matches!(table.check(&other, "a"), Check::Held { .. }), "the same task id of another mission");
}

/// Patterns and paths over few names, so that they meet often.
fn pattern_text() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "ab", "*", "a*", "*b", "?", "a?", "**", "A", "**b"]);
    (prop::collection::vec(name, 1..5), any::<bool>()).prop_map(|(names, slash)| {
        let mut text = names.join("/");
        if slash {
            text.push('/');
        }
        text
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abAB]{1,3}", 1..6).prop_map(|names| names.join("/"))
}

/// What a pattern means, written once more as plain recursion over names and characters.
fn means(pattern: &str, path: &str) -> bool {
    fn chars(p: &[char], s: &[char]) -> bool {
        match (p, s) {
            ([], []) => true,
            (['*', rest @ ..], _) => chars(rest, s) || (!s.is_empty() && chars(p, &s[1..])),
            (['?', p @ ..], [_, s @ ..]) => chars(p, s),
            ([x, p @ ..], [y, s @ ..]) => x == y && chars(p, s),
            _ => false,
        }
    }
    fn names(p: &[Vec<char>], s: &[Vec<char>]) -> bool {
        match (p, s) {
            ([], []) => true,
            ([deep, rest @ ..], _) if *deep == ['*', '*'] => {
                names(rest, s) || (!s.is_empty() && names(p, &s[1..]))
            }
            ([x, p @ ..], [y, s @ ..]) => chars(x, y) && names(p, s),
            _ => false,
        }
    }
    let split =
        |t: &str| -> Vec<Vec<char>> { t.split('/').map(|n| n.to_lowercase().chars().collect()).collect() };
    let folder =
        pattern.ends_with('/') || !pattern.rsplit('/').next().is_some_and(|last| last.contains(['*', '?']));
    let mut wanted = split(pattern.trim_end_matches('/'));
    if folder {
        wanted.push(vec!['*', '*']);
    }
    names(&wanted, &split(path))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn covering_means_what_the_words_say(text in pattern_text(), path in path()) {
        prop_assert_eq!(pattern(&text).covers(&path), means(&text, &path));
    }

    #[test]
    fn patterns_that_share_a_path_overlap(a in pattern_text(), b in pattern_text(), path in path()) {
        let (a, b) = (pattern(&a), pattern(&b));
        prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        prop_assert!(a.overlaps(&a));
        if a.covers(&path) && b.covers(&path) {
            prop_assert!(a.overlaps(&b));
        }
    }

    #[test]
    fn no_path_is_ever_anothers_too(
        steps in prop::collection::vec((0..4u8, 0..3u8, prop::collection::vec(pattern_text(), 0..3), path()), 1..40),
        probes in prop::collection::vec(path(), 8),
    ) {
        let mut table = LeaseTable::default();
        for (token, (act, who, texts, path)) in steps.into_iter().enumerate() {
            let who = holder(&format!("T{who}"));
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            match act {
                0 | 1 => drop(table.grant(&who, &patterns(&texts), token as u64)),
                2 => drop(table.extend(&who, &path)),
                _ => table.release(&who),
            }
            for probe in &probes {
                let owners = (0..3).filter(|i| table.check(&holder(&format!("T{i}")), probe) == Check::Mine).count();
                prop_assert!(owners <= 1, "{} has {} owners", probe, owners);
            }
        }
    }

    /// Who waits holds nothing, for a lease is had whole or not at all, and what is met on the way is refused, not waited
    /// for: so every order of work comes to its end.
    #[test]
    fn nobody_waits_for_ever(
        wanted in prop::collection::vec(prop::collection::vec(pattern_text(), 0..4), 1..8),
        steps in prop::collection::vec((any::<prop::sample::Index>(), path()), 64),
    ) {
        let mut table = LeaseTable::default();
        let mut waiting: Vec<usize> = (0..wanted.len()).collect();
        let mut working: Vec<usize> = Vec::new();
        let who = |task: &usize| holder(&format!("T{task}"));
        for (token, (pick, met)) in steps.iter().cycle().enumerate() {
            if waiting.is_empty() && working.is_empty() {
                break;
            }
            prop_assert!(token < 10 * steps.len(), "{:?} wait for ever", waiting);
            waiting.retain(|task| {
                let texts: Vec<&str> = wanted[*task].iter().map(String::as_str).collect();
                let granted = table.grant(&who(task), &patterns(&texts), token as u64).is_ok();
                if granted {
                    working.push(*task);
                }
                !granted
            });
            prop_assert!(!working.is_empty(), "{:?} wait for nobody", waiting);
            let at = pick.index(working.len());
            if table.extend(&who(&working[at]), met).is_err() || token % 2 == 0 {
                table.release(&who(&working.swap_remove(at)));
            }
        }
    }
}
