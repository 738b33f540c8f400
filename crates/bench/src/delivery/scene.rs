//! A server with a watched table, and a receiver.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::Bench;
use crate::server::{self, DATABASE};
use testbed::cluster::Cluster;
use testbed::receiver::Receiver;

/// What a delivery is awaited at the most.
const PATIENCE: Duration = Duration::from_secs(180);

/// The secret of every endpoint.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// The values of one row; the body of its webhook has about 300 bytes.
pub const VALUES: &str = "'Ada Lovelace', 'ada@example.com', 'wants a demo on Thursday, called twice'";

const LEADS: &str = "(id bigint generated always as identity primary key, name text, email text, note text)";

const SETTINGS: [(&str, &str); 3] =
    [("checkpoint_timeout", "30min"), ("max_wal_size", "16GB"), ("shared_buffers", "1GB")];

pub struct Scene {
    pub cluster: Cluster,
    pub receiver: Receiver,
}

/// How a backlog went.
#[derive(Clone, Copy, Debug)]
pub struct Drained {
    /// From the receiver's first to its last receipt.
    pub rate: f64,
    /// From resume() to the last receipt.
    pub rate_from_resume: f64,
    pub repeats: u64,
}

impl Scene {
    pub fn start(bench: &Bench, settings: &[(&str, &str)], receiver: &[&str]) -> Result<Scene> {
        let settings: Vec<_> = SETTINGS.iter().chain(settings).copied().collect();
        let scene = Scene { cluster: server::start(bench.postgres, &settings)?, receiver: Receiver::start(receiver)? };
        scene.create_table("lead")?;
        scene.sql("select frontdesk.watch('lead')")?;
        Ok(scene)
    }

    pub fn sql(&self, sql: &str) -> Result<String> {
        self.cluster.psql(DATABASE, sql).with_context(|| sql.chars().take(200).collect::<String>())
    }

    pub fn number(&self, sql: &str) -> Result<f64> {
        let answer = self.sql(sql)?;
        let last = answer.lines().last().unwrap_or_default();
        last.parse().with_context(|| format!("{sql}: {answer}"))
    }

    pub fn create_table(&self, name: &str) -> Result<()> {
        self.sql(&format!("create table {name} {LEADS}")).map(drop)
    }

    /// An endpoint of the receiver; `options` are further arguments of add_endpoint, each with a comma before it.
    pub fn add_endpoint(&self, name: &str, path: &str, options: &str) -> Result<()> {
        let url = self.receiver.url(path);
        self.add_endpoint_at(name, &url, options)
    }

    pub fn add_endpoint_at(&self, name: &str, url: &str, options: &str) -> Result<()> {
        self.sql(&format!("select frontdesk.add_endpoint('{name}', '{url}', secret => '{SECRET}'{options})")).map(drop)
    }

    pub fn insert(&self, count: u64) -> Result<()> {
        self.sql(&insertion(count)).map(drop)
    }

    pub fn pause(&self) -> Result<()> {
        self.sql("select frontdesk.pause()").map(drop)
    }

    /// Returns when it was called, in microseconds since 1970.
    pub fn resume(&self) -> Result<u64> {
        let at = self.number("select (extract(epoch from clock_timestamp()) * 1e6)::bigint")?;
        self.sql("select frontdesk.resume()")?;
        Ok(at as u64)
    }

    /// Makes a backlog of `count` events, lets it go, and waits until the receiver has accepted all of them on `path`.
    pub fn drain(&self, count: u64, path: &str) -> Result<Drained> {
        self.drain_of(count, path, &insertion(count))
    }

    /// The same of events that `sql` makes.
    pub fn drain_of(&self, count: u64, path: &str, sql: &str) -> Result<Drained> {
        self.pause()?;
        self.sql(sql)?;
        self.receiver.reset()?;
        let resumed = self.resume()?;
        self.await_accepted(path, count)?;
        let stats = self.receiver.stats()?;
        let last = stats["last_unix_us"].as_u64().context("last_unix_us")?;
        let requests = stats["paths"][path]["requests"].as_u64().unwrap_or_default();
        Ok(Drained {
            rate: count as f64 / stats["seconds"].as_f64().context("seconds")?,
            rate_from_resume: count as f64 / (last.saturating_sub(resumed) as f64 / 1e6),
            repeats: requests - count,
        })
    }

    /// Distinct webhooks that were accepted on `path`.
    pub fn accepted(&self, path: &str) -> Result<u64> {
        Ok(self.receiver.stats()?["paths"][path]["accepted_ids"].as_u64().unwrap_or_default())
    }

    /// Waits until exactly `count` webhooks were accepted on `path`; fewer or more is an error.
    pub fn await_accepted(&self, path: &str, count: u64) -> Result<()> {
        let (mut best, mut moved) = (0, Instant::now());
        loop {
            let accepted = self.accepted(path)?;
            if accepted > count {
                bail!("{accepted} events arrived at {path}, only {count} were committed");
            }
            if accepted == count {
                return Ok(());
            }
            if accepted > best {
                (best, moved) = (accepted, Instant::now());
            }
            // Slow is not lost, but nothing at all for so long is.
            if moved.elapsed() > PATIENCE {
                bail!("{} of {count} events did not arrive at {path}: {}", count - accepted, self.status()?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn status(&self) -> Result<String> {
        self.sql("select to_jsonb(s) from frontdesk.status() s")
    }

    /// Waits until the engine has dealt with everything that can be dealt with; who is paused or refuses may have more.
    pub fn await_settled(&self) -> Result<()> {
        let idle = "select lag_events = 0 and in_flight = 0 from frontdesk.status()";
        await_true(PATIENCE, "the engine to settle", || Ok(self.sql(idle)? == "t"))
    }

    /// The processes of the engine and the launcher.
    pub fn processes(&self) -> Result<(u32, u32)> {
        let pids = self.sql("select pid, launcher_pid from frontdesk_internal.engine_slot()")?;
        let (engine, launcher) = pids.split_once('|').context("no engine slot")?;
        Ok((engine.parse().context("no engine runs")?, launcher.parse().context("no launcher runs")?))
    }

    /// Sends the engine away and waits until it is gone.
    pub fn stop_engine(&self) -> Result<()> {
        self.sql("select frontdesk.stop()")?;
        let gone = "select pid is null from frontdesk.status()";
        await_true(PATIENCE, "the engine to leave", || Ok(self.sql(gone)? == "t"))
    }

    pub fn start_engine(&self) -> Result<()> {
        self.sql("select frontdesk.start()")?;
        let there = "select state = 'running' from frontdesk.status()";
        await_true(PATIENCE, "the engine to start", || Ok(self.sql(there)? == "t"))
    }
}

fn insertion(count: u64) -> String {
    format!("insert into lead (name, email, note) select {VALUES} from generate_series(1, {count}) i")
}

pub fn await_true(patience: Duration, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !holds()? {
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

pub fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
