//! `gantry sim`
use super::{exit, output};
use crate::sim::{self, Config, Faults, Mutation, Outcome};
use clap::ValueEnum;

#[derive(clap::Args)]
pub struct Args {
    /// First seed
    #[arg(long, value_name = "N")]
    seed: u64,
    /// How many seeds, one after the other
    #[arg(long, value_name = "K", default_value_t = 1)]
    runs: u64,
    /// Which families of faults
    #[arg(long, value_enum, default_value = "all")]
    faults: Family,
    /// Print all that happens
    #[arg(long)]
    steps: bool,
    /// Play with a planted bug, until a seed finds it
    #[arg(long, value_name = "NAME", value_parser = mutation)]
    mutate: Option<Mutation>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Family {
    None,
    Host,
    Crash,
    All,
}

fn mutation(name: &str) -> Result<Mutation, String> {
    Mutation::parse(name).ok_or_else(|| {
        let names: Vec<_> = Mutation::ALL.iter().map(|m| format!("{} ({})", m.name(), m.what())).collect();
        format!("one of:\n  {}", names.join("\n  "))
    })
}

/// 0 when all is as it should be: no breach, or, with a planted bug, one.
pub fn run(args: &Args) -> u8 {
    let faults = match args.faults {
        Family::None => Faults::None,
        Family::Host => Faults::Host,
        Family::Crash => Faults::Crash,
        Family::All => Faults::All,
    };
    let (mut missions, mut bad) = (0, 0);
    for seed in args.seed..args.seed.saturating_add(args.runs) {
        let outcome = match sim::run(Config { seed, faults, mutation: args.mutate, steps: args.steps }) {
            Ok(outcome) => outcome,
            Err(error) => {
                output::error(&format!("the simulation could not start: {error}"));
                return exit::NOT_READY;
            }
        };
        missions += outcome.ends.len();
        outcome.steps.iter().all(|line| output::line(line));
        if args.runs == 1 || !outcome.breaches.is_empty() {
            output::line(&summary(&outcome));
        }
        bad += u64::from(!outcome.breaches.is_empty());
        if let (Some(mutation), false) = (args.mutate, outcome.breaches.is_empty()) {
            output::line(&format!("{}: found after {} seeds", mutation.name(), seed - args.seed + 1));
            return exit::DONE;
        }
    }
    output::line(&format!("{} seeds, {missions} missions, {bad} seeds with a breach", args.runs));
    if (bad > 0) == args.mutate.is_some() { exit::DONE } else { exit::FAILED }
}

fn summary(outcome: &Outcome) -> String {
    let mut text = format!(
        "seed {}: trace {:016x}, {} steps in {} virtual s, missions {}",
        outcome.seed,
        outcome.hash,
        outcome.events,
        outcome.virtual_ms / 1000,
        outcome.ends.join(" ")
    );
    for breach in &outcome.breaches {
        text.push_str(&format!("\n  BREACH {breach}"));
    }
    text
}
