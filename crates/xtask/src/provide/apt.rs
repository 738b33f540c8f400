//! Debian's package manager, used as it is configured on this machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::{account, step::Step};

pub fn is_here() -> bool {
    Path::new("/usr/bin/apt-get").exists()
}

/// Whether the configured repositories have a package of this name to install.
pub fn offers(package: &str) -> bool {
    let mut command = Command::new("apt-cache");
    command.args(["show", "--no-all-versions", package]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Installs what is missing of `packages`; an error when that takes rights we do not have.
pub fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    update();
    let Some(mut command) = privileged_apt() else {
        bail!("as root: apt-get install {}", missing.join(" "));
    };
    let mut step = Step::begin(&format!("installing {}", missing.join(" ")))?;
    step.run(command.args(["install", "-y", "--no-install-recommends"]).args(&missing))?;
    step.done();
    Ok(())
}

/// Refreshes the package lists once per run, where we may; old lists are better than none, so failure is no matter.
pub fn update() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        if let Some(mut command) = privileged_apt()
            && let Ok(mut step) = Step::begin("refreshing package lists")
        {
            let _ = step.status(command.arg("update"));
            step.done();
        }
    });
}

fn is_installed(package: &str) -> bool {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]).output();
    query.is_ok_and(|output| output.stdout == b"installed")
}

fn privileged_apt() -> Option<Command> {
    let mut command = account::privileged("env")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Some(command)
}
