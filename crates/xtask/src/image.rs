//! The container image, built by whichever tool is there.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use testbed::checkout::{self, EXTENSION};

/// The tools that build images from a Dockerfile, each with what it is called with.
const BUILDERS: [(&str, &[&str]); 3] =
    [("docker", &["build", "-t"]), ("podman", &["build", "-t"]), ("buildah", &["bud", "--isolation", "chroot", "-t"])];

/// Builds `pg_frontdesk:<version>`; the builder's own output is shown as it comes.
pub fn build() -> Result<()> {
    let root = checkout::root()?;
    let tag = format!("{EXTENSION}:{}", checkout::version(&root)?);
    let Some((builder, arguments)) = BUILDERS.iter().find(|(builder, _)| works(builder)) else {
        bail!("building an image takes docker, podman or buildah, and none of them works here; install one of them");
    };
    eprintln!("  building {tag} with {builder}");
    let status = Command::new(builder).args(*arguments).arg(&tag).arg(".").current_dir(&root).status()?;
    if !status.success() {
        bail!("{builder} ended with {status}");
    }
    println!("{tag}");
    Ok(())
}

/// `info` asks docker's daemon too, which is often not running where the client is installed.
fn works(builder: &str) -> bool {
    let mut command = Command::new(builder);
    command.arg("info").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
