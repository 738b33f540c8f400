//! The cluster of `cargo xtask up`: one per checkout, kept between commands, reached by `psql`, removed by `down`.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use testbed::checkout::{self, EXTENSION};
use testbed::cluster::{Cluster, ClusterOptions, StopMode};
use testbed::install::{self, Profile};
use testbed::{cache, postgres::Postgres};

const DATABASE: &str = "frontdesk";

/// Starts the cluster, goes on using it, or brings it back after a crash, with the extension as it stands in the
/// checkout. Prints the lines that tell a shell where it is; everything else goes to stderr.
pub fn up(postgres: &Postgres, dir: Option<PathBuf>, profile: Profile) -> Result<()> {
    install::install(profile, postgres)?;
    let dir = dir_or_default(dir)?;
    let cluster = match Cluster::attach(postgres, &dir)? {
        Some(cluster) => refreshed(cluster)?,
        None => {
            eprintln!("  making a cluster in {}", dir.display());
            Cluster::create(postgres, ClusterOptions { preload: true, extra_conf: &[], dir: Some(dir) })?.keep()
        }
    };
    create_extension(&cluster)?;
    for (name, value) in cluster.environment(DATABASE) {
        println!("export {name}={}", quoted(&value));
    }
    Ok(())
}

/// Stops the cluster and removes it.
pub fn down(dir: Option<PathBuf>) -> Result<()> {
    let dir = dir_or_default(dir)?;
    match existing(&dir)? {
        Some(cluster) => cluster.remove(),
        None => cache::remove(&dir),
    }
}

/// Becomes `psql`, connected to the cluster.
pub fn psql(dir: Option<PathBuf>, arguments: &[String]) -> Result<()> {
    let cluster = existing(&dir_or_default(dir)?)?.filter(Cluster::is_running);
    let cluster = cluster.context("no cluster runs; start one with: cargo xtask up")?;
    Err(cluster.client("psql", DATABASE).args(arguments).exec()).context("starting psql")
}

/// Looks for the cluster before it looks for a PostgreSQL, which could mean building one.
fn existing(dir: &Path) -> Result<Option<Cluster>> {
    match dir.join("data").exists() {
        true => Cluster::attach(&Postgres::from_env()?, dir),
        false => Ok(None),
    }
}

fn dir_or_default(dir: Option<PathBuf>) -> Result<PathBuf> {
    match dir {
        Some(dir) => std::path::absolute(dir).context("the cluster's directory"),
        None => Ok(cache::dir()?.join(format!("cluster-{}", checkout::hash(&checkout::root()?)))),
    }
}

fn refreshed(cluster: Cluster) -> Result<Cluster> {
    if !cluster.is_running() {
        eprintln!("  starting the cluster again");
        cluster.start()?;
    } else if cluster.psql("postgres", "select 1").is_err() {
        eprintln!("  the server does not answer: restarting it");
        if cluster.stop(StopMode::Immediate).is_err() {
            cluster.kill9()?;
        }
        cluster.start()?;
    } else if library_is_newer(&cluster)? {
        eprintln!("  the library is newer than the server: restarting it");
        cluster.restart()?;
    }
    Ok(cluster)
}

/// The server writes its pid file when it starts, after it has loaded the library.
fn library_is_newer(cluster: &Cluster) -> Result<bool> {
    let started = std::fs::metadata(cluster.data_dir().join("postmaster.pid"))?.modified()?;
    let library = cluster.postgres.library_dir.join(format!("{EXTENSION}.so"));
    Ok(std::fs::metadata(library)?.modified()? > started)
}

/// The database with the extension in it; the extension is made anew when its scripts are not those it was made from.
fn create_extension(cluster: &Cluster) -> Result<()> {
    let there = cluster.psql("postgres", &format!("select 1 from pg_database where datname = '{DATABASE}'"))?;
    if there.is_empty() {
        cluster.psql("postgres", &format!("create database {DATABASE}"))?;
    }
    let script = installed_script(&cluster.postgres)?;
    let made_from = cluster.dir.join("made-from.sql");
    if std::fs::read_to_string(&made_from).is_ok_and(|text| text != script) {
        eprintln!("  the extension's SQL has changed: dropping and creating it anew (its data is gone)");
        cluster.psql(DATABASE, &format!("drop extension if exists {EXTENSION} cascade"))?;
    }
    let create = format!("set client_min_messages = warning; create extension if not exists {EXTENSION} cascade");
    if let Err(error) = cluster.psql(DATABASE, &create) {
        bail!("{error:#}\n(cargo xtask down removes the cluster, cargo xtask up makes a new one)");
    }
    std::fs::write(made_from, script)?;
    Ok(())
}

fn installed_script(postgres: &Postgres) -> Result<String> {
    let version = checkout::version(&checkout::root()?)?;
    let path: &Path = &postgres.extension_dir.join(format!("{EXTENSION}--{version}.sql"));
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// For a POSIX shell; as it is when nothing in it means anything to one.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if value.chars().all(plain) { value.to_string() } else { format!("'{}'", value.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quoted("/tmp/a-b"), "/tmp/a-b");
        assert_eq!(quoted("/tmp/it's me"), "'/tmp/it'\\''s me'");
    }
}
