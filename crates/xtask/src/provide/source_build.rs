//! PostgreSQL 17 and pgvector built from Debian's source packages into the cache.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Tried, apt, complete, source_package, vector};
use crate::{cache, postgres::Postgres, step::Step};

const WAY: &str = "a build from Debian's source packages";

/// What the build wants of the system's own suite.
const PACKAGES: [&str; 20] = [
    "gcc",
    "libc6-dev",
    "make",
    "perl",
    "bison",
    "flex",
    "bzip2",
    "xz-utils",
    "pkg-config",
    "libclang-dev",
    "libreadline-dev",
    "zlib1g-dev",
    "libicu-dev",
    "libssl-dev",
    "liblz4-dev",
    "libzstd-dev",
    "libxml2-dev",
    "uuid-dev",
    "tzdata",
    "ca-certificates",
];

/// A part of PostgreSQL, the header it needs, and how `configure` is told of it.
const OPTIONS: [(&str, &str, &str); 7] = [
    ("openssl/ssl.h", "--with-ssl=openssl", ""),
    ("lz4.h", "--with-lz4", ""),
    ("zstd.h", "--with-zstd", ""),
    ("libxml2/libxml/parser.h", "--with-libxml", ""),
    ("unicode/ucol.h", "--with-icu", "--without-icu"),
    ("readline/readline.h", "", "--without-readline"),
    ("zlib.h", "", "--without-zlib"),
];

pub fn postgres(tried: &mut Tried) -> Option<Postgres> {
    if !apt::is_here() {
        tried.add(WAY, "there is no apt-get to fetch them with");
        return None;
    }
    match build() {
        Ok(prefix) => complete(&prefix.join("bin/pg_config"), tried),
        Err(error) => {
            tried.add(WAY, format!("{error:#}"));
            None
        }
    }
}

/// Builds and installs below `<cache>/work` first and moves the whole to its place at the end: an installation that
/// is there is complete.
fn build() -> Result<PathBuf> {
    let missing = apt::install(&PACKAGES).err();
    for tool in ["cc", "make", "perl", "bison", "flex", "tar"] {
        if !runs(tool) {
            let hint = missing.map(|error| format!(" ({error:#})")).unwrap_or_default();
            bail!("{tool} is missing{hint}");
        }
    }
    let work = cache::dir()?.join("work");
    cache::remove(&work)?;
    std::fs::create_dir_all(&work)?;
    let sources = source_package::unpack(&["postgresql-17", "pgvector"], &work)?;
    let [server, pgvector] = sources.as_slice() else { bail!("expected two source packages") };

    let version = version(server)?;
    let prefix = cache::dir()?.join(format!("postgresql-{version}"));
    let stage = work.join("stage");
    let staged = stage.join(prefix.strip_prefix("/").unwrap_or(&prefix));
    compile(&version, server, &prefix, &stage)?;
    vector::build(pgvector, &staged.join("bin/pg_config"))?;

    cache::remove(&prefix)?;
    std::fs::rename(&staged, &prefix).with_context(|| format!("moving the build to {}", prefix.display()))?;
    cache::remove(&work)?;
    Ok(prefix)
}

fn compile(version: &str, source: &Path, prefix: &Path, stage: &Path) -> Result<()> {
    let mut step = Step::begin(&format!("building PostgreSQL {version}"))?;
    let mut configure = Command::new("./configure");
    configure.arg("--quiet").arg(format!("--prefix={}", prefix.display())).arg("CFLAGS=-O2").current_dir(source);
    for (header, with, without) in OPTIONS {
        let option = if has_header(header) { with } else { without };
        if !option.is_empty() {
            configure.arg(option);
        }
    }
    step.run(&mut configure)?;
    let jobs = std::thread::available_parallelism().map_or(1, |n| n.get());
    step.run(make(source).arg(format!("-j{jobs}")).arg("world-bin"))?;
    step.run(make(source).arg("install-world-bin").arg(format!("DESTDIR={}", stage.display())))?;
    step.done();
    Ok(())
}

/// `make` free of what a make above us, or cargo's build, has put into the environment.
pub fn make(dir: &Path) -> Command {
    let mut command = Command::new("make");
    command.arg("--silent").env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS").current_dir(dir);
    command
}

/// `17.11`, as the unpacked source's `configure` says.
fn version(source: &Path) -> Result<String> {
    let configure = std::fs::read(source.join("configure")).context("the source has no configure")?;
    let text = String::from_utf8_lossy(&configure);
    let line = text.lines().find_map(|line| line.strip_prefix("PACKAGE_VERSION='")).context("no PACKAGE_VERSION")?;
    Ok(line.trim_end_matches('\'').to_string())
}

fn runs(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn has_header(header: &str) -> bool {
    let probe = format!("echo '#include <stdio.h>\n#include <{header}>' | cc -E -I/usr/include/libxml2 - ");
    let mut command = Command::new("sh");
    command.arg("-c").arg(probe).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
