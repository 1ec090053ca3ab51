//! The code tools for people.
use crate::home::Home;
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xtask::lab::tools::Tools;

fn project() -> Home {
    let home = Home::new();
    home.write("app/.git/HEAD", "ref: refs/heads/main\n");
    home.write("app/src/a.rs", "fn main() {\n    let x = one.unwrap();\n    two.unwrap();\n}\n");
    home.write("app/src/b.ts", "export const x = 1\n");
    home.write("app/.gitignore", "build\n");
    home.write("app/build/out.rs", "fn built() { x.unwrap() }\n");
    home
}

#[test]
fn text_is_searched() {
    let home = project();
    let said = home.gantry(&["search", "--project", "app", "unwrap", "-C1"]);
    assert_eq!(
        said.ok(),
        "src/a.rs\n  1- fn main() {\n  2:     let x = one.unwrap();\n  3:     two.unwrap();\n  4- }\n2 hits.\n"
    );
    let ignored = home.gantry(&["search", "--project", "app", "unwrap", "--ignored", "--limit", "1"]).ok();
    assert!(
        ignored.starts_with("build/out.rs\n  1: fn built() { x.unwrap() }\nat least 3 hits, 1 shown;"),
        "{ignored}"
    );
    let json = home.gantry(&["search", "--project", "app", "-e", "one", "-e", "const", "--json"]).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["hits"], &json["exact"], &json["truncated"]), (&2.into(), &true.into(), &false.into()));
    assert_eq!(json["files"][0]["lines"][0]["spans"], serde_json::json!([[13, 16]]));
    assert_eq!(home.gantry(&["search", "--project", "app", "nothing here"]).code, 1);
    let wrong = home.gantry(&["search", "--project", "app", "("]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("set `literal`"), "{}", wrong.err);
    assert!(
        home.gantry(&["search", "--project", "app", "x", "../.."]).err.contains("leads outside the project")
    );
}

#[test]
fn files_are_found() {
    let home = project();
    let said = home.gantry(&["search", "--project", "app", "--files", "--by-path", "**"]).ok();
    assert_eq!(said, "src/a.rs\nsrc/b.ts\n2 files.\n");
    assert_eq!(home.gantry(&["search", "--project", "app", "--files", "--by-path"]).ok(), said);
    assert_eq!(home.gantry(&["search", "--project", "app", "--files", "*.rs"]).ok(), "src/a.rs\n1 file.\n");
}

#[test]
fn code_is_found_and_rewritten() {
    let home = project();
    let ask = ["search", "--project", "app", "--code", "rust", "$A.unwrap()"];
    assert_eq!(home.gantry(&ask).ok(), "src/a.rs\n  2:13: one.unwrap()\n  3:5: two.unwrap()\n2 hits.\n");
    let rewrite = [&ask[..], &["--rewrite", "$A?"]].concat();
    let preview = home.gantry(&rewrite).ok();
    assert!(preview.starts_with("Would change 2 places in 1 file. Nothing is written"), "{preview}");
    assert!(preview.contains("+    two?;\n"), "{preview}");
    assert!(home.read("app/src/a.rs").unwrap().contains("unwrap"));
    let done = home.gantry(&[&rewrite[..], &["--apply"]].concat()).ok();
    assert_eq!(done, "Changed 2 places in 1 file. The files are written.\nsrc/a.rs: 2 places\n");
    assert_eq!(home.read("app/src/a.rs").unwrap(), "fn main() {\n    let x = one?;\n    two?;\n}\n");
}

#[test]
fn diagnostics_say_what_was_not_checked() {
    let home = project();
    let said = home.gantry(&["diagnostics", "--project", "app", "src/b.ts"]);
    assert_eq!(said.code, 4);
    assert!(
        said.out.starts_with(
            "No file was checked.\nNOT CHECKED: src/b.ts: typescript-language-server is not installed"
        ),
        "{}",
        said.out
    );

    std::os::unix::fs::symlink(Tools::find().unwrap().modules(), home.path("app/node_modules")).unwrap();
    home.write("app/src/b.ts", "export const x: string = 1\n");
    let said = home.gantry(&["diagnostics", "--project", "app", "src/b.ts"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.out,
        "src/b.ts:1:14: error [typescript 2322]: Type 'number' is not assignable to type 'string'.\n1 file checked.\n"
    );
    home.write("app/src/b.ts", "export const x: string = \"\"\n");
    let said = home.gantry(&["diagnostics", "--project", "app", "src/b.ts", "--json"]);
    assert_eq!(said.code, 0);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"checked": ["src/b.ts"], "errors": 0, "warnings": 0, "hits": 0, "found": [], "truncated": false, "unchecked": []})
    );
    let said = home.gantry(&["diagnostics", "--project", "app"]);
    assert_eq!(said.err, "gantry: there is no commit to compare with here: name the files to look at\n");
    assert!(home.gantry(&["diagnostics", "--project", "app", "none.ts"]).err.contains("there is no none.ts"));
}

