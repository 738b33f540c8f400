//! Where the project lies, and what its files say about it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The name of the extension, its library and its control file.
pub const EXTENSION: &str = "pg_frontdesk";

/// The root of the checkout: the nearest directory above the running package (or above the working directory)
/// that holds the control file. Taken at run time, so that a binary built in one checkout never works on another.
pub fn root() -> Result<PathBuf> {
    let started_in = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => PathBuf::from(package),
        None => std::env::current_dir()?,
    };
    let control = format!("{EXTENSION}.control");
    match started_in.ancestors().find(|dir| dir.join(&control).is_file()) {
        Some(dir) => Ok(dir.to_path_buf()),
        None => bail!("no {control} in {} or above it: run this inside the checkout", started_in.display()),
    }
}

/// The extension's version: that of its package, as the library says it too.
pub fn version(root: &Path) -> Result<String> {
    let path = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "version")
        .map(|(_, value)| value.trim().trim_matches('"').to_string())
        .with_context(|| format!("{} has no version", path.display()))
}

/// Eight hexadecimal digits that tell this checkout from another one of the same user.
pub fn hash(root: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    format!("{:08x}", hasher.finish() as u32)
}

/// `cargo` as the one that runs us, working in the checkout.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Where cargo puts what it builds.
pub fn target_dir(root: &Path) -> Result<PathBuf> {
    let output = cargo(root).args(["metadata", "--format-version", "1", "--no-deps"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let dir = metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
    Ok(PathBuf::from(dir))
}
