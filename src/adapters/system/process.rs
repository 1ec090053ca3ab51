//! Which process this is, and whether another one still lives.
use super::ids::new_id;
use crate::ports::store::OwnerIdentity;

/// Who this process is. Every call gives a new owner id: ask once per start.
pub fn identity() -> OwnerIdentity {
    let pid = std::process::id();
    OwnerIdentity {
        owner: new_id(),
        pid,
        pid_start: system::start_of(pid).unwrap_or_default(),
        boot: system::boot(),
    }
}

/// False only when it is sure that the process is gone. Where nothing can be said (another machine, another
/// container) it is true, and the expiry of what it holds has to decide.
pub fn alive(who: &OwnerIdentity) -> bool {
    judge(who, &system::boot(), system::start_of)
}

fn judge(who: &OwnerIdentity, here: &str, start_of: impl Fn(u32) -> Option<u64>) -> bool {
    if who.boot == here {
        // A pid may have been given out again: then the start differs.
        return start_of(who.pid) == Some(who.pid_start);
    }
    // machine/boot/namespace: another boot of this machine ended all of its processes.
    let mut theirs = who.boot.split('/');
    let mut ours = here.split('/');
    let machine = ours.next();
    let rebooted = machine.is_some_and(|name| !name.is_empty())
        && theirs.next() == machine
        && theirs.next() != ours.next();
    !rebooted
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    /// machine/boot/namespace. The namespace is in it because containers share the boot but not the pids.
    pub(super) fn boot() -> String {
        let text = |path| fs::read_to_string(path).unwrap_or_default().trim().to_string();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let machine = text("/etc/machine-id");
        format!("{machine}/{}/{}", text("/proc/sys/kernel/random/boot_id"), namespace.display())
    }

    /// Clock ticks from boot to the start of a process; `None` when it is gone or only waits to be reaped.
    pub(super) fn start_of(pid: u32) -> Option<u64> {
        parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in field 2 may hold blanks and brackets, so fields are counted from its last bracket.
    pub(super) fn parse(stat: &str) -> Option<u64> {
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        // State is field 3, the start time field 22.
        let start = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X" | "x")).then_some(start)
    }
}

/// Without `/proc` only the existence of a pid can be asked, so a pid given out again delays a take-over until
/// the lease expires.
#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use rustix::process::{Pid, test_kill_process};

    pub(super) fn boot() -> String {
        format!("{}//", rustix::system::uname().nodename().to_string_lossy())
    }

    pub(super) fn start_of(pid: u32) -> Option<u64> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        // Refused for want of rights means that it is there.
        (test_kill_process(pid) != Err(rustix::io::Errno::SRCH)).then_some(0)
    }
}

/// Nothing can be asked, so every holder counts as alive until its lease expires.
#[cfg(not(unix))]
mod system {
    pub(super) fn boot() -> String {
        "//".into()
    }

    pub(super) fn start_of(_pid: u32) -> Option<u64> {
        Some(0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_its_likenesses_do_not() {
        let me = identity();
        assert!(alive(&me));
        assert_ne!(identity().owner, me.owner);
        assert_eq!((identity().pid, identity().boot), (me.pid, me.boot.clone()));
        let reused = OwnerIdentity { pid_start: me.pid_start + 1, ..me.clone() };
        assert!(!alive(&reused), "same pid, other start");
        let none = OwnerIdentity { pid: 4_000_000_000, ..me };
        assert!(!alive(&none));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a second process is what is tested")]
    fn a_process_that_ended_is_gone_even_unreaped() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a process");
        let pid = child.id();
        let who = OwnerIdentity { pid, pid_start: system::start_of(pid).expect("a start"), ..identity() };
        assert!(alive(&who));
        child.kill().expect("a kill");
        // Not waited for yet: it stays as a zombie.
        let gone = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !alive(&who)
        });
        assert!(gone);
        child.wait().expect("its end");
        assert!(!alive(&who));
    }

    #[test]
    fn other_boots_and_other_machines() {
        let who = |boot: &str| OwnerIdentity { owner: "o".into(), pid: 7, pid_start: 3, boot: boot.into() };
        let cases = [
            ("m/b/n", Some(3), true, "here"),
            ("m/b/n", Some(4), false, "a pid given out again"),
            ("m/b/n", None, false, "gone"),
            ("m/b/other", None, true, "another container: cannot be told"),
            ("m/older/n", Some(3), false, "before the last boot"),
            ("far/older/n", None, true, "another machine: cannot be told"),
            ("", None, true, "says nothing"),
        ];
        for (boot, start, expected, why) in cases {
            assert_eq!(judge(&who(boot), "m/b/n", |_| start), expected, "{why}");
        }
        assert!(judge(&who("/older/n"), "/b/n", |_| None), "machines without a name may differ");
    }

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = |name: &str, state: &str| {
            format!(
                "12 ({name}) {state} 1 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2 18446744073709551615\n"
            )
        };
        for name in ["cat", "a b", "a) R (b", "tmux: server"] {
            assert_eq!(system::parse(&line(name, "S")), Some(98765), "{name}");
        }
        assert_eq!(system::parse(&line("cat", "Z")), None);
        assert_eq!(system::parse("12 (cat"), None);
    }
}
