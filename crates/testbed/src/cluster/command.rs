//! The server's own tools, run as the account the server runs under.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::Cluster;
use crate::account;

impl Cluster {
    /// `pg_ctl <action>` on this cluster.
    pub(super) fn pg_ctl(&self, action: &str) -> Result<Command> {
        let mut command = self.server_command("pg_ctl")?;
        command.arg(action).arg("-D").arg(self.data_dir());
        Ok(command)
    }

    pub(super) fn server_command(&self, tool: &str) -> Result<Command> {
        let mut command = self.postgres.command(tool);
        account::as_server(&mut command)?;
        // What errors of the server say must not depend on it.
        command.env_remove("RUST_BACKTRACE");
        Ok(command)
    }
}

/// Runs a command to its end; what it said is the error when it fails.
pub(super) fn checked(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    match output.status.success() {
        true => Ok(()),
        false => bail!("{name} ended with {}: {}", output.status, said(&output)),
    }
}

/// What a command printed, on both streams.
pub(super) fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_string());
    text.join("\n").trim().to_string()
}