/// rustup's `rust-analyzer` installs the toolchain that a project names, if it is let.
#[test]
fn nothing_is_downloaded_for_a_question() {
    let home = project();
    home.write("app/Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\n");
    home.write("app/rust-toolchain.toml", "[toolchain]\nchannel = \"1.31.0\"\n");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let asked = || std::iter::from_fn(|| server.accept().ok()).count();
    let with_server = |command: &mut Command| {
        command.env_remove("RUSTUP_AUTO_INSTALL").env("RUSTUP_HOME", home.path("rustup"));
        command.env("RUSTUP_DIST_SERVER", format!("http://{}", server.local_addr().unwrap()));
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    };
    let Ok(mut proxy) = with_server(Command::new("rust-analyzer").current_dir(home.path("app"))) else {
        eprintln!("no rust-analyzer is on this machine: not run");
        return;
    };
    let end = Instant::now() + Duration::from_secs(10);
    let mut downloads = false;
    while !downloads && Instant::now() < end && proxy.try_wait().unwrap().is_none() {
        downloads = asked() > 0;
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy.kill().unwrap();
    proxy.wait().unwrap();
    if !downloads {
        eprintln!("no rustup that installs by itself is on this machine: not run");
        return;
    }
    asked();
    let said = with_server(&mut home.command(&["diagnostics", "--project", "app", "src/a.rs"])).unwrap();
    let said = said.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(asked(), 0, "{text}");
    assert_eq!(said.status.code(), Some(4));
    assert!(text.starts_with("No file was checked.\nNOT CHECKED: src/a.rs: rust-analyzer"), "{text}");
    assert!(!text.contains("backtrace"), "{text}");
}

/// The toolchain is there, and this part of it is not.
#[test]
fn a_proxy_without_a_server_behind_it_is_a_missing_server() {
    let home = project();
    let why =
        "error: Unknown binary 'rust-analyzer' in official toolchain 'stable-x86_64-unknown-linux-gnu'.";
    home.program("rust-analyzer", &format!("echo \"{why}\" >&2\nexit 1"));
    let text = home.gantry(&["diagnostics", "--project", "app", "src/a.rs"]).out;
    assert_eq!(
        text,
        "No file was checked.\nNOT CHECKED: src/a.rs: rust-analyzer is not installed: run `rustup component add rust-analyzer`.\n"
    );
}

#[test]
fn without_names_only_what_has_a_server_is_looked_at() {
    let home = project();
    let git = |args: &[&str]| {
        let done = Command::new("git").arg("-C").arg(home.path("app")).args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    std::fs::remove_dir_all(home.path("app/.git")).unwrap();
    std::os::unix::fs::symlink(Tools::find().unwrap().modules(), home.path("app/node_modules")).unwrap();
    home.write("app/.gitignore", "node_modules\nbuild\n");
    git(&["init", "--quiet"]);
    git(&["add", "src/a.rs", ".gitignore"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "a"]);
    home.write("app/README.md", "about\n");
    let said = home.gantry(&["diagnostics", "--project", "app"]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 file checked, nothing found.\n"), "{}", said.err);
    let said = home.gantry(&["diagnostics", "--project", "app", "README.md"]);
    assert_eq!(said.code, 4);
    assert!(said.out.contains("NOT CHECKED: README.md: no language server is known"), "{}", said.out);
    // A folder means what is in it, and its programs may be above it.
    let said = home.gantry(&["diagnostics", "--project", "app/src", "b.ts"]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 file checked, nothing found.\n"));
    home.write("app/src/b.ts", "export const x: string = 1\n");
    std::fs::remove_file(home.path("app/src/a.rs")).unwrap();
    let said = home.gantry(&["diagnostics", "--project", "app", "src"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.starts_with("src/b.ts:1:14: error") && said.out.ends_with("\n1 file checked.\n"),
        "{}",
        said.out
    );
}

#[test]
fn a_flag_that_would_do_nothing_is_refused() {
    let home = Home::new();
    let project = ["search", "--project", "."];
    for (args, fault) in [
        (&["--files", "-F"][..], "cannot be used with"),
        (&["--files", "--encoding", "nonsense"], "cannot be used with"),
        (&["--code", "rust", "-i", "$A"], "cannot be used with"),
        (&["--code", "rust", "-t", "py", "$A"], "cannot be used with"),
        (
            &["-e", "foo", "src", "a.ts"],
            "with -e at most one path is searched, and there are two, src and a.ts",
        ),
    ] {
        let said = home.gantry(&[&project[..], args].concat());
        assert!(said.code == 2 && said.err.contains(fault), "{args:?}: {}", said.err);
    }
}
