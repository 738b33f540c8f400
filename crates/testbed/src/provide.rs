//! PostgreSQL 17 with pgvector and headers: found, installed from the distribution, or built.
//!
//! In this order: `$PG_CONFIG`; a `pg_config` on the PATH or in the usual places; what was built before; the
//! distribution's packages; a build from source (of the newest version that the package index names, else of one that is
//! known to build); `cargo pgrx init`'s own download. What needs a network that is not there is given up in seconds.

pub mod apt;
pub mod archive;
mod candidates;
mod download;
mod libclang;
mod mirrors;
mod packages;
mod pgrx_download;
mod source_build;
mod source_index;
mod source_package;
mod vector;

use std::path::Path;

use anyhow::{Result, bail};

use crate::{cache, postgres::Postgres};
use source_build::Flavor;

/// A complete PostgreSQL 17, and what is needed to build the extension against it. The error lists all that was tried.
pub fn postgres() -> Result<Postgres> {
    let _lock = cache::lock("provide")?;
    let mut tried = Tried::default();
    let Some(found) = first_that_works(&mut tried) else {
        bail!("no PostgreSQL 17 to work with. Tried:\n{}\n{}", tried.list(), REMEDY);
    };
    libclang::ensure()?;
    Ok(found)
}

/// The same PostgreSQL built with its assertions, in the cache beside the other; built now when it is not there.
pub fn postgres_with_assertions(like: &Postgres) -> Result<Postgres> {
    let _lock = cache::lock("provide")?;
    let mut tried = Tried::default();
    let built = candidates::cached_with_assertions();
    if let Some(found) = built.iter().find_map(|pg_config| complete(pg_config, &mut tried)) {
        return Ok(found);
    }
    let prefix = source_build::build(Flavor::Assertions, Some(&like.version))?;
    Postgres::at(&prefix.join("bin/pg_config"))
}

/// The one that `pg_config` belongs to and no other, with whatever it lacks added if that can be done.
pub fn postgres_at(pg_config: &Path) -> Result<Postgres> {
    let mut tried = Tried::default();
    match complete(pg_config, &mut tried) {
        Some(found) => {
            libclang::ensure()?;
            Ok(found)
        }
        None => bail!("this PostgreSQL will not do:\n{}", tried.list()),
    }
}

const REMEDY: &str = "\
What helps, any one of these:
  Debian, Ubuntu   apt-get install postgresql-17 postgresql-server-dev-17 postgresql-17-pgvector libclang-dev
                   (from the distribution or from the PostgreSQL project's own repository)
  Fedora, RHEL     dnf install postgresql17-server postgresql17-devel postgresql17-contrib pgvector_17 clang
                   (from the PostgreSQL project's own repository)
  anywhere         export PG_CONFIG=/path/to/a/postgresql-17/bin/pg_config with pgvector installed there,
                   or install what the failed build above asks for";

/// The ways that did not lead to a PostgreSQL, each with its reason.
#[derive(Default)]
struct Tried(Vec<String>);

impl Tried {
    /// One line a way: what came of it is in the log that the line names.
    fn add(&mut self, way: impl Into<String>, reason: impl std::fmt::Display) {
        let reason = reason.to_string();
        self.0.push(format!("  - {}: {}", way.into(), reason.lines().next().unwrap_or_default()));
    }

    fn list(&self) -> String {
        self.0.join("\n")
    }
}

fn first_that_works(tried: &mut Tried) -> Option<Postgres> {
    candidates::found(tried)
        .or_else(|| cached(tried))
        .or_else(|| packages::install(tried))
        .or_else(|| source_build::postgres(tried))
        .or_else(|| pgrx_download::postgres(tried))
}

fn cached(tried: &mut Tried) -> Option<Postgres> {
    candidates::cached().into_iter().find_map(|pg_config| complete(&pg_config, tried))
}

/// The installation at `pg_config` if it can be used, with pgvector added when only that is missing.
fn complete(pg_config: &Path, tried: &mut Tried) -> Option<Postgres> {
    let way = pg_config.display().to_string();
    let postgres = match Postgres::at(pg_config) {
        Ok(postgres) => postgres,
        Err(error) => {
            tried.add(way, format!("{error:#}"));
            return None;
        }
    };
    if let Some(flaw) = postgres.flaw() {
        tried.add(way, flaw);
        return None;
    }
    if let Err(error) = vector::ensure(&postgres) {
        tried.add(way, format!("has no pgvector, and adding it failed: {error:#}"));
        return None;
    }
    Some(postgres)
}
