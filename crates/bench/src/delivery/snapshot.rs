//! Throughput while an idle transaction holds a snapshot.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Bench;
use super::report::{Row, median, per_second, ratio};
use super::scene::{Scene, await_true};
use crate::server::DATABASE;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &[])?;
    scene.add_endpoint("one", "/ok/one", "")?;
    let count = bench.count(100_000, 20_000);
    scene.drain(count / 5, "/ok/one")?;
    let (mut plain, mut held) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(3, 1) {
        plain.push(scene.drain(count, "/ok/one")?.rate);
        let holder = Holder::start(&scene)?;
        // It is old already when the backlog comes.
        std::thread::sleep(Duration::from_secs(bench.count(3, 1)));
        held.push(scene.drain(count, "/ok/one")?.rate);
        drop(holder);
    }
    let ratio = ratio(&held, &plain);
    let (plain, held) = (median(&plain), median(&held));
    let figure = format!("{} against {}", per_second(held), per_second(plain));
    let row = Row::new("backlog beside an idle transaction that holds a snapshot", figure)
        .share(bench.alone.share(held))
        .ratio(ratio);
    Ok(vec![row.asked("0.90", ratio >= 0.9)])
}

/// A session in a transaction with a snapshot; over when dropped.
struct Holder(Child);

impl Holder {
    fn start(scene: &Scene) -> Result<Holder> {
        let mut command = scene.cluster.client("psql", DATABASE);
        command.args(["-X", "-q", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut holder = Holder(command.spawn().context("starting psql")?);
        let stdin = holder.0.stdin.as_mut().context("psql has no stdin")?;
        stdin.write_all(b"begin isolation level repeatable read;\nselect count(*) from frontdesk.event;\n")?;
        stdin.flush()?;
        let holds = "select count(*) > 0 from pg_stat_activity where state = 'idle in transaction' and backend_xmin is not null";
        await_true(Duration::from_secs(20), "a held snapshot", || Ok(scene.sql(holds)? == "t"))?;
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
