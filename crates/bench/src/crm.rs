//! `cargo xtask bench crm`: the business in SQL. Rows that others add are files below this one.

mod appointments;
mod leads;
mod rescore;
mod seed;

use anyhow::Result;

use super::Options;
use super::server::{self, DATABASE};
use super::table::Table;
use testbed::cluster::Cluster;
use testbed::postgres::Postgres;

/// What a row of the table needs.
pub struct Scene<'a> {
    pub cluster: &'a Cluster,
    /// A tenth of the rows and of the time: to see that it works.
    pub quick: bool,
}

impl Scene<'_> {
    /// The last line of the last answer.
    pub fn sql(&self, text: &str) -> Result<String> {
        let answer = self.cluster.psql(DATABASE, text)?;
        Ok(answer.lines().last().unwrap_or_default().to_string())
    }

    pub fn scaled(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}

/// One part of the bench: measures, and adds its rows.
type Part = fn(&Scene, &mut Table) -> Result<()>;

const PARTS: [(&str, Part); 5] = [
    ("insert", leads::insert),
    ("search", leads::search),
    ("rescore", rescore::rescore),
    ("slots", appointments::slots),
    ("race", appointments::race),
];

pub fn run(postgres: &Postgres, options: &Options) -> Result<()> {
    options.check_rows(&PARTS.map(|(name, _)| name))?;
    let mut table = Table::new(&["what", "measured", "at least"]);
    for (name, part) in PARTS.iter().filter(|(name, _)| options.wants(name)) {
        eprintln!("    {name}");
        let cluster = server::start(postgres, &[("shared_buffers", "1GB"), ("max_wal_size", "8GB")])?;
        cluster.psql(DATABASE, "select frontdesk.install_crm()")?;
        part(&Scene { cluster: &cluster, quick: options.quick }, &mut table)?;
    }
    table.print();
    Ok(())
}
