//! pgvector, which the extension requires.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, source_build, source_package};
use crate::{account, cache, postgres::Postgres, step, step::Step};

/// pgvector's own repository, the last resort where there is no apt, at a version known to build.
const UPSTREAM: (&str, &str) = ("https://github.com/pgvector/pgvector.git", "v0.8.0");

/// Adds pgvector to an installation that has none: from the distribution, else built.
pub fn ensure(postgres: &Postgres) -> Result<()> {
    if postgres.has_extension("vector") {
        return Ok(());
    }
    let packaged = Path::new("/usr/lib/postgresql/17/bin");
    if postgres.bin_dir == packaged && apt::is_here() && apt::offers("postgresql-17-pgvector") {
        apt::install(&["postgresql-17-pgvector"])?;
    }
    if postgres.has_extension("vector") {
        return Ok(());
    }
    let work = cache::dir()?.join("work-pgvector");
    cache::remove(&work)?;
    std::fs::create_dir_all(&work)?;
    let source = unpack(&work)?;
    build(&source, &postgres.pg_config)?;
    cache::remove(&work)?;
    if !postgres.has_extension("vector") {
        bail!("pgvector was built but {} has no vector.control", postgres.extension_dir.display());
    }
    Ok(())
}

/// Builds and installs pgvector for the installation `pg_config` belongs to. `OPTFLAGS` is emptied because upstream's
/// `-march=native` makes a build that runs on this processor only.
pub fn build(source: &Path, pg_config: &Path) -> Result<()> {
    let pg_config = format!("PG_CONFIG={}", pg_config.display());
    let mut step = Step::begin("building pgvector")?;
    step.run(source_build::make(source).args(["OPTFLAGS=", "with_llvm=no", &pg_config]))?;
    let install = ["install", "OPTFLAGS=", "with_llvm=no", &pg_config];
    if !step.status(source_build::make(source).args(install))?.success() {
        let mut make = account::privileged("make").context("installing pgvector takes root")?;
        step.run(make.arg("--silent").args(install).current_dir(source))?;
    }
    step.done();
    Ok(())
}

/// pgvector's source below `work`, from a mirror or else from upstream's repository.
pub fn unpack(work: &Path) -> Result<PathBuf> {
    source_package::unpack(&source_package::PGVECTOR, None, work)
        .or_else(|error| clone(work).with_context(|| format!("{error:#}; then")))
}

fn clone(work: &Path) -> Result<PathBuf> {
    let (url, tag) = UPSTREAM;
    let into = work.join("pgvector");
    let mut git = Command::new("git");
    git.args(["-c", "advice.detachedHead=false", "clone", "--quiet", "--depth=1", "--branch", tag, url]).arg(&into);
    step::run("fetching pgvector", &mut git)?;
    Ok(into)
}
