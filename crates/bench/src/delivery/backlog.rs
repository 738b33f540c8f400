//! A backlog of events to one endpoint.

use anyhow::Result;

use super::Bench;
use super::peers::{self, Peer};
use super::proc;
use super::report::{Row, median, per_second};
use super::scene::{Drained, SECRET, Scene};

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.count(100_000, 20_000);
    let shown = crate::table::thousands(count as f64);
    let plain = rounds(bench, count, &[])?;
    let verified = rounds(bench, count, &["--secret", SECRET, "--verify"])?;
    let (rate, from_resume) =
        (of(&plain, |round| round.drained.rate), of(&plain, |round| round.drained.rate_from_resume));
    let repeats: u64 = plain.iter().chain(&verified).map(|round| round.drained.repeats).sum();
    let (share, of_verified) = (bench.alone.share(rate), of(&verified, |round| round.drained.rate));
    let (network, main) = (of(&plain, |round| round.network_us), of(&plain, |round| round.main_us));
    let mut rows = vec![
        Row::new(
            format!("backlog of {shown} events to one endpoint, {repeats} repeats"),
            format!("{} ({} from resume on)", per_second(rate), per_second(from_resume)),
        )
        .share(share)
        .asked("0.80 of the courier alone, nothing lost", share >= 0.8),
        Row::new("processor time per delivery, network thread", format!("{network:.1} µs"))
            .asked("at most 12 µs", network <= 12.0),
        Row::new("processor time per delivery, main thread", format!("{main:.1} µs"))
            .asked("at most 8 µs", main <= 8.0),
        Row::new("the same, the receiver verifying every signature", per_second(of_verified))
            .share(bench.alone.share(of_verified)),
    ];
    rows.extend(beside(bench, rate)?);
    Ok(rows)
}

/// A backlog, and the processor time of the engine's two threads, in microseconds per delivery.
struct Round {
    drained: Drained,
    network_us: f64,
    main_us: f64,
}

fn rounds(bench: &Bench, count: u64, receiver: &[&str]) -> Result<Vec<Round>> {
    let scene = Scene::start(bench, &[], receiver)?;
    scene.add_endpoint("one", "/ok/one", "")?;
    scene.insert(100)?;
    scene.await_accepted("/ok/one", 100)?;
    let (engine, _) = scene.processes()?;
    let round = |_: u32| -> Result<Round> {
        let before = proc::threads_ns(engine, "courier")?;
        let drained = scene.drain(count, "/ok/one")?;
        let after = proc::threads_ns(engine, "courier")?;
        let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1e3 / count as f64;
        Ok(Round { drained, main_us: each(before.0, after.0), network_us: each(before.1, after.1) })
    };
    (0..bench.count(3, 1)).map(round).collect()
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

fn of(runs: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    median(&runs.iter().map(value).collect::<Vec<_>>())
}
