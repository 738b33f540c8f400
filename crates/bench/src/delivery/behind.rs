//! One endpoint paused and one refusing connections while a million events pass to a third.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Bench;
use super::report::{Row, median, per_second};
use super::scene::Scene;
use crate::table::thousands;

/// Rows that an endpoint's trouble may leave, however many events pass: an attempt and a retry of each delivery that
/// was in flight (64) when ten had failed, its cursor, and the probes of the breaker.
const OF_THE_TROUBLE: f64 = 200.0;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &[])?;
    scene.add_endpoint("other", "/ok/other", "")?;
    let (small, count) = (bench.count(100_000, 20_000), bench.count(1_000_000, 100_000));
    scene.drain(small / 5, "/ok/other")?;
    let mut plain = vec![scene.drain(small, "/ok/other")?.rate];
    scene.await_settled()?;

    scene.add_endpoint("paused", "/ok/paused", "")?;
    scene.sql("select frontdesk.pause_endpoint('paused')")?;
    scene.add_endpoint_at("refusing", &format!("http://{}/", closed_port()?), "")?;
    let passing = scene.drain(count, "/ok/other")?.rate;
    scene.await_settled()?;
    let mut rows = Vec::new();
    for name in ["paused", "refusing"] {
        let (retries, attempts, cursors) = rows_of(&scene, name)?;
        let what = format!("rows of the {name} endpoint while {} events passed", thousands(count as f64));
        let figure = format!("{retries} to retry, {attempts} attempts, {cursors} cursor");
        rows.push(Row::new(what, figure).asked("no row per event", retries + attempts + cursors <= OF_THE_TROUBLE));
    }

    let paused = drained(&scene, "paused", "/ok/paused", count)?;
    let url = scene.receiver.url("/ok/refusing");
    scene.sql(&format!(
        "select frontdesk.pause_endpoint('refusing'); select frontdesk.alter_endpoint('refusing', url => '{url}')"
    ))?;
    let refusing = drained(&scene, "refusing", "/ok/refusing", count)?;
    scene.sql("select frontdesk.remove_endpoint('paused'); select frontdesk.remove_endpoint('refusing')")?;
    plain.push(scene.drain(small, "/ok/other")?.rate);
    let plain = median(&plain);
    for (name, rate) in [("paused", paused), ("refusing", refusing)] {
        let what = format!("drain of the {name} endpoint once resumed, against a plain backlog");
        let figure = format!("{} against {}", per_second(rate), per_second(plain));
        rows.push(
            Row::new(what, figure)
                .share(bench.alone.share(rate))
                .ratio(rate / plain)
                .asked("0.90", rate / plain >= 0.9),
        );
    }
    let figure = format!("{} against {}", per_second(passing), per_second(plain));
    rows.push(Row::new("the third endpoint meanwhile", figure).ratio(passing / plain));
    Ok(rows)
}

fn rows_of(scene: &Scene, name: &str) -> Result<(f64, f64, f64)> {
    let count = |table: &str| {
        scene.number(&format!(
            "select count(*) from frontdesk_internal.{table} where endpoint_id = frontdesk_internal.endpoint_id('{name}')"
        ))
    };
    Ok((count("retry")?, count("attempt")?, count("cursor")?))
}

/// Deliveries per second from the first to the last receipt.
fn drained(scene: &Scene, name: &str, path: &str, count: u64) -> Result<f64> {
    scene.receiver.reset()?;
    scene.sql(&format!("select frontdesk.resume_endpoint('{name}')"))?;
    // Events of the engine itself may come too, and retries of what was tried before: only the events count.
    let (mut best, mut moved) = (0, Instant::now());
    loop {
        let accepted = scene.accepted(path)?;
        if accepted >= count {
            let stats = scene.receiver.stats()?;
            return Ok(count as f64 / stats["seconds"].as_f64().unwrap_or(f64::NAN));
        }
        if accepted > best {
            (best, moved) = (accepted, Instant::now());
        }
        if moved.elapsed() > Duration::from_secs(120) {
            bail!("{name} got {accepted} of {count}: {}", scene.status()?);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An address at which nobody listens.
fn closed_port() -> Result<std::net::SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
