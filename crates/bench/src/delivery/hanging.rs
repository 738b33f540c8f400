//! One endpoint hanging beside nine fast ones.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Bench;
use super::report::{Row, median, per_second, ratio};
use super::scene::Scene;

const NINE: u64 = 9;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &[])?;
    for i in 1..=NINE {
        scene.add_endpoint(&format!("fast{i}"), &path(i), "")?;
    }
    scene.add_endpoint("tenth", "/ok/tenth", "")?;
    let count = bench.count(20_000, 5_000);
    round(&scene, count / 4)?;
    scene.await_settled()?;
    let (mut fast, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(3, 1) {
        fast.push(round(&scene, count)?);
        scene.await_settled()?;
        point(&scene, "/delay/10000")?;
        beside.push(round(&scene, count)?);
        // What hung is delivered too, once the endpoint answers.
        point(&scene, "/ok/tenth")?;
        await_tenth(&scene, count)?;
        scene.await_settled()?;
    }
    let ratio = ratio(&beside, &fast);
    let (fast, beside) = (median(&fast), median(&beside));
    let figure = format!("{} against {}", per_second(beside), per_second(fast));
    let row = Row::new("nine endpoints beside one hanging for 10 s, against ten fast ones", figure);
    Ok(vec![row.share(bench.alone.share(beside)).ratio(ratio).asked("0.90", ratio >= 0.9)])
}

/// Deliveries per second of the nine, from resume until all of them have everything.
fn round(scene: &Scene, count: u64) -> Result<f64> {
    scene.pause()?;
    scene.insert(count)?;
    scene.receiver.reset()?;
    scene.resume()?;
    let started = Instant::now();
    loop {
        let stats = scene.receiver.stats()?;
        let accepted = |i| stats["paths"][path(i)]["accepted_ids"].as_u64().unwrap_or_default();
        let sum: u64 = (1..=NINE).map(accepted).sum();
        if sum == count * NINE {
            return Ok(sum as f64 / started.elapsed().as_secs_f64());
        }
        if started.elapsed() > Duration::from_secs(120) {
            bail!("the nine got {sum} of {}: {}", count * NINE, scene.status()?);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn point(scene: &Scene, path: &str) -> Result<()> {
    let url = scene.receiver.url(path);
    scene.sql(&format!("select frontdesk.alter_endpoint('tenth', url => '{url}')")).map(drop)
}

/// What hung may have been accepted where it hung, and need not come again.
fn await_tenth(scene: &Scene, count: u64) -> Result<()> {
    let started = Instant::now();
    loop {
        let got = scene.accepted("/ok/tenth")? + scene.accepted("/delay/10000")?;
        if got >= count {
            return Ok(());
        }
        if started.elapsed() > Duration::from_secs(120) {
            bail!("the endpoint that had hung got {got} of {count}: {}", scene.status()?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn path(i: u64) -> String {
    format!("/ok/{i}")
}
