//! What amcheck says of a database: the log is a table of PostgreSQL and stays right whatever is done to it.

use std::sync::Once;

use anyhow::Result;

use crate::cluster::Cluster;

const SCRIPT: &str = include_str!("../sql/amcheck.sql");

/// What is wrong in the tables and indexes of `database`, a line each. Nothing is known, and that is said once, where
/// the server has no amcheck; an error means that the database could not be looked at.
pub fn findings(cluster: &Cluster, database: &str) -> Result<Vec<String>> {
    static SAID: Once = Once::new();
    if !cluster.postgres.has_extension("amcheck") {
        SAID.call_once(|| eprintln!("  skipped: this PostgreSQL has no amcheck (contrib); no index is checked"));
        return Ok(Vec::new());
    }
    let wrong = cluster.psql(database, SCRIPT)?;
    Ok(wrong.lines().map(|line| format!("amcheck, {database}: {line}")).collect())
}
