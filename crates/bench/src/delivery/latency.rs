//! From the commit to the receipt, at a quiet pace.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::Bench;
use super::report::Row;
use super::scene::Scene;
use crate::pgbench::Pgbench;
use crate::server::DATABASE;

const PER_SECOND: f64 = 200.0;

/// The row carries the time just before it was captured. The commit's own time is that of its record in the WAL, before
/// that is flushed.
const INSERT: &str = "insert into lead (name) values ((extract(epoch from clock_timestamp()) * 1000000)::bigint)";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let record = std::env::temp_dir().join(format!("frontdesk-receipts-{}", std::process::id()));
    let result = run(bench, &record);
    let _ = std::fs::remove_file(&record);
    let latencies = result?;
    let count = latencies.len();
    let [commit, insert] = [0, 1].map(|from| Percentiles::of(latencies.iter().map(|latency| latency[from]).collect()));
    let (what, figure) = (format!("commit to receipt at {PER_SECOND}/s, {count} events"), commit.to_string());
    let asked = commit.at(0.5) <= 1.0 && commit.at(0.99) <= 5.0;
    Ok(vec![
        Row::new(what, figure).asked("p50 at most 1 ms, p99 at most 5 ms", asked),
        Row::new("the same from the insert on", insert.to_string()),
    ])
}

/// In milliseconds.
struct Percentiles(Vec<f64>);

impl Percentiles {
    fn of(mut values: Vec<f64>) -> Percentiles {
        values.sort_by(f64::total_cmp);
        Percentiles(values)
    }

    fn at(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }
}

impl std::fmt::Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms", self.at(0.5), self.at(0.99), self.at(1.0))
    }
}

/// From the commit, and from the insert, to the receipt.
fn run(bench: &Bench, record: &std::path::Path) -> Result<Vec<[f64; 2]>> {
    let path = record.to_str().context("the temporary directory")?;
    let scene = Scene::start(bench, &[("track_commit_timestamp", "on")], &["--record", path])?;
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
    let committed = scene
        .sql("select id || ' ' || (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint from lead")?;
    let committed: HashMap<&str, f64> = committed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(id, at)| Some((id, at.parse().ok()?)))
        .collect();
    let lines = std::fs::read_to_string(record)?;
    let latencies = lines.lines().skip(100).map(|line| latency(line, &committed)).collect::<Result<Vec<[f64; 2]>>>()?;
    anyhow::ensure!(!latencies.is_empty(), "nothing was received");
    Ok(latencies)
}

fn latency(line: &str, committed: &HashMap<&str, f64>) -> Result<[f64; 2]> {
    let record: serde_json::Value = serde_json::from_str(line)?;
    let body: serde_json::Value = serde_json::from_str(record["body"].as_str().context("a record has no body")?)?;
    let row = &body["data"];
    let sent: f64 = row["name"].as_str().context("a body has no name")?.parse()?;
    let committed = committed.get(row["id"].to_string().as_str()).context("a row that is not in the table")?;
    let received = record["at_unix_us"].as_f64().context("a record has no time")?;
    Ok([(received - committed) / 1e3, (received - sent) / 1e3])
}
