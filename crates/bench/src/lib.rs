//! `cargo xtask bench [name] [options]`: the figures of `docs/benchmarks.md`.

#![forbid(unsafe_code)]

pub mod crm;
pub mod delivery;
pub mod embedding;
pub mod flow;
pub mod knowledge;
mod options;
pub mod pgbench;
pub mod schedule;
pub mod server;
pub mod table;

use anyhow::{Result, bail};

pub use options::Options;
use testbed::{install, postgres::Postgres};

type Bench = fn(&Postgres, &Options) -> Result<()>;

/// Every bench by name.
const BENCHES: &[(&str, Bench)] = &[
    ("crm", crm::run),
    ("delivery", delivery::run),
    ("embedding", embedding::run),
    ("flow", flow::run),
    ("knowledge", knowledge::run),
    ("schedule", schedule::run),
];

/// The names of the benches.
pub fn names() -> impl Iterator<Item = &'static str> {
    BENCHES.iter().map(|(name, _)| *name)
}

/// Runs one bench, or all. Tables go to stdout, progress to stderr.
pub fn run(postgres: &Postgres, name: Option<&str>, options: &Options) -> Result<()> {
    let chosen: Vec<_> = BENCHES.iter().filter(|(bench, _)| name.is_none_or(|name| name == *bench)).collect();
    if chosen.is_empty() {
        bail!("there is no bench {}; there is: {}", name.unwrap_or("at all"), names().collect::<Vec<_>>().join(", "));
    }
    install::install(install::Profile::Measured.or_dev(), postgres)?;
    for (name, bench) in chosen {
        eprintln!("  bench {name}");
        bench(postgres, options)?;
    }
    Ok(())
}
