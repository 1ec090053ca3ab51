//! The engine in a made-up world, for thousands of seeds: see docs/simulation.md.
//!
//! `GANTRY_SIM_RUNS` is the number of fresh seeds (2,000), `GANTRY_SIM_SEED` the first of them (drawn from the clock).
//! Each fresh part is a test of its own, so that all cores work.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests take their time, and their chance, from the machine and say what they drew"
)]
use gantry::sim::{self, Config, Faults, Mutation, Outcome};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const RUNS: u64 = 2_000;
const PARTS: u64 = 8;
/// Threads that look for planted bugs; one alone would be what the whole run waits for.
const THREADS: usize = 4;
/// Seeds within which every planted bug has to be found.
const FOUND_WITHIN: u64 = 1_000;

fn play(seed: u64, faults: Faults, mutation: Option<Mutation>) -> Outcome {
    sim::run(Config { seed, faults, mutation, steps: false }).expect("a runtime")
}

/// Panics with what was broken, and how to see it again.
fn holds(seed: u64, faults: Faults) -> Outcome {
    let outcome = play(seed, faults, None);
    let told = outcome.breaches.join("\n  ");
    assert!(
        outcome.breaches.is_empty(),
        "seed {seed}:\n  {told}\nsee it with `gantry sim --seed {seed} --steps`, then keep it in tests/sim/seeds.txt"
    );
    outcome
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}: it must be a number")))
}

fn fresh(part: u64) {
    let runs = setting("GANTRY_SIM_RUNS").unwrap_or(RUNS).div_ceil(PARTS);
    // Each part draws for itself: they may be processes of their own.
    let now = || {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
            % 1_000_000_000_000
    };
    let first = setting("GANTRY_SIM_SEED").map_or_else(now, |first| first + part * runs);
    println!("seeds {first} to {}", first + runs - 1);
    let missions: usize = (first..first + runs).map(|seed| holds(seed, Faults::All).ends.len()).sum();
    println!("{missions} missions");
    assert!(missions as u64 >= runs, "a seed has a mission at least, as a rule");
}

macro_rules! parts {
    ($($name:ident $part:literal)*) => {
        #[test]
        fn there_are_as_many_parts_as_tests() {
            assert_eq!(PARTS, [$($part),*].len() as u64);
        }
        $(#[test] fn $name() { fresh($part) })*
    };
}

parts! {
    fresh_seeds_0 0 fresh_seeds_1 1 fresh_seeds_2 2 fresh_seeds_3 3
    fresh_seeds_4 4 fresh_seeds_5 5 fresh_seeds_6 6 fresh_seeds_7 7
}

#[test]
fn kept_seeds() {
    let lines = include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let seeds: Vec<u64> = lines.flat_map(str::split_whitespace).map(|s| s.parse().expect("a seed")).collect();
    assert!(!seeds.is_empty());
    seeds.into_iter().for_each(|seed| {
        holds(seed, Faults::All);
    });
}

#[test]
fn without_faults_every_mission_ends_well() {
    for seed in 0..50 {
        let ends = holds(seed, Faults::None).ends;
        // Models fail and reviewers object even so; but nothing times out, is cancelled or lost.
        let well = |end: &&str| matches!(*end, "completed" | "partially_completed" | "failed");
        assert!(!ends.is_empty() && ends.iter().all(well), "seed {seed}: {ends:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_trace() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let (one, two) = (play(seed, Faults::All, None), play(seed, Faults::All, None));
        assert_eq!((one.hash, one.events), (two.hash, two.events), "seed {seed}");
        hashes.insert(one.hash);
    }
    assert_eq!(hashes.len(), 40, "and another seed is another");
}

#[test]
fn every_planted_bug_is_found() {
    let hook = std::panic::take_hook();
    // Some bugs break the engine down, which is one way to find them.
    std::panic::set_hook(Box::new(|_| {}));
    let found =
        |bug| (1..=FOUND_WITHIN).find(|&seed| !play(seed, Faults::All, Some(bug)).breaches.is_empty());
    let next = AtomicUsize::new(0);
    let search = || {
        let mine = || Mutation::ALL.get(next.fetch_add(1, Ordering::Relaxed)).copied();
        std::iter::from_fn(mine).map(|bug| (bug, found(bug))).collect::<Vec<_>>()
    };
    let mut table: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(search)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a search")).collect()
    });
    table.sort_by_key(|(bug, _)| Mutation::ALL.iter().position(|other| other == bug));
    std::panic::set_hook(hook);
    for (bug, seeds) in &table {
        println!("| {} | {} | {} |", bug.name(), bug.what(), seeds.map_or("-".into(), |n| n.to_string()));
    }
    let missed: Vec<_> =
        table.iter().filter(|(_, seeds)| seeds.is_none()).map(|(bug, _)| bug.name()).collect();
    assert_eq!(missed, Vec::<&str>::new(), "not found within {FOUND_WITHIN} seeds");
    assert!(table.len() >= 8);
}
