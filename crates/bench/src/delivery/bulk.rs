//! What capture costs one statement that inserts many rows.

use anyhow::Result;

use super::Bench;
use super::report::{Row, median, ratio};
use super::scene::{Scene, VALUES};
use crate::table::thousands;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &[])?;
    scene.create_table("plain")?;
    scene.pause()?;
    let count = bench.count(100_000, 20_000);
    let (mut plain, mut captured) = (Vec::new(), Vec::new());
    for round in 0..bench.count(7, 3) {
        let (a, b) = (seconds(&scene, "plain", count)?, seconds(&scene, "lead", count)?);
        let events = scene.number("select count(*) from frontdesk.event")?;
        anyhow::ensure!(events as u64 == count, "{events} of {count} rows were captured");
        eprintln!("    round {round}: {:.0} ms without, {:.0} ms with capture", a * 1e3, b * 1e3);
        plain.push(a);
        captured.push(b);
    }
    let ratio = ratio(&captured, &plain);
    let (plain, captured) = (median(&plain), median(&captured));
    let what = format!("one insert of {} rows with capture, against no trigger", thousands(count as f64));
    let figure = format!("{:.0} ms against {:.0} ms", captured * 1e3, plain * 1e3);
    Ok(vec![Row::new(what, figure).ratio(ratio).asked("at most 3.5", ratio <= 3.5)])
}

/// Of one statement, with its commit.
fn seconds(scene: &Scene, table: &str, count: u64) -> Result<f64> {
    scene.number(&format!(
        "truncate {table}; truncate frontdesk.event; checkpoint;
         select clock_timestamp() as began \\gset
         insert into {table} (name, email, note) select {VALUES} from generate_series(1, {count});
         select extract(epoch from clock_timestamp() - :'began'::timestamptz)"
    ))
}
