//! What the command line says of itself.
use crate::home::Home;
use crate::stored::{ID, mission_from, mission_titled, mission_until};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The words of each command that is shown, the program itself first.
fn commands() -> Vec<Vec<String>> {
    fn collect(command: &clap::Command, words: &[String], all: &mut Vec<Vec<String>>) {
        all.push(words.to_vec());
        for sub in gantry::cli::shown(command) {
            collect(sub, &[words, &[sub.get_name().to_owned()]].concat(), all);
        }
    }
    let mut all = Vec::new();
    collect(&gantry::cli::tree(), &[], &mut all);
    assert!(all.len() > 30, "{all:?}");
    all
}

/// `GANTRY_BLESS=1` writes the file anew.
#[test]
fn help_is_what_was_agreed_and_fits() {
    let home = Home::new();
    let mut all = String::new();
    for command in commands() {
        let args: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let said = home.gantry(&args).ok();
        let wide: Vec<_> = said.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{command:?}: {wide:?}");
        all += &format!("$ gantry {}\n{said}\n", args.join(" "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help.txt");
    if std::env::var_os("GANTRY_BLESS").is_some() {
        std::fs::write(&file, &all).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == all,
        "tests/cli/help.txt differs: GANTRY_BLESS=1 writes it"
    );
}

#[test]
fn no_color_is_obeyed() {
    let home = Home::new();
    let coloured = |variables: &[&str]| {
        let mut command = home.command(&["install", "--nonsense"]);
        let output = command.envs(variables.iter().map(|name| (*name, "1"))).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        output.stderr.contains(&0x1b)
    };
    assert!(coloured(&["CLICOLOR_FORCE"]), "what there is to switch off");
    assert!(!coloured(&["CLICOLOR_FORCE", "NO_COLOR"]));
    assert!(!coloured(&[]), "into a pipe");
}

#[test]
fn every_command_is_in_the_page_and_in_the_completions() {
    let home = Home::new();
    let page = home.gantry(&["man"]).ok();
    let mut tree = gantry::cli::tree();
    for command in commands().iter().skip(1) {
        let title = format!("\n.SH GANTRY {}\n", command.join(" ").to_uppercase());
        let section = page.split_once(&title).map(|(_, rest)| rest.split("\n.SH GANTRY").next().unwrap());
        let section = section.unwrap_or_else(|| panic!("no {title}"));
        let found = command.iter().fold(&mut tree, |at, word| at.find_subcommand_mut(word).unwrap());
        for option in found.get_arguments().filter_map(|argument| argument.get_long()) {
            let option = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(section.contains(&option), "{command:?}: {option}\n{section}");
        }
    }
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef gantry"), ("fish", "complete -c gantry")]
    {
        let script = home.gantry(&["completions", shell]).ok();
        assert!(script.contains(word), "{shell}");
        assert!(
            !script.contains(|c: char| c == '\u{fffd}' || ('\u{2400}'..'\u{2420}').contains(&c)),
            "{shell}"
        );
        for command in commands().iter().skip(1) {
            assert!(script.contains(command.last().unwrap()), "{shell}: {command:?}");
        }
    }
    // The shell itself takes it.
    home.write("complete.bash", &home.gantry(&["completions", "bash"]).ok());
    let parsed =
        std::process::Command::new("bash").arg("-n").arg(home.path("complete.bash")).status().unwrap();
    assert!(parsed.success());
}

#[test]
fn wrong_arguments_are_usage() {
    let home = Home::new();
    for args in
        [&["nonsense"][..], &["show"], &["completions", "tcl"], &["missions", "--limit", "0"], &["run"]]
    {
        assert_eq!(home.gantry(args).code, 2, "{args:?}");
    }
    let said = home.gantry(&["show", "nope"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "gantry: there is no mission nope; `gantry missions` lists them\n")
    );
    for args in [&["watch"][..], &["export"]] {
        let said = home.gantry(args);
        assert_eq!(said.code, 1);
        assert!(said.err.contains("this folder has had no mission"), "{}", said.err);
    }
    let said = home.gantry(&["run", "do it"]);
    assert_eq!(said.code, 4);
    // The host may find the plugin where nobody else looks, so it is asked all the same.
    home.program("opencode", "echo 1.18.33; echo \"no command $3\" >&2");
    let said = home.gantry(&["run", "do it"]);
    let doubt = "gantry: Gantry is not in OpenCode's configuration, as far as it can be read: gantry install";
    assert_eq!(said.code, 4);
    assert_eq!(said.err.lines().next(), Some(doubt), "{}", said.err);
    let (_, last) = said.err.split_once("gantry: OpenCode ended without a mission. It said last:\n").unwrap();
    // Its two outputs are read side by side.
    assert!(last.contains("1.18.33\n") && last.contains("no command task\n"), "{}", said.err);
}

#[test]
fn a_mission_is_exported_whole_in_both_forms() {
    let home = Home::new();
    mission_until(&home, "turn_given_up");
    let json: Value = serde_json::from_str(&home.gantry(&["export", ID, "--json"]).ok()).unwrap();
    let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
    assert_eq!(text(&json["plan"]), "Evaluator and parser side by side, then the README.");
    let attempts = json["attempts"].as_array().unwrap();
    let told: Vec<_> = attempts
        .iter()
        .map(|a| format!("{} {} {}", text(&a["role"]), text(&a["task"]), text(&a["outcome"])))
        .collect();
    assert_eq!(told[..2], ["planner  done", "worker T1 done"]);
    assert_eq!(told[2], "worker T3 failed: the provider refused: ContentPolicy");
    let gate = &json["gates"]["T1"];
    assert_eq!(
        (&gate["verdict"]["approved"], &gate["checks"][0]["outcome"]),
        (&true.into(), &"passed".into())
    );
    assert!(
        json["tokens"].as_u64() > Some(0) && json["cost"].as_f64() > Some(0.0) && json["spent"].is_null()
    );
    let journal = json["journal"].as_array().unwrap();
    assert_eq!(text(&journal.last().unwrap()["kind"]), "turn_given_up");
    let document = home.gantry(&["export", ID]).ok();
    for part in [
        "## Plan",
        "### T1 completed",
        "- worker #2",
        "Review: approved. good",
        "## Timeline",
        "| spent in all |",
    ] {
        assert!(document.contains(part), "{part}:\n{document}");
    }
}

#[test]
fn what_is_exported_has_no_secret_in_it() {
    let home = Home::new();
    let journal = include_str!("../journals/v1.jsonl")
        .replace("teach calc to divide", "teach calc to divide with GITHUB_TOKEN=abcdef123456")
        .replace("zero is refused", "redis://:hunter22@db")
        .replace("+export const divide", "+const password = \\\"abcdef123456\\\";\\n+export const divide");
    mission_from(&home, &journal, "turn_given_up");
    for form in [&["export", ID][..], &["export", ID, "--json"]] {
        let document = home.gantry(form).ok();
        for part in ["divide with GITHUB_TOKEN=[masked]", "redis://:[masked]@db"] {
            assert!(document.contains(part), "{part}:\n{document}");
        }
        assert!(!document.contains("abcdef123456") && !document.contains("hunter22"), "{document}");
    }
}

#[test]
fn the_log_is_read_from_its_end() {
    let home = Home::new();
    assert_eq!(home.gantry(&["logs"]).ok(), "");
    let lines: Vec<_> = (0..100).map(|n| format!("{{\"n\":{n}}}")).collect();
    home.write("opencode-orchestrator.log", &format!("{}\n", lines.join("\n")));
    assert_eq!(home.gantry(&["logs", "-n", "2"]).ok(), "{\"n\":98}\n{\"n\":99}\n");
    assert_eq!(home.gantry(&["logs"]).ok().lines().count(), 50);

    // What is written from now on, also after the log was set aside and a new one begun.
    let mut follow = home.command(&["logs", "-f", "-n", "1"]);
    let mut child = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || seen.next().unwrap().unwrap();
    assert_eq!(next(), "{\"n\":99}");
    let log = home.path("opencode-orchestrator.log");
    fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"{\"n\":100}\n").unwrap();
    assert_eq!(next(), "{\"n\":100}");
    fs::rename(&log, log.with_extension("log.1")).unwrap();
    home.write("opencode-orchestrator.log", "{\"n\":101}\n");
    assert_eq!(next(), "{\"n\":101}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Whoever reads may go at any moment, and nothing has to be written for that to be seen.
#[test]
fn without_a_reader_nothing_is_followed() {
    let home = Home::new();
    mission_until(&home, "planned");
    home.write("opencode-orchestrator.log", "{\"n\":1}\n");
    for args in [&["logs", "-f"][..], &["watch", ID], &["watch", ID, "--json"]] {
        let mut child = home.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{args:?}");
        let ended = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            child.try_wait().unwrap().is_some()
        });
        if !ended {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{args:?} goes on");
        }
    }
}

#[test]
fn a_terminal_gets_what_fits_and_a_pipe_all() {
    let home = Home::new();
    let title = format!("Begin \u{1b}[31mred\u{7} {} the end", "and so on ".repeat(8));
    mission_titled(&home, &title);
    let whole = home.gantry(&["missions"]).ok();
    assert!(whole.contains("Begin ␛[31mred␇ and") && whole.trim_end().ends_with("the end"), "{whole}");
    let shown = home.in_terminal(&["missions"], 60);
    assert!(shown.contains("Begin ␛[31mred…") && !shown.contains("the end"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    for args in [&["show", ID][..], &["export", ID], &["export", ID, "-o", "it.md"], &["watch", ID]] {
        let said = home.gantry(args).out + &home.read("it.md").unwrap_or_default();
        assert!(!said.contains(['\u{1b}', '\u{7}']), "{args:?}: {said}");
        assert!(said.contains("␛[31mred␇"), "{args:?}: {said}");
    }
}
