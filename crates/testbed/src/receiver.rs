//! The webhook receiver of `crates/receiver` as a process of its own, for the demo and the benches.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{checkout, step};

/// Killed when dropped.
pub struct Receiver {
    child: Child,
    pub address: SocketAddr,
    /// Those of `--more-ports`.
    pub more: Vec<SocketAddr>,
    /// Where questions are asked: without TLS.
    door: SocketAddr,
    tls: bool,
}

impl Receiver {
    /// Builds it in release, starts it with `options` (`--secret`, `--threads`, …) and its control paths open, and waits
    /// until it listens.
    pub fn start(options: &[&str]) -> Result<Receiver> {
        let program = built()?;
        let mut command = batch(&program);
        command.args(["--control", "--plain-door"]).args(options).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let more = options.iter().skip_while(|option| **option != "--more-ports").nth(1);
        let more = more.and_then(|count| count.parse().ok()).unwrap_or(0);
        let tls = options.contains(&"--tls-cert");
        match listening_on(&mut child, more) {
            Ok(Listening { address, door, more }) => Ok(Receiver { child, address, more, door, tls }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// `http://127.0.0.1:<port><path>`, or `https`.
    pub fn url(&self, path: &str) -> String {
        self.url_at(self.address, path)
    }

    /// The same at another of its addresses.
    pub fn url_at(&self, address: SocketAddr, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{address}{path}")
    }

    /// What it has counted since the start or the last reset.
    pub fn stats(&self) -> Result<Value> {
        self.get("stats")
    }

    /// The ids it got at `path`, in order; it must have been started with `--keep-ids`.
    pub fn ids(&self, path: &str) -> Result<Value> {
        self.get(&format!("ids?path={path}"))
    }

    /// The last `n` requests, as records.
    pub fn last(&self, n: usize) -> Result<Value> {
        self.get(&format!("last?n={n}"))
    }

    pub fn reset(&self) -> Result<()> {
        self.control("POST", "reset").map(|_| ())
    }

    /// Makes `/toggle/<name>` answer with `status` from now on.
    pub fn set_toggle(&self, name: &str, status: u16) -> Result<()> {
        self.control("PUT", &format!("toggle/{name}/{status}")).map(|_| ())
    }

    /// One number of the statistics (`requests`, `accepted_ids`, `verified`, …).
    pub fn count(&self, name: &str) -> Result<u64> {
        self.stats()?[name].as_u64().with_context(|| format!("the receiver's statistics have no {name}"))
    }

    /// Waits until the count is at least `wanted`, and returns it; after `patience` returns what it is by then.
    pub fn wait_for(&self, name: &str, wanted: u64, patience: Duration) -> Result<u64> {
        let deadline = Instant::now() + patience;
        loop {
            let count = self.count(name)?;
            if count >= wanted || Instant::now() > deadline {
                return Ok(count);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn get(&self, what: &str) -> Result<Value> {
        serde_json::from_str(&self.control("GET", what)?).context("what the receiver answers")
    }

    fn control(&self, method: &str, what: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.door).context("the receiver is gone")?;
        write!(
            stream,
            "{method} /_control/{what} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.door
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the receiver's answer has no end of headers")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("the receiver answers to {method} {what}: {}", head.lines().next().unwrap_or_default());
        }
        Ok(body.to_string())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The receiver's program, built in release, once in the life of this process.
pub fn built() -> Result<PathBuf> {
    static PROGRAM: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = &*program {
        return Ok(program.clone());
    }
    let root = checkout::root()?;
    let mut build = checkout::cargo(&root);
    step::run("building the receiver", build.args(["build", "--release", "-p", "receiver"]))?;
    Ok(program.insert(checkout::target_dir(&root)?.join("release/receiver")).clone())
}

/// The receiver stands for another machine: where there is chrt(1), it does not interrupt who sends to it.
fn batch(program: &Path) -> Command {
    let chrt = Command::new("chrt").arg("--version").output().is_ok_and(|answer| answer.status.success());
    let mut command = Command::new(if chrt { Path::new("chrt") } else { program });
    if chrt {
        command.args(["--batch", "0"]).arg(program);
    }
    command
}

struct Listening {
    address: SocketAddr,
    door: SocketAddr,
    more: Vec<SocketAddr>,
}

/// Its first lines say where; the rest is read away so that it never waits for us.
fn listening_on(child: &mut Child, more: usize) -> Result<Listening> {
    let mut lines = BufReader::new(child.stdout.take().context("the receiver has no stdout")?);
    let mut next = |prefix: &str| -> Result<SocketAddr> {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let address = line.trim().strip_prefix(prefix).context("the receiver did not start")?;
        Ok(address.parse()?)
    };
    let (address, door) = (next("listening on ")?, next("plain on ")?);
    let more = (0..more).map(|_| next("also on ")).collect::<Result<_>>()?;
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    Ok(Listening { address, door, more })
}
