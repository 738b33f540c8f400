//! The last resort: `cargo pgrx init` downloads and builds PostgreSQL 17 by itself. Where it would download from is
//! asked first: to build cargo-pgrx takes minutes.

use anyhow::{Context, Result, bail};

use super::{Tried, candidates, complete, download};
use crate::{cache, checkout, postgres::Postgres, step, step::Step};

const WAY: &str = "cargo pgrx init";

/// Of the same version as the library the extension is built with.
const VERSION: &str = "=0.18.1";

/// Where it looks for the newest version.
const NEEDS: &str = "https://www.postgresql.org/versions.rss";

pub fn postgres(tried: &mut Tried) -> Option<Postgres> {
    match fetch() {
        Ok(pg_config) => complete(&pg_config, tried),
        Err(error) => {
            tried.add(WAY, format!("{error:#}"));
            None
        }
    }
}

fn fetch() -> Result<std::path::PathBuf> {
    let mut probe = Step::begin("looking for the network")?;
    if let Err(reason) = download::answers(&mut probe, NEEDS) {
        bail!("{NEEDS} is not reached: {reason}");
    }
    probe.done();
    let cache = cache::dir()?;
    let tools = cache::subdir("tools")?;
    let mut install = checkout::cargo(&cache);
    install.args(["install", "cargo-pgrx", "--version", VERSION, "--locked", "--root"]).arg(&tools);
    step::run("building cargo-pgrx", &mut install)?;

    let home = cache::subdir("pgrx")?;
    let mut init = std::process::Command::new(tools.join("bin/cargo-pgrx"));
    // What it would run is initdb, which root cannot.
    init.args(["pgrx", "init", "--pg17", "download", "--no-run"]).env("PGRX_HOME", &home).current_dir(&cache);
    step::run("downloading and building PostgreSQL 17", &mut init)?;
    candidates::pgrx_install(&cache).context("cargo pgrx init left no pg_config")
}
