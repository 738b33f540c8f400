//! `pgbench` with a script of our own.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

use testbed::cluster::Cluster;

/// One run. Nothing is vacuumed before it.
#[derive(Clone, Debug)]
pub struct Pgbench<'a> {
    pub database: &'a str,
    /// The transaction, in pgbench's own language.
    pub script: &'a str,
    pub clients: u32,
    pub threads: u32,
    pub seconds: u32,
    /// Transactions per second to start, all clients together; as many as possible when `None`.
    pub rate: Option<f64>,
    /// `simple`, `extended` or `prepared`.
    pub protocol: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub transactions: u64,
    pub failed: u64,
    /// Without the time it took to connect.
    pub tps: f64,
    pub latency_ms: f64,
}

impl Default for Pgbench<'_> {
    fn default() -> Self {
        Pgbench {
            database: "postgres",
            script: "",
            clients: 8,
            threads: 2,
            seconds: 10,
            rate: None,
            protocol: "prepared",
        }
    }
}

impl Pgbench<'_> {
    pub fn run(&self, cluster: &Cluster) -> Result<Measured> {
        let script = std::env::temp_dir().join(format!("frontdesk-{}-{}.pgbench", std::process::id(), cluster.port));
        std::fs::write(&script, self.script)?;
        let mut command = cluster.client("pgbench", self.database);
        command.args(["-n", "-c", &self.clients.to_string(), "-j", &self.threads.to_string()]);
        command.args(["-T", &self.seconds.to_string(), "-M", self.protocol, "-f"]).arg(&script);
        if let Some(rate) = self.rate {
            command.args(["-R", &rate.to_string()]);
        }
        let output = command.output().context("starting pgbench")?;
        let _ = std::fs::remove_file(&script);
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
        }
        parse(&text).with_context(|| {
            let mut message = String::from("pgbench printed:");
            let _ = write!(message, "\n{text}");
            message
        })
    }
}

fn parse(text: &str) -> Option<Measured> {
    let value = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split([' ', '/']).find(|word| !word.is_empty())?.parse::<f64>().ok()
    };
    Some(Measured {
        transactions: value("number of transactions actually processed:")? as u64,
        failed: value("number of failed transactions:").unwrap_or(0.0) as u64,
        tps: value("tps =")?,
        latency_ms: value("latency average =")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_prints_is_read() {
        let text = "number of transactions actually processed: 123456\nnumber of failed transactions: 2 (0.002%)\n\
                    latency average = 0.649 ms\ninitial connection time = 5.1 ms\ntps = 12345.678 (without initial …)\n";
        let measured = Measured { transactions: 123456, failed: 2, tps: 12345.678, latency_ms: 0.649 };
        assert_eq!(parse(text), Some(measured));
        assert_eq!(parse("nothing"), None);
    }
}
