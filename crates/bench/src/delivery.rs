//! `cargo xtask bench delivery [--quick] [--only ROW]`: what delivery must reach, measured in one run.
//!
//! Every row that is a ratio measures both of its sides itself, in turns, so that a machine that is busy with other
//! things slows both. A row in which an event was lost fails, however fast it was.

mod alone;
mod backlog;
mod behind;
mod bulk;
mod crash;
mod deep;
mod hanging;
mod history;
mod hosts;
mod idle;
mod in_flight;
mod insert;
mod large;
mod latency;
mod peers;
mod proc;
mod report;
mod scene;
mod secure;
mod snapshot;
mod trust;
mod within;

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::Options;
use crate::table::Table;
use alone::Alone;
use report::Row;
use testbed::postgres::Postgres;
use trust::Trust;

/// What a measurement is made with.
struct Bench<'a> {
    postgres: &'a Postgres,
    quick: bool,
    trust: Trust,
    alone: Alone,
}

type Measure = fn(&Bench) -> Result<Vec<Row>>;

/// Every measurement by name, in the order of the table.
const MEASURES: [(&str, Measure); 16] = [
    ("backlog", backlog::measure),
    ("tls", secure::measure),
    ("hosts", hosts::measure),
    ("within", within::measure),
    ("insert", insert::measure),
    ("bulk", bulk::measure),
    ("latency", latency::measure),
    ("snapshot", snapshot::measure),
    ("history", history::measure),
    ("deep", deep::measure),
    ("hanging", hanging::measure),
    ("behind", behind::measure),
    ("in-flight", in_flight::measure),
    ("large", large::measure),
    ("idle", idle::measure),
    ("crash", crash::measure),
];

impl Bench<'_> {
    /// The full count, or the small one of a quick run.
    fn count<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

pub fn run(postgres: &Postgres, options: &Options) -> Result<()> {
    options.check_rows(&MEASURES.map(|(name, _)| name))?;
    let quick = options.quick;
    eprintln!("  the courier alone …");
    let trust = Trust::make()?;
    let alone = Alone::measure(quick, &trust)?;
    let bench = Bench { postgres, quick, trust, alone };
    println!("`cargo xtask bench delivery{}`\n", options.words());
    println!("{}, PostgreSQL {}{}\n", report::machine(), postgres.version, if quick { ", quick run" } else { "" });
    let mut table = Table::new(&["what", "figure", "of the courier alone", "ratio", "at least", ""]);
    for row in bench.alone.rows() {
        eprintln!("  {}", row.line());
        table.row(&row.cells());
    }
    let mut failed = Vec::new();
    for (name, measure) in MEASURES.iter().filter(|(name, _)| options.wants(name)) {
        let started = Instant::now();
        eprintln!("  {name} …");
        let rows = match measure(&bench).with_context(|| format!("measuring {name}")) {
            Ok(rows) => rows,
            Err(error) => vec![Row::broken(name, &error)],
        };
        for row in &rows {
            eprintln!("  {}", row.line());
            table.row(&row.cells());
        }
        eprintln!("  {name} took {:.0} s", started.elapsed().as_secs_f64());
        if rows.iter().any(Row::failed) {
            failed.push(*name);
        }
    }
    table.print();
    match failed.as_slice() {
        [] => Ok(()),
        _ => bail!("below what is asked: {}", failed.join(", ")),
    }
}
