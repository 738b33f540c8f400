//! What is committed and delivered within a run: work that is only put off is not done.

use anyhow::Result;

use super::Bench;
use super::peers::{self, Peer};
use super::report::{Row, median};
use super::scene::{Scene, VALUES};
use crate::pgbench::{Measured, Pgbench};
use crate::server::DATABASE;
use crate::table::thousands;

/// Deliveries per second of pg_net at its best setting that loses nothing, measured on another day.
const QUOTED: f64 = 916.0;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &["--threads", "1"])?;
    let peers = peers::enable(&scene)?;
    scene.add_endpoint("one", "/ok/one", "")?;
    let seconds = bench.count(10, 4);
    let (mut committed, mut delivered) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(3, 1) {
        scene.receiver.reset()?;
        let measured = run(&scene, "lead", seconds)?;
        let within = scene.accepted("/ok/one")?;
        committed.push(measured.tps);
        delivered.push(within as f64 / f64::from(seconds));
        scene.await_accepted("/ok/one", measured.transactions)?;
    }
    let (committed, delivered) = (median(&committed), median(&delivered));
    let mut others = QUOTED;
    let mut what = "rows committed and delivered within the run, 8 clients, against a pg_net trigger (quoted)";
    if peers.contains(&Peer::Net) {
        peers::net_trigger(&scene, "lead_net")?;
        scene.receiver.reset()?;
        run(&scene, "lead_net", seconds)?;
        others = scene.receiver.count("requests")? as f64 / f64::from(seconds);
        what = "rows committed and delivered within the run, 8 clients, against a pg_net trigger as shipped";
    }
    let figure = format!("{}/s of {} tps against {}/s", thousands(delivered), thousands(committed), thousands(others));
    let row = Row::new(what, figure).share(bench.alone.share(delivered)).ratio(delivered / others);
    Ok(vec![row.asked("8", delivered / others >= 8.0)])
}

fn run(scene: &Scene, table: &str, seconds: u32) -> Result<Measured> {
    scene.sql("checkpoint")?;
    let script = format!("insert into {table} (name, email, note) values ({VALUES})");
    Pgbench { database: DATABASE, script: &script, seconds, ..Default::default() }.run(&scene.cluster)
}
