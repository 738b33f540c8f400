//! `cargo xtask bench [name] [options]`: the figures of `docs/benchmarks.md`.

pub mod crm;
pub mod delivery;
pub mod embedding;
pub mod knowledge;
pub mod pgbench;
pub mod schedule;
pub mod server;
pub mod table;

use anyhow::{Result, bail};

use crate::{install, postgres::Postgres};

/// Gets the options that stand behind the bench's name.
type Bench = fn(&Postgres, &[String]) -> Result<()>;

/// Every bench by name.
const BENCHES: &[(&str, Bench)] = &[
    ("crm", crm::run),
    ("delivery", delivery::run),
    ("embedding", embedding::run),
    ("knowledge", knowledge::run),
    ("schedule", schedule::run),
];

/// Runs one bench, or all. Tables go to stdout, progress to stderr.
pub fn run(postgres: &Postgres, name: Option<&str>, options: &[String]) -> Result<()> {
    let chosen: Vec<_> = BENCHES.iter().filter(|(bench, _)| name.is_none_or(|name| name == *bench)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("there is no bench {}; there is: {}", name.unwrap_or("at all"), known.join(", "));
    }
    install::install_measured(postgres)?;
    for (name, bench) in chosen {
        eprintln!("  bench {name}");
        bench(postgres, options)?;
    }
    Ok(())
}
