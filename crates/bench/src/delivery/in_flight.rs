//! Thousands of deliveries in flight to a slow receiver.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Bench;
use super::proc;
use super::report::{Row, per_second};
use super::scene::Scene;
use crate::table::thousands;

const IN_FLIGHT: u64 = 8_000;
const PATH: &str = "/delay/1000";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    raise_descriptor_limit()?;
    let scene = Scene::start(bench, &[("frontdesk.max_connections", "10000")], &[])?;
    scene.add_endpoint("slow", PATH, &format!(", max_in_flight => {IN_FLIGHT}"))?;
    let count = bench.count(IN_FLIGHT * 12, IN_FLIGHT * 4);
    let (engine, _) = scene.processes()?;
    let over = AtomicBool::new(false);
    let (drained, sampled) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(&scene, engine, &over));
        let drained = scene.drain(count, PATH);
        over.store(true, Relaxed);
        (drained, sampler.join())
    });
    let drained = drained?;
    let (private, in_flight) = sampled.ok().context("the sampler panicked")?;
    // Counted when a request comes; the last one is answered a second later.
    let seconds = count as f64 / drained.rate + 1.0;
    let rate = count as f64 / seconds;
    let limit = scene.number("select max_connections from frontdesk_internal.engine_slot()")?;
    let what = format!("{} in flight at most, the receiver taking 1 s (limit {limit})", thousands(in_flight));
    let resident = proc::megabytes(engine, "VmHWM")?;
    let memory = format!("{private:.0} MB private, {resident:.0} MB with shared buffers");
    Ok(vec![
        Row::new(what, per_second(rate)).asked("5,000/s", rate >= 5_000.0),
        Row::new("memory of the engine meanwhile, at its peak", memory).asked("at most 400 MB", private <= 400.0),
    ])
}

/// The most private memory of the engine, and the most deliveries in flight.
fn sample(scene: &Scene, engine: u32, over: &AtomicBool) -> (f64, f64) {
    let (mut private, mut in_flight) = (0.0_f64, 0.0_f64);
    while !over.load(Relaxed) {
        private = private.max(proc::megabytes(engine, "RssAnon").unwrap_or(0.0));
        in_flight =
            in_flight.max(scene.number("select in_flight from frontdesk_internal.engine_slot()").unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(100));
    }
    (private, in_flight)
}

/// The receiver needs as many descriptors as the engine.
pub fn raise_descriptor_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("raising the descriptor limit")
}
