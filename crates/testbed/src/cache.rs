//! What was built or downloaded is kept outside the checkout and used again.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::account;

/// `$PG_FRONTDESK_CACHE`, else `/var/cache/pg_frontdesk` for root (its servers, run by another account, must be able
/// to read it), else `$XDG_CACHE_HOME/pg_frontdesk` or `~/.cache/pg_frontdesk`. Created when missing.
pub fn dir() -> Result<PathBuf> {
    let dir = chosen()?;
    std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    dir.canonicalize().with_context(|| format!("resolving {}", dir.display()))
}

/// A directory below the cache, created when missing.
pub fn subdir(name: &str) -> Result<PathBuf> {
    let dir = dir()?.join(name);
    std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    Ok(dir)
}

/// Holds others off until the returned file is dropped: two commands at once must not build the same thing.
pub fn lock(name: &str) -> Result<File> {
    let path = dir()?.join(format!("{name}.lock"));
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    if file.try_lock().is_err() {
        eprintln!("  waiting for another xtask ({})", path.display());
        file.lock()?;
    }
    Ok(file)
}

/// Removes `path` and all below it; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn chosen() -> Result<PathBuf> {
    if let Some(dir) = set("PG_FRONTDESK_CACHE") {
        return Ok(dir);
    }
    if account::is_root() {
        return Ok(PathBuf::from("/var/cache/pg_frontdesk"));
    }
    if let Some(dir) = set("XDG_CACHE_HOME") {
        return Ok(dir.join("pg_frontdesk"));
    }
    let home = set("HOME").context("neither PG_FRONTDESK_CACHE nor HOME is set: where should builds be kept?")?;
    Ok(home.join(".cache/pg_frontdesk"))
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
