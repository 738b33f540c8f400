//! Large events beside small ones: what they cost the engine in memory, and the others in speed.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::{Context, Result, bail};

use super::Bench;
use super::proc;
use super::report::{Row, median, per_second, ratio};
use super::scene::Scene;

const SMALL: &str = "/ok/small";
const LARGE: &str = "/ok/large";

/// Rows of 15 MB each.
const TEXTS: &str = "insert into large (body)
    select to_jsonb(repeat(md5(i::text), 468750)) from generate_series(1, 60) i";

/// Documents of some hundred bytes whose ten numbers have 131,072 digits each as text, 1.3 MB in all.
const NUMBERS: &str = "insert into large (body)
    select ('[' || repeat('9e131071,', 10) || i || ']')::jsonb from generate_series(1, 1000) i";

const DEAD: &str = "select count(*) from frontdesk_internal.dead_letter";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let settings = [("frontdesk.max_payload_kb", "20480")];
    let scene = Scene::start(bench, &settings, &[])?;
    scene.sql("create table large (id int generated always as identity primary key, body jsonb)")?;
    scene.sql("select frontdesk.watch('large')")?;
    scene.add_endpoint("small", SMALL, ", events => '{lead.*}'")?;
    scene.add_endpoint("large", LARGE, ", events => '{large.*}'")?;
    let count = bench.count(100_000, 20_000);
    scene.drain(count / 10, SMALL)?;
    let mut rows = side_by_side(bench, &scene, count, "60 rows of 15 MB", (60.0, TEXTS))?;
    rows.extend(side_by_side(bench, &scene, count, "1,000 documents of numbers such as 9e131071", (1_000.0, NUMBERS))?);
    Ok(rows)
}

fn side_by_side(
    bench: &Bench,
    scene: &Scene,
    count: u64,
    what: &str,
    (large, insert): (f64, &str),
) -> Result<Vec<Row>> {
    let (engine, _) = scene.processes()?;
    let (mut alone, mut beside, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..bench.count(3, 1) {
        alone.push(scene.drain(count, SMALL)?.rate);
        scene.await_settled()?;
        scene.pause()?;
        let dead = scene.number(DEAD)?;
        scene.sql(insert)?;
        let over = AtomicBool::new(false);
        let (drained, most) = std::thread::scope(|scope| {
            let sampler = scope.spawn(|| sample(engine, &over));
            let drained = scene.drain(count, SMALL).and_then(|drained| scene.await_settled().map(|()| drained));
            over.store(true, Relaxed);
            (drained, sampler.join())
        });
        beside.push(drained?.rate);
        memory = memory.max(most.ok().context("the sampler panicked")?);
        let ended = scene.accepted(LARGE)? as f64 + scene.number(DEAD)? - dead;
        if ended != large {
            bail!("{ended} of {large} large events have ended: {}", scene.status()?);
        }
    }
    let ratio = ratio(&beside, &alone);
    let figure = format!("{} against {}", per_second(median(&beside)), per_second(median(&alone)));
    Ok(vec![
        Row::new(format!("backlog of small events beside {what}, against without"), figure)
            .ratio(ratio)
            .asked("0.80", ratio >= 0.8),
        Row::new("private memory of the engine meanwhile, at its peak", format!("{memory:.0} MB"))
            .asked("at most 256 MB", memory <= 256.0),
    ])
}

/// The most private memory of the engine.
fn sample(engine: u32, over: &AtomicBool) -> f64 {
    let mut most = 0.0_f64;
    while !over.load(Relaxed) {
        most = most.max(proc::megabytes(engine, "RssAnon").unwrap_or(0.0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    most
}
