//! Debian's package manager, used as it is configured on this machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::{account, step::Step};

/// A mirror that does not answer is given up within seconds.
pub const IMPATIENT: [&str; 6] =
    ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"];

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
            let _ = step.status(command.args(IMPATIENT).arg("update"));
            step.done();
        }
    });
}

/// The proxy that apt's configuration names for addresses of this kind.
pub fn proxy(url: &str) -> Option<String> {
    let scheme = url.split_once("://")?.0;
    let key = format!("Acquire::{scheme}::Proxy");
    let output = Command::new("apt-config").args(["dump", "--format", "%v", &key]).output().ok()?;
    let proxy = String::from_utf8_lossy(&output.stdout).trim().to_string();
    (!proxy.is_empty() && proxy != "DIRECT").then_some(proxy)
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
