//! A thousand endpoints on as many hosts, over TLS, each event to one of them.

use anyhow::Result;

use super::Bench;
use super::in_flight::raise_descriptor_limit;
use super::report::{Row, per_second};
use super::scene::{SECRET, Scene};
use super::secure;
use crate::table::thousands;

const HOSTS: usize = 1_000;
const PATH: &str = "/ok/host";

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    raise_descriptor_limit()?;
    let scene = secure::scene(bench, &[("frontdesk.max_connections", "2000")], &["--more-ports", &HOSTS.to_string()])?;
    let urls = scene.receiver.more.iter().map(|address| scene.receiver.url_at(*address, PATH)).collect::<Vec<_>>();
    scene.sql(&format!(
        "select count(frontdesk.add_endpoint('host' || n, url, events => array['host' || n || '.seen'], secret => '{SECRET}'))
         from unnest('{{{}}}'::text[]) with ordinality u (url, n)",
        urls.join(",")
    ))?;
    let connecting = round(&scene, HOSTS as u64)?;
    let count = bench.count(100_000, 20_000);
    let rate = round(&scene, count)?;
    let what = format!(
        "{} endpoints on as many hosts (ports) over TLS, {} events, each to one",
        thousands(HOSTS as f64),
        thousands(count as f64)
    );
    let figure = format!("{} once connected, {} while connecting", per_second(rate), per_second(connecting));
    let row = Row::new(what, figure).share(bench.alone.share_of_tls(rate));
    Ok(vec![row.asked("8,000/s", rate >= 8_000.0)])
}

fn round(scene: &Scene, count: u64) -> Result<f64> {
    let emit = format!(
        "select count(frontdesk.emit('host' || 1 + i % {HOSTS} || '.seen', '{{\"name\": \"Ada Lovelace\"}}'))
         from generate_series(1, {count}) i"
    );
    Ok(scene.drain_of(count, PATH, &emit)?.rate)
}
