//! Every call to the disk fails once, and is once the last: the configuration is the old or the new one, and the next
//! call goes on from there.
use super::rig::{Fate, Faulty, Rig, host};
use crate::setup::disk::{Disk, RealDisk};
use std::fs;
use std::sync::Barrier;
use std::time::Duration;

const BEFORE: &str = "{\n  // mine\n  \"a\": 1\n}\n";

fn rig() -> Rig {
    let rig = Rig::new();
    rig.write("opencode.json", BEFORE);
    rig
}

fn installed() -> (Rig, String) {
    let rig = rig();
    rig.install().expect("installed");
    let after = rig.read("opencode.json").expect("a file");
    (rig, after)
}

/// Calls an operation makes when all goes well.
fn calls(work: impl Fn(&Faulty)) -> u64 {
    let counting = Faulty::new(u64::MAX, Fate::Fails);
    work(&counting);
    counting.calls()
}

#[test]
fn an_installation_that_breaks_at_any_call() {
    let (_, after) = installed();
    let all = calls(|disk| drop(rig().install_on(disk)));
    assert!(all > 20, "{all}");
    for at in 0..all {
        for fate in [Fate::Fails, Fate::Late, Fate::Killed] {
            let rig = rig();
            let result = rig.install_on(&Faulty::new(at, fate));
            let text = rig.read("opencode.json").expect("still there");
            let whole = text == BEFORE || text == after;
            assert!(whole, "call {at} {fate:?}: {text}");
            if let (Err(error), Fate::Fails) = (&result, fate) {
                assert!(
                    error.to_string().contains("the disk failed") || error.to_string().contains("read back"),
                    "{error}"
                );
                assert_eq!(rig.names(), ["opencode.json"], "call {at}: nothing is left beside it");
            }
            rig.install().expect("the next one");
            assert_eq!(rig.read("opencode.json").as_deref(), Some(after.as_str()), "call {at} {fate:?}");
            if text == BEFORE {
                assert_eq!(rig.names(), ["opencode.json"], "call {at} {fate:?}: nothing is left beside it");
            }
            rig.uninstall().expect("and out");
            assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE), "call {at} {fate:?}");
        }
    }
}

/// An update writes its notes over those of the installation.
#[test]
fn an_update_that_breaks_at_any_call() {
    let update = |rig: &Rig, disk: &Faulty| drop(rig.install_entry(disk, "opencode-gantry@9".into()));
    let all = calls(|disk| update(&installed().0, disk));
    assert!(all > 20, "{all}");
    for at in 0..all {
        for fate in [Fate::Fails, Fate::Late, Fate::Killed, Fate::Full] {
            let (rig, old) = installed();
            update(&rig, &Faulty::new(at, fate));
            let text = rig.read("opencode.json").expect("still there");
            assert!(text == old || text == old.replace("0.1.0", "9"), "call {at} {fate:?}: {text}");
            if at % 2 == 0 {
                rig.install().expect("the next one");
            }
            rig.uninstall().expect("and out");
            assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE), "call {at} {fate:?}");
        }
    }
}

/// The host's file and the terminal's: both are written, or none, but for a process that is killed between them.
#[test]
fn a_pair_that_breaks_at_any_call() {
    const PANEL: &str = "{\n  \"theme\": \"nord\"\n}\n";
    let both = |rig: &Rig| [rig.read("opencode.json"), rig.read("tui.json")].map(Option::unwrap_or_default);
    for panel in [None, Some(PANEL)] {
        let rig = || {
            let rig = rig();
            panel.iter().for_each(|text| rig.write("tui.json", text));
            rig
        };
        let (before, whole) = (both(&rig()), rig());
        whole.install_pair(&RealDisk).expect("installed");
        let after = both(&whole);
        let all = calls(|disk| drop(rig().install_pair(disk)));
        assert!(all > 40, "{all}");
        let (mut undone, mut told) = (0, 0);
        for at in 0..all {
            for fate in [Fate::Fails, Fate::Late, Fate::Killed, Fate::Full] {
                let rig = rig();
                let result = rig.install_pair(&Faulty::new(at, fate));
                let now = both(&rig);
                match result {
                    Ok(_) => assert_eq!(now, after, "call {at} {fate:?}"),
                    // A disk without room cannot take the old text back; what stands where is said then.
                    Err(error) if now != before && fate == Fate::Full => {
                        let error = error.to_string();
                        assert!(error.contains("But ") && error.contains(".backup"), "{at}: {error}");
                        told += 1;
                    }
                    Err(_) if fate != Fate::Killed => {
                        assert_eq!(now, before, "call {at} {fate:?}");
                        undone += 1;
                    }
                    Err(_) => {}
                }
                rig.uninstall().expect("out");
                assert_eq!(both(&rig), before, "call {at} {fate:?}");
            }
        }
        assert!(undone > all && told > 3, "{undone} {told} of {all}");
    }
}

