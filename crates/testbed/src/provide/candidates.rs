//! Installations that are there already.

use std::path::{Path, PathBuf};

use super::{Tried, complete, source_build::Flavor};
use crate::{cache, postgres::Postgres};

/// Where distributions and packagers put version 17.
const USUAL_PLACES: [&str; 7] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/pgsql-17/bin",
    "/usr/libexec/postgresql17",
    "/opt/homebrew/opt/postgresql@17/bin",
    "/usr/local/opt/postgresql@17/bin",
    "/usr/local/pgsql/bin",
    "/Applications/Postgres.app/Contents/Versions/17/bin",
];

/// The first installation of the machine that can be used.
pub fn found(tried: &mut Tried) -> Option<Postgres> {
    let asked_for = std::env::var_os("PG_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(pg_config) = &asked_for {
        if let Some(postgres) = complete(pg_config, tried) {
            return Some(postgres);
        }
        eprintln!("  $PG_CONFIG is set but will not do:\n{}", tried.list());
    }
    on_this_machine().iter().find_map(|pg_config| complete(pg_config, tried))
}

/// What we built before, the newest first.
pub fn cached() -> Vec<PathBuf> {
    let mut builds = built(Flavor::Plain);
    builds.extend(cache::dir().ok().and_then(|cache| pgrx_install(&cache)));
    builds
}

/// The builds with assertions.
pub fn cached_with_assertions() -> Vec<PathBuf> {
    built(Flavor::Assertions)
}

fn built(flavor: Flavor) -> Vec<PathBuf> {
    let Ok(cache) = cache::dir() else { return Vec::new() };
    let mut builds: Vec<(u32, PathBuf)> = children(&cache)
        .filter_map(|prefix| {
            let version =
                prefix.file_name()?.to_str()?.strip_prefix("postgresql-17.")?.strip_suffix(flavor.suffix())?;
            Some((version.parse().ok()?, prefix.join("bin/pg_config")))
        })
        .filter(|(_, pg_config)| pg_config.is_file())
        .collect();
    builds.sort_by_key(|(minor, _)| std::cmp::Reverse(*minor));
    builds.into_iter().map(|(_, pg_config)| pg_config).collect()
}

/// What `cargo pgrx init` left below the cache.
pub fn pgrx_install(cache: &Path) -> Option<PathBuf> {
    children(&cache.join("pgrx")).map(|dir| dir.join("pgrx-install/bin/pg_config")).find(|path| path.is_file())
}

fn on_this_machine() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for dir in std::env::split_paths(&path).chain(USUAL_PLACES.iter().map(PathBuf::from)) {
        let pg_config = dir.join("pg_config");
        let known = |other: &PathBuf| other.canonicalize().ok() == pg_config.canonicalize().ok();
        if pg_config.is_file() && !found.iter().any(known) {
            found.push(pg_config);
        }
    }
    found
}

fn children(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}
