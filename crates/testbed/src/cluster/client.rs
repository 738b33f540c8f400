//! Clients of a cluster.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::command::said;
use super::{Cluster, USER};

impl Cluster {
    /// Where libpq connects to, as `(variable, value)`.
    pub fn environment(&self, database: &str) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.socket_dir.display().to_string()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", USER.to_string()),
            ("PGDATABASE", database.to_string()),
        ]
    }

    /// `host=… port=… user=… dbname=…`, over TCP.
    pub fn conninfo(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user={USER} dbname={database}", self.port)
    }

    /// A client tool (`psql`, `pgbench`, `pg_dump`, …) that connects to `database`.
    pub fn client(&self, tool: &str, database: &str) -> Command {
        let mut command = self.postgres.command(tool);
        command.envs(self.environment(database));
        command
    }

    /// Runs `sql` in `database` and returns what it printed: unaligned, no headings, no command tags. Statements run
    /// one by one, each in its own transaction, up to the first that fails.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = self.client("psql", database);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("psql has no stdin")?;
        let text = sql.to_string();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output()?;
        let _ = writer.join();
        if !output.status.success() {
            bail!("{}", said(&output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_string())
    }
}
