//! What the scenes play on: a server, its receivers, and the means to run SQL that is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::numbers::Numbers;
use super::transcript::Transcript;
use testbed::cluster::{Cluster, ClusterOptions, port};
use testbed::{account, postgres::Postgres, receiver::Receiver};

/// Where the first scenes play.
const DATABASE: &str = "demo";
/// Seconds that the clock of a later scene may be ahead: webhooks carry its time.
const AHEAD: &str = "2000000";

pub struct Stage {
    pub cluster: Cluster,
    /// Where the scene plays.
    pub database: &'static str,
    pub out: Transcript,
    pub numbers: Numbers,
    /// Its receiver is started long after the endpoint was added.
    pub partner_secret: String,
    /// By the name of the endpoint; in a port's place connections are refused until the receiver is started.
    desks: BTreeMap<&'static str, Desk>,
}

struct Desk {
    address: SocketAddr,
    receiver: Option<Receiver>,
}

impl Stage {
    pub fn set(postgres: &Postgres) -> Result<Stage> {
        let cluster = Cluster::create(postgres, ClusterOptions { preload: true, ..Default::default() })?;
        give_key(&cluster)?;
        cluster.psql("postgres", &format!("create database {DATABASE}"))?;
        let (out, numbers) = (Transcript::to_stdout(), Numbers::default());
        out.heading(&format!("pg_frontdesk on PostgreSQL {}", postgres.version));
        out.about("A throw-away server and webhook receivers on loopback. Everything is gone when this ends.");
        Ok(Stage { cluster, database: DATABASE, out, numbers, partner_secret: String::new(), desks: BTreeMap::new() })
    }

    /// The story goes on in a new database.
    pub fn move_to(&mut self, database: &'static str) -> Result<()> {
        self.cluster.psql("postgres", &format!("create database {database}"))?;
        self.database = database;
        self.out.action(&format!("a new database, {database}"));
        Ok(())
    }

