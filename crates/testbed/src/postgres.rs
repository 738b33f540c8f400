//! One installation of PostgreSQL 17.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{account, provide};

/// The major version the extension is built for.
pub const MAJOR: &str = "17";

#[derive(Clone, Debug)]
pub struct Postgres {
    pub pg_config: PathBuf,
    pub bin_dir: PathBuf,
    /// Where libraries of extensions lie (`--pkglibdir`).
    pub library_dir: PathBuf,
    /// Where control files and scripts of extensions lie (`--sharedir` + `/extension`).
    pub extension_dir: PathBuf,
    /// Server headers (`--includedir-server`).
    pub include_dir: PathBuf,
    /// As in `17.11`.
    pub version: String,
}

impl Postgres {
    /// The installation that `pg_config` belongs to; an error when it is not of version 17.
    pub fn at(pg_config: &Path) -> Result<Postgres> {
        let version = ask(pg_config, "--version")?;
        let version = version.split_whitespace().nth(1).unwrap_or_default().to_string();
        let major = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if major != MAJOR {
            bail!("is version {version}, not {MAJOR}");
        }
        Ok(Postgres {
            pg_config: pg_config.to_path_buf(),
            bin_dir: ask(pg_config, "--bindir")?.into(),
            library_dir: ask(pg_config, "--pkglibdir")?.into(),
            extension_dir: PathBuf::from(ask(pg_config, "--sharedir")?).join("extension"),
            include_dir: ask(pg_config, "--includedir-server")?.into(),
            version,
        })
    }

    /// The installation the test command has prepared (`$PG_FRONTDESK_PG_CONFIG`), else one found or built now.
    pub fn from_env() -> Result<Postgres> {
        match std::env::var_os("PG_FRONTDESK_PG_CONFIG") {
            Some(pg_config) => Postgres::at(Path::new(&pg_config)),
            None => provide::postgres(),
        }
    }

    /// A tool of this installation (`psql`, `initdb`, …), free of what the caller's environment says about servers.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.bin_dir.join(tool));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") && !name.to_string_lossy().starts_with("PG_FRONTDESK") {
                command.env_remove(name);
            }
        }
        command
    }

    /// What keeps a server from being run and extensions from being built, if anything.
    pub fn flaw(&self) -> Option<String> {
        for tool in ["postgres", "initdb", "pg_ctl", "psql"] {
            if !self.bin_dir.join(tool).exists() {
                return Some(format!("has no {tool} in {}", self.bin_dir.display()));
            }
        }
        if !self.include_dir.join("postgres.h").exists() {
            return Some(format!("has no server headers in {}", self.include_dir.display()));
        }
        if !self.writable() {
            return Some(format!("cannot be installed into: {} is not writable", self.library_dir.display()));
        }
        None
    }

    /// Whether we may put an extension into it.
    pub fn writable(&self) -> bool {
        account::privileged("true").is_some() || (writable(&self.library_dir) && writable(&self.extension_dir))
    }

    /// Whether `create extension <name>` would find its control file.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extension_dir.join(format!("{name}.control")).exists()
    }
}

fn ask(pg_config: &Path, option: &str) -> Result<String> {
    let output = Command::new(pg_config).arg(option).output().context("cannot be run")?;
    if !output.status.success() {
        bail!("{option} ended with {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Tried rather than read from the mode bits: read-only file systems and access lists count too.
fn writable(dir: &Path) -> bool {
    let probe = dir.join(format!(".pg_frontdesk-{}", std::process::id()));
    let made = File::create(&probe).is_ok();
    let _ = std::fs::remove_file(&probe);
    made
}
