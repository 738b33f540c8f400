//! The cluster a bench runs on.

use anyhow::Result;

use testbed::checkout::EXTENSION;
use testbed::cluster::{Cluster, ClusterOptions};
use testbed::postgres::Postgres;

/// The database of a bench.
pub const DATABASE: &str = "bench";

/// A cluster with the extension preloaded and created in [`DATABASE`], and these settings besides the usual ones.
pub fn start(postgres: &Postgres, settings: &[(&str, &str)]) -> Result<Cluster> {
    let cluster =
        Cluster::create(postgres, ClusterOptions { preload: true, extra_conf: settings, ..Default::default() })?;
    cluster.psql("postgres", &format!("create database {DATABASE}"))?;
    cluster.psql(DATABASE, &format!("create extension {EXTENSION} cascade"))?;
    Ok(cluster)
}

/// Which of these extensions the server offers, in their order: the peers a bench runs beside us.
pub fn offered<'a>(cluster: &Cluster, peers: &[&'a str]) -> Result<Vec<&'a str>> {
    let names = cluster.psql("postgres", "select name from pg_available_extensions")?;
    Ok(peers.iter().copied().filter(|peer| names.lines().any(|name| name == *peer)).collect())
}
