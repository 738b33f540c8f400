//! Other extensions that send or schedule, where the server offers them.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::scene::{Scene, await_true};
use crate::server::{self, DATABASE};
use testbed::checkout::EXTENSION;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Net,
    Http,
    Cron,
}

const PEERS: [(Peer, &str); 3] = [(Peer::Net, "pg_net"), (Peer::Http, "http"), (Peer::Cron, "pg_cron")];

/// Preloads and creates the peers that the server offers, as shipped; the server is restarted when one must be preloaded.
pub fn enable(scene: &Scene) -> Result<Vec<Peer>> {
    let names = PEERS.map(|(_, name)| name);
    let offered = server::offered(&scene.cluster, &names)?;
    let preloaded: Vec<&str> = offered.iter().copied().filter(|name| *name != "http").collect();
    if !preloaded.is_empty() {
        let libraries = [&[EXTENSION], preloaded.as_slice()].concat().join(",");
        let mut settings = vec![("shared_preload_libraries", libraries.as_str())];
        if preloaded.contains(&"pg_net") {
            settings.push(("pg_net.database_name", DATABASE));
        }
        if preloaded.contains(&"pg_cron") {
            settings.push(("cron.database_name", DATABASE));
        }
        scene.cluster.set(&settings)?;
        scene.cluster.restart()?;
    }
    for name in &offered {
        scene.sql(&format!("create extension {name}"))?;
    }
    Ok(PEERS.iter().filter(|(_, name)| offered.contains(name)).map(|(peer, _)| *peer).collect())
}

/// Deliveries per second of a backlog, first to last.
pub fn net_rate(scene: &Scene, count: u64) -> Result<f64> {
    scene.receiver.reset()?;
    let url = scene.receiver.url("/ok/net");
    scene.sql(&format!(
        "select count(net.http_post('{url}', body => jsonb_build_object('type', 'lead.created', 'data', repeat('x', 150))))
         from generate_series(1, {count})"
    ))?;
    await_true(Duration::from_secs(60), "pg_net", || Ok(scene.receiver.count("requests")? >= count))?;
    Ok(count as f64 / scene.receiver.stats()?["seconds"].as_f64().unwrap_or(f64::NAN))
}

/// Calls per second of one session.
pub fn http_rate(scene: &Scene, count: u64) -> Result<f64> {
    let url = scene.receiver.url("/ok/http");
    let started = Instant::now();
    scene.sql(&format!(
        "select count(http_post('{url}', repeat('x', 200), 'application/json')) from generate_series(1, {count})"
    ))?;
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// A table whose every insert calls pg_net, with the payload of Supabase's database webhooks.
pub fn net_trigger(scene: &Scene, table: &str) -> Result<()> {
    let call = format!("net.http_post('{}', body => {PAYLOAD})", scene.receiver.url("/ok/net"));
    trigger(scene, table, &call)
}

/// A table whose every insert waits for pgsql-http.
pub fn http_trigger(scene: &Scene, table: &str, path: &str) -> Result<()> {
    let call = format!("http_post('{}', ({PAYLOAD})::text, 'application/json')", scene.receiver.url(path));
    trigger(scene, table, &call)
}

const PAYLOAD: &str = "jsonb_build_object('type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
    'record', to_jsonb(new), 'old_record', null)";

fn trigger(scene: &Scene, table: &str, call: &str) -> Result<()> {
    scene.create_table(table)?;
    scene.sql(&format!(
        "create function notify_{table}() returns trigger language plpgsql as $$
           begin perform {call}; return new; end $$;
         create trigger notify after insert on {table} for each row execute function notify_{table}()"
    ))?;
    Ok(())
}