#[test]
fn a_removal_that_breaks_at_any_call() {
    let all = calls(|disk| drop(installed().0.uninstall_on(disk)));
    assert!(all > 15, "{all}");
    for at in 0..all {
        for fate in [Fate::Fails, Fate::Late, Fate::Killed] {
            let (rig, after) = installed();
            // What breaks is the answer here; the state is what counts.
            let _ = rig.uninstall_on(&Faulty::new(at, fate));
            let text = rig.read("opencode.json").expect("still there");
            assert!(text == BEFORE || text == after, "call {at} {fate:?}: {text}");
            rig.uninstall().expect("the next one");
            assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE), "call {at} {fate:?}");
        }
    }
}

#[test]
fn a_disk_that_is_full_from_any_call_on() {
    let (_, after) = installed();
    let all = calls(|disk| drop(rig().install_on(disk)));
    let mut refused = 0;
    for at in 0..all {
        let rig = rig();
        match rig.install_on(&Faulty::new(at, Fate::Full)) {
            Ok(_) => assert_eq!(rig.read("opencode.json").as_deref(), Some(after.as_str()), "call {at}"),
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains("no storage space") && error.ends_with("It is as it was"), "{error}");
                assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE), "call {at}");
                assert_eq!(rig.names(), ["opencode.json"], "call {at}: nothing is left beside it");
            }
        }
        // Once there is room.
        rig.install().expect("the next one");
        rig.uninstall().expect("and out");
        assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE), "call {at}");
    }
    assert!(refused > 10, "{refused}");

    // What is taken out needs room as well, for the text without the entry.
    let all = calls(|disk| drop(installed().0.uninstall_on(disk)));
    for at in 0..all {
        let (rig, after) = installed();
        if rig.uninstall_on(&Faulty::new(at, Fate::Full)).is_err() {
            assert_eq!(rig.read("opencode.json").as_deref(), Some(after.as_str()), "call {at}");
        }
        rig.uninstall().expect("the next one");
        assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE), "call {at}");
    }
}

#[test]
fn two_at_once_wait_for_each_other() {
    let rig = rig();
    fs::create_dir_all(rig.home()).expect("a folder");
    let path = rig.home().join("lock");
    let held = RealDisk.lock(&path, Duration::ZERO).expect("a lock");
    let error = RealDisk.lock(&path, Duration::from_millis(1)).map(|_| ()).expect_err("held");
    assert_eq!(error.to_string(), "another gantry install is running");
    drop(held);
    RealDisk.lock(&path, Duration::ZERO).map(|_| ()).expect("free again");

    let (folder, home, start) = (rig.folder(), rig.home(), Barrier::new(8));
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (folder, home, start) = (&folder, &home, &start);
            scope.spawn(move || {
                let count = std::cell::Cell::new(0);
                let stamp = || format!("{n}-{}", count.replace(count.get() + 1));
                let installer =
                    crate::setup::install::Installer { disk: &RealDisk, home, stamp: &stamp, dry_run: false };
                let entry = serde_json::json!(format!("opencode-gantry@{n}"));
                start.wait();
                installer.install(folder, &[host(entry)]).expect("installed");
            });
        }
    });
    let text = rig.read("opencode.json").expect("a file");
    assert_eq!(text.matches("opencode-gantry").count(), 1, "{text}");
    rig.uninstall().expect("out");
    assert_eq!(rig.read("opencode.json").as_deref(), Some(BEFORE));
}
