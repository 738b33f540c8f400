//! Where clusters without a directory of their own go.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::processes;

/// A directory nobody else has; those of processes that are gone are removed on the way.
pub fn dir() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    const PREFIX: &str = "frontdesk-cluster-";
    let base = std::env::temp_dir();
    for entry in std::fs::read_dir(&base)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid: u32| !processes::is_alive(pid)) {
            processes::sweep(&entry.path());
        }
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(base.join(format!("{PREFIX}{}-{number}", std::process::id())))
}
