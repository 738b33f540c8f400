//! `cargo xtask bench embedding`: the embedding queue against a local embedder that answers at once: what is measured is ours.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Options;
use super::server::{self, DATABASE};
use super::table::{Table, thousands};
use testbed::cluster::Cluster;
use testbed::postgres::Postgres;
use testbed::receiver::Receiver;

pub fn run(postgres: &Postgres, options: &Options) -> Result<()> {
    let quick = options.quick;
    let mut table = Table::new(&["what", "measured", "at least"]);
    rows(postgres, quick, &mut table)?;
    table.print();
    Ok(())
}

/// The rows of this bench, for the table of another.
pub fn rows(postgres: &Postgres, quick: bool, table: &mut Table) -> Result<()> {
    let chunks = if quick { 2_000 } else { 10_000 };
    let receiver = Receiver::start(&[])?;
    for (dimensions, least) in [(384, "≥ 5,000/s"), (1536, "-")] {
        let cluster = server::start(postgres, &[("frontdesk.log_jobs", "off")])?;
        let rate = embed(&cluster, &receiver, dimensions, chunks)?;
        table.row(&[
            &format!("embedding queue of {} chunks, {dimensions} dimensions", thousands(f64::from(chunks))),
            &format!("{}/s", thousands(rate)),
            least,
        ]);
    }
    Ok(())
}

/// From the commit of the rows to the last vector's.
fn embed(cluster: &Cluster, receiver: &Receiver, dimensions: u32, chunks: u32) -> Result<f64> {
    let sql = |sql: &str| cluster.psql(DATABASE, sql);
    let url = receiver.url(&format!("/embed/{dimensions}"));
    sql(&format!("create table chunk (id bigint primary key, content text, embedding vector({dimensions}))"))?;
    sql(&format!("select frontdesk.add_embedder('local', '{url}', 'm', {dimensions})"))?;
    sql("select frontdesk.embed_table('chunk', 'content', 'embedding')")?;
    // A passage of 1,000 characters, each its own.
    sql(&format!(
        "insert into chunk select n, n || ' ' || repeat('what a client asks and the handbook answers ', 23) from generate_series(1, {chunks}) n"
    ))?;
    let started = Instant::now();
    while sql("select count(*) from chunk where embedding is null")? != "0" {
        if started.elapsed() > Duration::from_secs(120) {
            bail!("not embedded: {}", sql("select last_error from frontdesk.embedders")?);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(f64::from(chunks) / started.elapsed().as_secs_f64())
}
