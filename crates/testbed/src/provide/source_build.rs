//! PostgreSQL 17 and pgvector built from source into the cache: as it is run, or with its assertions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Tried, apt, complete, source_package, vector};
use crate::{cache, postgres::Postgres, step::Step};

const WAY: &str = "a build from source";

/// How the server is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Plain,
    /// With the server's own assertions, which find what would crash it later or corrupt its data.
    Assertions,
}

/// What the build wants of the system's own suite.
const PACKAGES: [&str; 21] = [
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
    "curl",
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
    match build(Flavor::Plain, None) {
        Ok(prefix) => complete(&prefix.join("bin/pg_config"), tried),
        Err(error) => {
            tried.add(WAY, format!("{error:#}"));
            None
        }
    }
}

/// Builds `version` where it can be had, else the newest that can. It is installed below `<cache>/work-…` first and
/// the whole is moved to its place at the end: an installation that is there is complete.
pub fn build(flavor: Flavor, version: Option<&str>) -> Result<PathBuf> {
    let missing = apt::is_here().then(|| apt::install(&PACKAGES).err()).flatten();
    for tool in ["cc", "make", "perl", "bison", "flex", "tar", "bzip2"] {
        if !runs(tool) {
            let hint = missing.map(|error| format!(" ({error:#})")).unwrap_or_default();
            bail!("{tool} is missing; install it{hint}");
        }
    }
    let work = cache::dir()?.join(format!("work{}", flavor.suffix()));
    cache::remove(&work)?;
    std::fs::create_dir_all(&work)?;
    let server = source_package::unpack(&source_package::POSTGRESQL, version, &work)?;
    let pgvector = vector::unpack(&work)?;

    let version = self::version(&server)?;
    let prefix = cache::dir()?.join(format!("postgresql-{version}{}", flavor.suffix()));
    let stage = work.join("stage");
    let staged = stage.join(prefix.strip_prefix("/").unwrap_or(&prefix));
    compile(flavor, &version, &server, &prefix, &stage)?;
    vector::build(&pgvector, &staged.join("bin/pg_config"))?;

    cache::remove(&prefix)?;
    std::fs::rename(&staged, &prefix).with_context(|| format!("moving the build to {}", prefix.display()))?;
    cache::remove(&work)?;
    Ok(prefix)
}

impl Flavor {
    /// What stands behind the version in the name of its directory.
    pub fn suffix(self) -> &'static str {
        match self {
            Flavor::Plain => "",
            Flavor::Assertions => "-cassert",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Flavor::Plain => &["CFLAGS=-O2"],
            Flavor::Assertions => &["--enable-cassert", "CFLAGS=-O1"],
        }
    }
}

fn compile(flavor: Flavor, version: &str, source: &Path, prefix: &Path, stage: &Path) -> Result<()> {
    let mut step = Step::begin(&format!("building PostgreSQL {version}{}", flavor.suffix()))?;
    let mut configure = Command::new("./configure");
    configure.arg("--quiet").arg(format!("--prefix={}", prefix.display())).args(flavor.options()).current_dir(source);
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
