//! A backlog of events to one endpoint.

use anyhow::Result;

use super::Bench;
use super::peers::{self, Peer};
use super::report::{Row, median, per_second};
use super::scene::{Drained, SECRET, Scene};

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.count(100_000, 20_000);
    let shown = crate::table::thousands(count as f64);
    let plain = rounds(bench, count, &[])?;
    let verified = rounds(bench, count, &["--secret", SECRET, "--verify"])?;
    let (rate, from_resume) = (of(&plain, |drained| drained.rate), of(&plain, |drained| drained.rate_from_resume));
    let repeats: u64 = plain.iter().chain(&verified).map(|drained| drained.repeats).sum();
    let mut rows = vec![
        Row::new(
            format!("backlog of {shown} events to one endpoint, {repeats} repeats"),
            format!("{} ({} from resume on)", per_second(rate), per_second(from_resume)),
        )
        .asked("50,000/s, nothing lost", rate >= 50_000.0),
        Row::new("the same, the receiver verifying every signature", per_second(of(&verified, |drained| drained.rate))),
    ];
    rows.extend(beside(bench, rate)?);
    Ok(rows)
}

fn rounds(bench: &Bench, count: u64, receiver: &[&str]) -> Result<Vec<Drained>> {
    let scene = Scene::start(bench, &[], receiver)?;
    scene.add_endpoint("one", "/ok/one", "")?;
    scene.insert(100)?;
    scene.await_accepted("/ok/one", 100)?;
    (0..bench.count(3, 1)).map(|_| scene.drain(count, "/ok/one")).collect()
}

/// The same work done by the peers.
fn beside(bench: &Bench, ours: f64) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &[])?;
    let peers = peers::enable(&scene)?;
    let net = match peers.contains(&Peer::Net) {
        true => {
            let rate = peers::net_rate(&scene, bench.count(2_000, 600))?;
            Row::new("pg_net as shipped, deliveries/s", per_second(rate)).ratio(ours / rate)
        }
        false => Row::quoted("pg_net as shipped, deliveries/s", "200/s; 916/s at its best lossless setting"),
    };
    let mut rows = vec![net];
    if peers.contains(&Peer::Http) {
        let rate = peers::http_rate(&scene, bench.count(5_000, 1_000))?;
        rows.push(Row::new("pgsql-http, one call after the other in one session", per_second(rate)).ratio(ours / rate));
    }
    Ok(rows)
}

fn of(runs: &[Drained], value: impl Fn(&Drained) -> f64) -> f64 {
    median(&runs.iter().map(value).collect::<Vec<_>>())
}
