//! Throughput of a very long backlog.

use anyhow::Result;

use super::Bench;
use super::report::{Row, median, per_second};
use super::scene::Scene;
use crate::table::thousands;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let scene = Scene::start(bench, &[], &[])?;
    scene.add_endpoint("one", "/ok/one", "")?;
    let (count, deep) = (bench.count(100_000, 20_000), bench.count(1_000_000, 200_000));
    scene.drain(count / 5, "/ok/one")?;
    let mut plain = vec![scene.drain(count, "/ok/one")?.rate, scene.drain(count, "/ok/one")?.rate];
    let long = scene.drain(deep, "/ok/one")?.rate;
    plain.extend([scene.drain(count, "/ok/one")?.rate, scene.drain(count, "/ok/one")?.rate]);
    let plain = median(&plain);
    let what = format!("backlog of {} events against {}", thousands(deep as f64), thousands(count as f64));
    let figure = format!("{} against {}", per_second(long), per_second(plain));
    Ok(vec![
        Row::new(what, figure).share(bench.alone.share(long)).ratio(long / plain).asked("0.90", long / plain >= 0.9),
    ])
}
