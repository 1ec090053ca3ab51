//! What a change brings in, as the gate asks for it.
use crate::diagnostics::{ask, native, places, python, typescript};
use crate::tree::Tree;
use gantry::adapters::system::LanguageServers;
use gantry::ports::code::{Diagnosed, Diagnostics};
use std::process::Command;

type Before<'a> = (&'a str, Option<&'a str>);

async fn new_errors(tree: &Tree, before: &[Before<'_>]) -> Diagnosed {
    let before = before.iter().map(|(path, text)| (path.to_string(), text.map(ToOwned::to_owned))).collect();
    LanguageServers::default().new_errors(tree.root(), before).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_deleted_and_still_imported_is_a_new_error() {
    let gone = "export const two = 2\n";
    let user = "import { two } from \"./gone\"\nexport const three = two + 1\n";
    for tree in [typescript(&[]), native(&[])] {
        tree.write("user.ts", format!("// touched\n{user}"));
        let found = new_errors(&tree, &[("gone.ts", Some(gone)), ("user.ts", Some(user))]).await;
        assert_eq!(places(&found.found), [("user.ts", 2, 21)], "{found:?}");
        assert_eq!(found.missing, []);
        // It was not there before either.
        let found = new_errors(&tree, &[("user.ts", Some(user))]).await;
        assert_eq!(places(&found.found), [], "{found:?}");
    }
    let tree = python(&[("user.py", "# touched\nfrom gone import two\n\nthree = two + 1\n")]);
    let user = "from gone import two\n\nthree = two + 1\n";
    let found = new_errors(&tree, &[("gone.py", Some("two = 2\n")), ("user.py", Some(user))]).await;
    assert_eq!(places(&found.found), [("user.py", 2, 6)], "{found:?}");
    let tree = python(&[("pkg/__init__.py", ""), ("user.py", "# touched\nfrom pkg import gone, old\n")]);
    let user = "from pkg import gone, old\n";
    let found = new_errors(&tree, &[("pkg/gone.py", Some("two = 2\n")), ("user.py", Some(user))]).await;
    assert_eq!(places(&found.found), [("user.py", 2, 17)], "{found:?}");
    if Command::new("gopls").arg("version").output().is_ok() {
        let user = "package main\n\nfunc main() {\n\tprintln(two())\n}\n";
        let tree = Tree::of(&[("go.mod", "module example.com/two\n\ngo 1.18\n")]);
        tree.write("user.go", format!("// touched\n{user}"));
        let gone = "package main\n\nfunc two() int {\n\treturn 2\n}\n";
        let found = new_errors(&tree, &[("gone.go", Some(gone)), ("user.go", Some(user))]).await;
        assert_eq!(places(&found.found), [("user.go", 5, 10)], "{found:?}");
        let user =
            "package main\n\nimport \"example.com/two/gone\"\n\nfunc main() {\n\tgone.Two()\n\tnone()\n}\n";
        tree.write("user.go", format!("// touched\n{user}"));
        let gone = "package gone\n\nfunc Two() {}\n";
        let found = new_errors(&tree, &[("gone/gone.go", Some(gone)), ("user.go", Some(user))]).await;
        assert_eq!(places(&found.found), [("user.go", 4, 8)], "none() was unknown before: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_new_file_breaks_elsewhere_is_a_new_error() {
    // Each declares the same thing for all of the program.
    let (old, new) = ("interface Same {\n  a: string\n}\n", "interface Same {\n  a: number\n}\n");
    for tree in [typescript(&[]), native(&[])] {
        tree.write("made.ts", new);
        tree.write("z_old.ts", format!("// touched\n{old}"));
        let found = new_errors(&tree, &[("made.ts", None), ("z_old.ts", Some(old))]).await;
        assert!(places(&found.found).iter().any(|(path, ..)| *path == "z_old.ts"), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_more_than_two_hundred_files_is_looked_at_whole() {
    for tree in [typescript(&[]), native(&[])] {
        let names: Vec<_> = (0..230).map(|n| format!("file{n:03}.ts")).collect();
        for name in &names {
            tree.write(name, "export const x: number = 1\n");
        }
        tree.write("file229.ts", "export const x: number = \"wrong\"\n");
        let before: Vec<Before<'_>> = names.iter().map(|name| (name.as_str(), None)).collect();
        let found = new_errors(&tree, &before).await;
        assert_eq!(places(&found.found), [("file229.ts", 1, 14)]);
        assert_eq!((found.unchecked, found.checked.len()), (vec![], 230));
        let named: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(ask(&LanguageServers::default(), &tree, &named).await.checked.len(), 230);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_the_bounds_is_named() {
    let tree = typescript(&[("a.ts", "export const a = 1\n")]);
    tree.write("large.ts", format!("export const large = `{}`\n", "x".repeat(5 << 20)));
    let names: Vec<_> = (0..2_003).map(|n| format!("file{n:04}.ts")).collect();
    names.iter().for_each(|name| tree.write(name, "export {}\n"));
    let answer = ask(&LanguageServers::default(), &tree, &["a.ts", "large.ts"]).await;
    assert_eq!(answer.checked, ["a.ts"]);
    assert_eq!(answer.unchecked[0].paths, ["large.ts"]);
    assert!(answer.unchecked[0].reason.contains("more than 4 MB"), "{:?}", answer.unchecked);
    // With no server, so that the bound is all that is asked for.
    let servers = LanguageServers::default().found_on("/nowhere".into());
    let before = names.iter().map(|name| (name.replace(".ts", ".py"), None)).collect();
    let answer = servers.new_errors(tree.root(), before).await.unwrap();
    let beyond = answer.unchecked.iter().find(|u| u.reason.contains("2000 files")).unwrap();
    assert_eq!(beyond.paths, ["file2000.py", "file2001.py", "file2002.py"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_means_the_files_in_it() {
    let tree = typescript(&[("src/a.ts", "let a: string = 1\n"), ("src/deep/b.ts", "let b: string = 1\n")]);
    tree.write("src/notes.md", "x");
    tree.write("src/out/c.ts", "let c: string = 1\n");
    tree.write(".gitignore", "out\n");
    tree.write("docs/notes.md", "x");
    let servers = LanguageServers::default();
    let answer = ask(&servers, &tree, &["src", "docs", "src/a.ts"]).await;
    assert_eq!(answer.checked, ["src/a.ts", "src/deep/b.ts"]);
    assert_eq!(places(&answer.found), [("src/a.ts", 1, 5), ("src/deep/b.ts", 1, 5)]);
    assert_eq!(answer.unchecked.iter().map(|u| u.paths.clone()).collect::<Vec<_>>(), [["docs"]]);
    // Asked from a folder inside, the programs of the repository are found.
    let inside = servers.of(tree.root().join("src/deep"), vec![".".into()]).await.unwrap();
    assert_eq!((inside.unchecked, places(&inside.found)), (vec![], vec![("b.ts", 1, 5)]));
}

/// A dependency that the change may name and cannot install.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_installed_is_no_fault_of_the_change() {
    let tree = python(&[(
        "app.py",
        "import absent_dependency\nfrom . import none\nimport own.none\n\nabsent_dependency.run()\n",
    )]);
    tree.write("own/__init__.py", "");
    let found = new_errors(&tree, &[("app.py", Some("x = 1\n"))]).await;
    assert_eq!(places(&found.missing), [("app.py", 1, 8)], "{found:?}");
    assert_eq!(places(&found.found), [("app.py", 2, 6), ("app.py", 3, 8)], "{found:?}");

    let app = "import { serve } from \"absent-dependency\"\nimport { x } from \"./none\"\nimport \"typescript/none.js\"\n\
               serve((request) => request.url + x)\nexport const wrong: string = 1\n";
    for tree in [typescript(&[]), native(&[])] {
        tree.write("app.ts", app);
        let found = new_errors(&tree, &[("app.ts", Some(""))]).await;
        // The callback's implicit `any` is what follows.
        assert_eq!(places(&found.missing), [("app.ts", 1, 23), ("app.ts", 4, 8)], "{found:?}");
        let lines: Vec<_> = places(&found.found).iter().map(|(_, line, _)| *line).collect();
        assert!(lines == [2, 5] || lines == [2, 3, 5], "{found:?}");
    }

    if Command::new("gopls").arg("version").output().is_ok() {
        let app = "package main\n\nimport (\n\t\"example.com/absent/lib\"\n\t\"example.com/app/none\"\n)\n\n\
                   func main() {\n\tlib.Run()\n\tnone.Run()\n}\n";
        let tree = Tree::of(&[("go.mod", "module example.com/app\n\ngo 1.18\n"), ("main.go", app)]);
        let found = new_errors(&tree, &[("main.go", Some("package main\n\nfunc main() {}\n"))]).await;
        assert_eq!(places(&found.missing).iter().map(|p| p.1).collect::<Vec<_>>(), [4], "{found:?}");
        assert_eq!(places(&found.found).iter().map(|p| p.1).collect::<Vec<_>>(), [5], "{found:?}");
    }
}
