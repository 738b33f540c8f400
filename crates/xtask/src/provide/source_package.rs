//! Debian's source packages, fetched through a private apt state so that the system's configuration stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::{cache, step::Step};

/// The suite whose sources are taken: the first one with PostgreSQL 17.
const SUITE: &str = "trixie";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches source packages and unpacks their upstream archives below `dir`; one directory per package, in order.
pub fn unpack(packages: &[&str], dir: &Path) -> Result<Vec<PathBuf>> {
    if !apt::is_here() {
        bail!("there is no apt-get to fetch source packages with");
    }
    let mut step = Step::begin(&format!("fetching the sources of {}", packages.join(", ")))?;
    let mirrors = mirrors(&mut step)?;
    if mirrors.is_empty() {
        bail!("apt knows no mirror of Debian (apt-get indextargets)");
    }
    let mut failure = None;
    for mirror in &mirrors {
        match fetch(&mut step, mirror, packages, dir) {
            Ok(()) => {
                let unpacked = packages.iter().map(|package| extract(&mut step, package, dir)).collect();
                step.done();
                return unpacked;
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.context("no mirror answered")?)
}

fn fetch(step: &mut Step, mirror: &str, packages: &[&str], dir: &Path) -> Result<()> {
    let state = PrivateState::new(mirror)?;
    step.run(state.apt_get().arg("update"))?;
    step.run(state.apt_get().args(["source", "--download-only"]).args(packages).current_dir(dir))
}

fn extract(step: &mut Step, package: &str, dir: &Path) -> Result<PathBuf> {
    let archive = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{package}_")) && name.contains(".orig.tar.") && !name.ends_with(".asc")
    });
    let archive = archive.with_context(|| format!("the source package {package} has no upstream archive"))?;
    let into = dir.join(package);
    std::fs::create_dir_all(&into)?;
    step.run(Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&into).arg("--strip-components=1"))?;
    Ok(into)
}

/// The mirrors of Debian this machine's own configuration names.
fn mirrors(step: &mut Step) -> Result<Vec<String>> {
    let known = list_mirrors(&mut Command::new("apt-get"))?;
    if !known.is_empty() {
        return Ok(known);
    }
    // Images often come without package lists, and apt names only those it has: fetch them to a place of our own.
    let lists = cache::subdir("apt/system-lists")?;
    let with_lists = || {
        let mut command = Command::new("apt-get");
        command.arg("-o").arg(format!("Dir::State::lists={}", lists.display()));
        command
    };
    step.status(with_lists().arg("update"))?;
    list_mirrors(&mut with_lists())
}

fn list_mirrors(apt_get: &mut Command) -> Result<Vec<String>> {
    let output = apt_get.args(["indextargets", "--format", "$(LABEL)|$(REPO_URI)", "ShortDesc: Packages"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut mirrors: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("Debian|")).map(str::to_string).collect();
    mirrors.dedup();
    Ok(mirrors)
}

/// apt with a source list, lists and caches of its own.
struct PrivateState {
    dir: PathBuf,
}

impl PrivateState {
    fn new(mirror: &str) -> Result<PrivateState> {
        let dir = cache::subdir("apt")?;
        std::fs::create_dir_all(dir.join("lists/partial"))?;
        std::fs::create_dir_all(dir.join("archives/partial"))?;
        let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
        std::fs::write(dir.join("sources.list"), format!("deb-src {signed}{mirror} {SUITE} main\n"))?;
        Ok(PrivateState { dir })
    }

    fn apt_get(&self) -> Command {
        let dir = self.dir.display();
        let mut command = Command::new("apt-get");
        for option in [
            format!("Dir::Etc::sourcelist={dir}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_string(),
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::Cache::archives={dir}/archives"),
            "Dir::Cache::pkgcache=".to_string(),
            "Dir::Cache::srcpkgcache=".to_string(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}
