//! The watchdog: what it was told of is ended when its input ends, and nothing else.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test of processes")]
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn sleeper() -> Child {
    Command::new("sleep").arg("600").process_group(0).spawn().unwrap()
}

#[test]
fn groups_that_were_not_ended_are_killed_when_the_input_ends() {
    let mut left = sleeper();
    let mut ended = sleeper();
    let mut unknown = sleeper();
    let mut watchdog =
        Command::new(env!("CARGO_BIN_EXE_gantry")).arg("watchdog").stdin(Stdio::piped()).spawn().unwrap();
    let mut input = watchdog.stdin.take().unwrap();
    writeln!(input, "+{}\n+{}\nnonsense\n+0\n-{}", left.id(), ended.id(), ended.id()).unwrap();
    assert!(left.try_wait().unwrap().is_none(), "nothing is ended while the input is open");
    drop(input);

    assert!(watchdog.wait().unwrap().success());
    let until = Instant::now() + Duration::from_secs(5);
    while left.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(left.wait().unwrap().signal(), Some(9));
    for other in [&mut ended, &mut unknown] {
        assert!(other.try_wait().unwrap().is_none(), "not told of, or told that it has ended");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
