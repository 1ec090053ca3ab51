//! `cargo xtask bench`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::steps::{build_release, build_shim, require_tools};
use crate::bench::{self, Built, Part, Table};
use crate::lab::host;

/// Measure the product's figures and print them with their targets as Markdown.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Parts to measure; all of them when none is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

impl Bench {
    pub(super) fn run(self) -> Result<ExitCode> {
        require_tools()?;
        eprintln!("── building the sidecar (release) and the shim");
        let built = Built { gantry: build_release()?, shim: build_shim()? };
        host::find()?;
        let parts = if self.parts.is_empty() { Part::value_variants() } else { &self.parts };
        let machine = bench::describe()?;
        let mut tables = Vec::new();
        let mut outcome = Ok(());
        for part in parts {
            eprintln!("── {part:?}");
            match bench::measure(*part, &built).with_context(|| format!("measuring {part:?}")) {
                Ok(table) => tables.push(table),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        // What was measured before something went wrong took minutes, and stands.
        print(&machine, &tables);
        outcome?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(machine: &[String], tables: &[Table]) {
    for line in machine {
        println!("- {line}");
    }
    println!("\n{}", bench::header());
    tables.iter().flat_map(Table::rows).for_each(|row| println!("{row}"));
    for remark in tables.iter().flat_map(Table::remarks) {
        println!("\n{remark}");
    }
}
