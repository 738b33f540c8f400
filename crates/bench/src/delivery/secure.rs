//! Backlogs over TLS: one request after the other on each connection, and many at once on few.

use anyhow::{Result, ensure};

use super::Bench;
use super::proc;
use super::report::{Row, median, per_second, ratio};
use super::scene::Scene;
use crate::table::thousands;

const ONE: &str = "http => '1.1'";
const TWO: &str = "http => '2'";

/// Connections to one host over HTTP/2.
const LANES: usize = 8;

const SLOW: &str = "/delay/50";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = fast(bench)?;
    rows.push(slow(bench)?);
    Ok(rows)
}

/// A server whose receiver speaks TLS and both versions.
pub fn scene(bench: &Bench, settings: &[(&str, &str)], receiver: &[&str]) -> Result<Scene> {
    let (authority, secure) = (bench.trust.authority(), bench.trust.receiver());
    let settings: Vec<_> = settings.iter().copied().chain([("frontdesk.ca_file", authority.as_str())]).collect();
    let receiver: Vec<&str> =
        secure.iter().map(String::as_str).chain(["--http2"]).chain(receiver.iter().copied()).collect();
    Scene::start(bench, &settings, &receiver)
}

fn fast(bench: &Bench) -> Result<Vec<Row>> {
    let scene = scene(bench, &[], &[])?;
    let count = bench.count(100_000, 20_000);
    let (engine, _) = scene.processes()?;
    let before = proc::sockets(engine)?;
    scene.add_endpoint("one", "/ok/one", &format!(", {TWO}"))?;
    scene.drain(count / 5, "/ok/one")?;
    let lanes = proc::sockets(engine)?.saturating_sub(before);
    ensure!(lanes <= LANES, "{lanes} connections of HTTP/2");
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(3, 1) {
        for (spoken, rates) in [(ONE, &mut one), (TWO, &mut two)] {
            scene.sql(&format!("select frontdesk.alter_endpoint('one', {spoken})"))?;
            scene.drain(count / 20, "/ok/one")?;
            rates.push(scene.drain(count, "/ok/one")?.rate);
        }
    }
    let times = ratio(&two, &one);
    let (one, two) = (median(&one), median(&two));
    let share = bench.alone.share_of_tls(one);
    let what = format!("backlog of {} events over TLS, HTTP/1.1", thousands(count as f64));
    let first = Row::new(what, per_second(one)).share(share).asked("0.80 of the courier alone over TLS", share >= 0.8);
    let what = format!("the same over HTTP/2, {lanes} connection{}, against that", if lanes == 1 { "" } else { "s" });
    let second = Row::new(what, per_second(two)).share(bench.alone.share_of_tls(two));
    Ok(vec![first, second.ratio(times).asked("1.2", times >= 1.2)])
}

fn slow(bench: &Bench) -> Result<Row> {
    let most = LANES.to_string();
    let scene = scene(bench, &[("frontdesk.max_connections", most.as_str())], &[])?;
    scene.add_endpoint("slow", SLOW, &format!(", {ONE}"))?;
    scene.drain(100, SLOW)?;
    let one = scene.drain(bench.count(800, 300), SLOW)?.rate;
    scene.sql(&format!("select frontdesk.alter_endpoint('slow', {TWO})"))?;
    scene.drain(100, SLOW)?;
    let two = scene.drain(bench.count(8_000, 3_000), SLOW)?.rate;
    let what =
        format!("HTTP/2 on at most {LANES} connections to a receiver that takes 50 ms, against HTTP/1.1 on as many");
    let figure = format!("{} against {}", per_second(two), per_second(one));
    Ok(Row::new(what, figure).ratio(two / one).asked("5", two / one >= 5.0))
}
