//! The extension built and put into a PostgreSQL, or into a directory for packaging.

pub mod rooms;
mod script;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{account, cache, checkout, checkout::EXTENSION, postgres::Postgres, step};

/// What an installation has replaced; nothing when all was there already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changed {
    pub library: bool,
    pub scripts: bool,
}

/// How the extension is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Incremental, without optimisation.
    Dev,
    /// Optimised crate by crate: built in minutes.
    Release,
    /// Optimised across crates: what is measured and what is shipped.
    Measured,
}

impl Profile {
    /// Incremental after all where `$PG_FRONTDESK_DEV` asks for that.
    pub fn or_dev(self) -> Profile {
        let dev = std::env::var_os("PG_FRONTDESK_DEV").is_some_and(|value| !value.is_empty());
        if dev { Profile::Dev } else { self }
    }

    /// Where cargo puts what is built so, and its own name for it but for `debug`.
    fn folder(self) -> &'static str {
        match self {
            Profile::Dev => "debug",
            Profile::Release => "release",
            Profile::Measured => "measured",
        }
    }
}

/// Builds the extension and puts it into `postgres`.
pub fn install(profile: Profile, postgres: &Postgres) -> Result<Changed> {
    install_into(profile, postgres, postgres)
}

/// Puts the library that is built for one PostgreSQL into another of the same version: the server's assertions do not
/// change what a library is built against.
pub fn install_into(profile: Profile, built_for: &Postgres, postgres: &Postgres) -> Result<Changed> {
    let root = checkout::root()?;
    let library = build(profile, &root, built_for)?;
    let _lock = cache::lock("install")?;
    let mut changed = Changed::default();
    for file in files(&root, &library, postgres)? {
        if std::fs::read(&file.destination).is_ok_and(|there| there == file.content) {
            continue;
        }
        place(&file)?;
        match file.is_library {
            true => changed.library = true,
            false => changed.scripts = true,
        }
    }
    Ok(changed)
}

/// Builds the extension for `postgres` and lays its files out below `out` as they would lie on the system.
pub fn package(postgres: &Postgres, out: &Path) -> Result<()> {
    let root = checkout::root()?;
    let library = build(Profile::Measured, &root, postgres)?;
    for mut file in files(&root, &library, postgres)? {
        file.destination = out.join(file.destination.strip_prefix("/").unwrap_or(&file.destination));
        if let Some(dir) = file.destination.parent() {
            std::fs::create_dir_all(dir)?;
        }
        place(&file)?;
        println!("{}", file.destination.display());
    }
    Ok(())
}

/// `cargo` told of the PostgreSQL to build for; every cargo command that touches the extension must be this one,
/// or the bindings are made anew each time.
pub fn cargo(root: &Path, postgres: &Postgres) -> Command {
    let mut command = checkout::cargo(root);
    command.env("PGRX_PG_CONFIG_PATH", &postgres.pg_config);
    command
}

/// An example of a crate, built as the extension is.
pub fn example(profile: Profile, package: &str, name: &str) -> Result<PathBuf> {
    let root = checkout::root()?;
    let mut command = checkout::cargo(&root);
    command.args(["build", "-p", package, "--example", name]);
    if profile != Profile::Dev {
        command.args(["--profile", profile.folder()]);
    }
    step::run(&format!("building the example {name}"), &mut command)?;
    Ok(checkout::target_dir(&root)?.join(profile.folder()).join("examples").join(name))
}

/// Where the control file takes in the version.
const VERSION_MARK: &str = "@CARGO_VERSION@";

struct Placed {
    content: Vec<u8>,
    destination: PathBuf,
    is_library: bool,
}

fn build(profile: Profile, root: &Path, postgres: &Postgres) -> Result<PathBuf> {
    let mut command = cargo(root, postgres);
    command.args(["build", "--lib", "-p", EXTENSION]);
    let folder = profile.folder();
    if profile != Profile::Dev {
        command.args(["--profile", folder]);
    }
    step::run("building the extension", &mut command)?;
    Ok(checkout::target_dir(root)?.join(format!("{folder}/lib{EXTENSION}.so")))
}

fn files(root: &Path, library: &Path, postgres: &Postgres) -> Result<Vec<Placed>> {
    let control = format!("{EXTENSION}.control");
    let version = checkout::version(root)?;
    let into = &postgres.extension_dir;
    let mut files = vec![
        Placed {
            content: read(library)?,
            destination: postgres.library_dir.join(format!("{EXTENSION}.so")),
            is_library: true,
        },
        Placed {
            content: String::from_utf8(read(&root.join(&control))?)?.replace(VERSION_MARK, &version).into_bytes(),
            destination: into.join(&control),
            is_library: false,
        },
        Placed {
            content: script::install_script(root)?.into_bytes(),
            destination: into.join(format!("{EXTENSION}--{version}.sql")),
            is_library: false,
        },
    ];
    for (name, text) in script::released(root)? {
        files.push(Placed { content: text.into_bytes(), destination: into.join(name), is_library: false });
    }
    Ok(files)
}

/// Written beside and renamed, never over the old file: a running server has the old library mapped.
fn place(file: &Placed) -> Result<()> {
    let beside = file.destination.with_extension(format!("new{}", std::process::id()));
    match std::fs::write(&beside, &file.content) {
        Ok(()) => std::fs::rename(&beside, &file.destination)
            .with_context(|| format!("installing {}", file.destination.display())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => place_privileged(file),
        Err(error) => Err(error).with_context(|| format!("writing {}", beside.display())),
    }
}

fn place_privileged(file: &Placed) -> Result<()> {
    let name = file.destination.file_name().unwrap_or_default();
    let copy = cache::subdir("install")?.join(name);
    std::fs::write(&copy, &file.content)?;
    let mode = if file.is_library { "755" } else { "644" };
    // `install` removes the old file first, so a running server keeps its own.
    let mut command = account::privileged("install")
        .with_context(|| format!("{} is not writable and sudo asks for a password", file.destination.display()))?;
    let output = command.args(["-m", mode]).arg(&copy).arg(&file.destination).output()?;
    if !output.status.success() {
        bail!("installing {}: {}", file.destination.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}