    /// The clock of this database shows `moment` from now on; its engine begins anew with it.
    pub fn set_clock(&self, moment: &str, in_words: &str) -> Result<()> {
        self.out.action(&format!("the clock is set to {in_words}"));
        let engine = "select coalesce(max(pid), 0) from frontdesk_internal.engine_slot()";
        let before = self.ask(engine)?;
        self.ask(&format!("alter database {} set frontdesk.fake_now = '{moment}'", self.database))?;
        self.ask("select pg_terminate_backend(pid) from frontdesk_internal.engine_slot()")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while [before.as_str(), "0"].contains(&self.ask(engine)?.as_str()) {
            if Instant::now() > deadline {
                bail!("the engine did not come back");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Shows a statement, runs it, shows what psql printed.
    pub fn sql(&self, sql: &str) -> Result<()> {
        self.shown(sql, &["-P", "footer=off"]).map(|_| ())
    }

    /// The same for a row with many columns, one to a line.
    pub fn sql_expanded(&self, sql: &str) -> Result<()> {
        self.shown(sql, &["-x", "-P", "footer=off"]).map(|_| ())
    }

    /// Shows a statement, runs it, shows and returns the one value that it gives.
    pub fn sql_value(&self, sql: &str) -> Result<String> {
        self.shown(sql, &["-A", "-t", "-q"])
    }

    /// A question that the story does not need: only for checking and measuring.
    pub fn ask(&self, sql: &str) -> Result<String> {
        self.cluster.psql(self.database, sql)
    }

    /// Where the receiver of an endpoint listens, or will.
    pub fn address(&mut self, endpoint: &'static str) -> Result<SocketAddr> {
        if let Some(desk) = self.desks.get(endpoint) {
            return Ok(desk.address);
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port::free()?));
        self.desks.insert(endpoint, Desk { address, receiver: None });
        Ok(address)
    }

    /// Starts the receiver of an endpoint; it refuses what is not signed with this secret.
    pub fn receive(&mut self, endpoint: &'static str, secret: &str) -> Result<()> {
        let address = self.address(endpoint)?;
        self.out
            .action(&format!("the receiver of {endpoint} starts on {address}; what does not verify is answered 401"));
        let listen = address.to_string();
        let options = ["--verify", "--tolerance", AHEAD, "--listen", &listen, "--secret", secret];
        let receiver = Some(Receiver::start(&options)?);
        self.desks.insert(endpoint, Desk { address, receiver });
        Ok(())
    }

    /// What one endpoint's receiver has counted.
    pub fn count(&self, endpoint: &str, what: &str) -> Result<u64> {
        self.receiver(endpoint)?.count(what)
    }

    /// The same of all receivers together.
    pub fn count_all(&self, what: &str) -> Result<u64> {
        self.desks.values().flat_map(|desk| &desk.receiver).map(|receiver| receiver.count(what)).sum()
    }

    /// Waits until the endpoint's receiver has answered `wanted` different webhooks with 2xx; returns how many by then.
    pub fn await_accepted(&self, endpoint: &str, wanted: u64, patience: Duration) -> Result<u64> {
        self.receiver(endpoint)?.wait_for("accepted_ids", wanted, patience)
    }

    /// Waits until the endpoint's receiver has `n` different webhooks of a type, and returns the last of them; an error without.
    pub fn await_type(&self, endpoint: &str, kind: &str, n: usize) -> Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let records = self.last(endpoint, 100)?;
            let of_kind: Vec<&Value> = records.iter().filter(|record| event_type(record) == kind).collect();
            let ids: BTreeSet<Option<&str>> = of_kind.iter().map(|record| record["webhook-id"].as_str()).collect();
            match of_kind.last() {
                Some(last) if ids.len() >= n => return Ok((*last).clone()),
                _ if Instant::now() > deadline => bail!("{} of {n} webhooks {kind} came to {endpoint}", ids.len()),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// The last requests to an endpoint, oldest first.
    pub fn last(&self, endpoint: &str, n: u64) -> Result<Vec<Value>> {
        let records = self.receiver(endpoint)?.last(n as usize)?;
        Ok(records.as_array().cloned().unwrap_or_default())
    }

    fn receiver(&self, endpoint: &str) -> Result<&Receiver> {
        let receiver = self.desks.get(endpoint).and_then(|desk| desk.receiver.as_ref());
        receiver.with_context(|| format!("the receiver of {endpoint} is not there yet"))
    }

    /// Shows requests as they came: the line, the id, the signature, the body.
    pub fn show_arrivals(&self, records: &[Value]) {
        for record in records {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_string();
            let header = |name: &str| text(&record["headers"][name]);
            self.out.arrival(&[
                format!("{} {}", text(&record["method"]), text(&record["path"])),
                format!("webhook-id: {}", header("webhook-id")),
                format!("webhook-signature: {}", header("webhook-signature")),
                text(&record["body"]),
            ]);
        }
    }

    /// A promise: said when it is kept, an error when not.
    pub fn promise(&self, holds: bool, text: &str) -> Result<()> {
        if !holds {
            bail!("not so: {text}");
        }
        self.out.kept(text);
        Ok(())
    }

    fn shown(&self, sql: &str, options: &[&str]) -> Result<String> {
        self.out.sql(sql);
        let mut command = self.cluster.client("psql", self.database);
        command.args(["-X", "-v", "ON_ERROR_STOP=1"]).args(options).args(["-f", "-"]);
        let text = piped(&mut command, sql)?;
        self.out.output(&without_void(&text));
        Ok(text.trim().to_string())
    }
}

/// `type` in the body of a request.
pub fn event_type(record: &Value) -> String {
    let body = record["body"].as_str().unwrap_or_default();
    let body = serde_json::from_str::<Value>(body).unwrap_or_default();
    body["type"].as_str().unwrap_or_default().to_string()
}

/// What a command prints on both streams when it is given `input`; an error with that when it fails.
fn piped(command: &mut std::process::Command, input: &str) -> Result<String> {
    use std::io::Write;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("psql has no stdin")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_string());
    match output.status.success() {
        true => Ok(text.join("\n").trim_start_matches('\n').to_string()),
        false => bail!("{}", text.join("\n")),
    }
}

/// The table that a function without a result leaves says nothing.
fn without_void(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [_, rule, value] if rule.chars().all(|c| c == '-') && value.trim().is_empty() => String::new(),
        [_, rule] if rule.chars().all(|c| c == '-') => String::new(),
        _ => text.to_string(),
    }
}

/// A key for the secrets, as every installation should have one.
fn give_key(cluster: &Cluster) -> Result<()> {
    let path = cluster.dir.join("secret_key");
    let mut key = [0_u8; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut key)?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&path, text)?;
    account::give_to_server(&path)?;
    cluster.set(&[("frontdesk.secret_key_file", &path.display().to_string())])?;
    cluster.reload()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_void_result_is_not_shown() {
        assert_eq!(without_void(" watch \n-------\n "), "");
        assert_eq!(without_void(" watch \n-------"), "");
        assert_eq!(without_void(" n \n---\n 1"), " n \n---\n 1");
        assert_eq!(without_void("INSERT 0 1"), "INSERT 0 1");
    }
}
