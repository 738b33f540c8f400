//! From the commit to the receipt, at a quiet pace.

use anyhow::{Context, Result};

use super::Bench;
use super::report::Row;
use super::scene::Scene;
use crate::bench::pgbench::Pgbench;
use crate::bench::server::DATABASE;

const PER_SECOND: f64 = 200.0;

/// The row carries the time just before it was captured, so that the user's own commit is in the figure.
const INSERT: &str = "insert into lead (name) values ((extract(epoch from clock_timestamp()) * 1000000)::bigint)";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let record = std::env::temp_dir().join(format!("frontdesk-receipts-{}", std::process::id()));
    let result = run(bench, &record);
    let _ = std::fs::remove_file(&record);
    let micros = result?;
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    let (p50, p99) = (at(0.5), at(0.99));
    let what = format!("insert to receipt at {PER_SECOND}/s, {} events", micros.len());
    let figure = format!("p50 {p50:.2} ms, p99 {p99:.2} ms, longest {:.2} ms", at(1.0));
    Ok(vec![Row::new(what, figure).asked("p50 at most 1 ms, p99 at most 5 ms", p50 <= 1.0 && p99 <= 5.0)])
}

fn run(bench: &Bench, record: &std::path::Path) -> Result<Vec<u64>> {
    let path = record.to_str().context("the temporary directory")?;
    let scene = Scene::start(bench, &[], &["--record", path])?;
    scene.add_endpoint("one", "/ok/one", "")?;
    scene.insert(100)?;
    scene.await_accepted("/ok/one", 100)?;
    let pgbench = Pgbench {
        database: DATABASE,
        script: INSERT,
        clients: 4,
        seconds: bench.count(10, 4),
        rate: Some(PER_SECOND),
        ..Default::default()
    };
    let measured = pgbench.run(&scene.cluster)?;
    scene.await_accepted("/ok/one", 100 + measured.transactions)?;
    let mut micros = std::fs::read_to_string(record)?.lines().skip(100).map(latency).collect::<Result<Vec<u64>>>()?;
    anyhow::ensure!(!micros.is_empty(), "nothing was received");
    micros.sort_unstable();
    Ok(micros)
}

fn latency(line: &str) -> Result<u64> {
    let record: serde_json::Value = serde_json::from_str(line)?;
    let body: serde_json::Value = serde_json::from_str(record["body"].as_str().context("a record has no body")?)?;
    let sent: u64 = body["data"]["name"].as_str().context("a body has no name")?.parse()?;
    Ok(record["at_unix_us"].as_u64().context("a record has no time")?.saturating_sub(sent))
}
