//! Source archives: known by their SHA-256, fetched from whichever address has the right bytes, kept in the cache.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::download;
use crate::step::Step;

/// One archive, and where it may be had.
#[derive(Clone, Debug)]
pub struct Archive {
    /// `postgresql-17_17.11.orig.tar.bz2`
    pub file: String,
    /// In hexadecimal digits.
    pub sha256: String,
    pub urls: Vec<String>,
}

/// The first of `archives` that lies in `dir` or can be fetched into it. The error says of each why it cannot be had.
pub fn first(step: &mut Step, archives: &[Archive], dir: &Path) -> Result<PathBuf> {
    let mut failures = Vec::new();
    for archive in archives {
        match archive.fetch(step, dir) {
            Ok(path) => return Ok(path),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    bail!("{}", if failures.is_empty() { "no archive is known".to_string() } else { failures.join("; ") })
}

impl Archive {
    fn fetch(&self, step: &mut Step, dir: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        let path = dir.join(&self.file);
        if self.is_at(&path) {
            return Ok(path);
        }
        let part = dir.join(format!("{}.part", self.file));
        let mut failures = Vec::new();
        for url in &self.urls {
            match self.fetch_from(step, url, &part) {
                Ok(()) => {
                    std::fs::rename(&part, &path).with_context(|| format!("keeping {}", path.display()))?;
                    return Ok(path);
                }
                Err(reason) => failures.push(format!("{}: {reason}", host(url))),
            }
        }
        if failures.is_empty() {
            failures.push("no address of it is known".to_string());
        }
        failures.dedup();
        bail!("{} ({})", self.file, failures.join(", "))
    }

    /// Bytes that another address began may be others: what is wrong as a whole is fetched once more from its start.
    fn fetch_from(&self, step: &mut Step, url: &str, part: &Path) -> Result<(), String> {
        if self.is_at(part) {
            return Ok(());
        }
        let resumed = part.exists();
        download::get(step, url, part)?;
        if self.is_at(part) {
            return Ok(());
        }
        let _ = std::fs::remove_file(part);
        if resumed {
            download::get(step, url, part)?;
            if self.is_at(part) {
                return Ok(());
            }
            let _ = std::fs::remove_file(part);
        }
        Err("what came has another SHA-256".to_string())
    }

    fn is_at(&self, path: &Path) -> bool {
        sha256(path).is_ok_and(|sum| sum == self.sha256)
    }
}

/// The SHA-256 of a file in hexadecimal digits.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        sum.update(&buffer[..read]);
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
