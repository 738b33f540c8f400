//! The yardstick of a run: the courier alone, signing and sending to the same receiver with 64 requests in flight, without
//! a database. Machines differ, and one differs from day to day: every rate is shown as a share of this one.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::report::{Row, median, per_second};
use super::trust::Trust;
use testbed::install::{self, Profile};
use testbed::receiver::Receiver;

/// The default of an endpoint.
const IN_FLIGHT: &str = "64";

/// Requests per second and microseconds of processor time each, of its thread.
#[derive(Clone, Copy, Debug)]
struct Load {
    rate: f64,
    cost: f64,
}

pub struct Alone {
    plain: Load,
    tls: Load,
}

impl Alone {
    pub fn measure(quick: bool, trust: &Trust) -> Result<Alone> {
        let program = install::example(Profile::Measured.or_dev(), "courier", "load")?;
        let secure = trust.receiver();
        let secure: Vec<&str> = secure.iter().map(String::as_str).collect();
        let (plain, tls) = (Receiver::start(&[])?, Receiver::start(&secure)?);
        let authority = trust.authority();
        let (mut plain_loads, mut tls_loads) = (Vec::new(), Vec::new());
        for _ in 0..if quick { 1 } else { 3 } {
            plain_loads.push(load(&program, &plain, quick, &[])?);
            tls_loads.push(load(&program, &tls, quick, &[&authority])?);
        }
        Ok(Alone { plain: middle(&plain_loads), tls: middle(&tls_loads) })
    }

    /// A rate as a share of the courier's.
    pub fn share(&self, rate: f64) -> f64 {
        rate / self.plain.rate
    }

    /// The same over TLS.
    pub fn share_of_tls(&self, rate: f64) -> f64 {
        rate / self.tls.rate
    }

    pub fn rows(&self) -> Vec<Row> {
        let row = |what: &str, load: &Load| {
            Row::new(what, format!("{}, {:.1} µs of processor time each", per_second(load.rate), load.cost))
        };
        vec![row("the courier alone, 64 in flight", &self.plain), row("the courier alone over TLS", &self.tls)]
    }
}

fn middle(loads: &[Load]) -> Load {
    let of = |value: fn(&Load) -> f64| median(&loads.iter().map(value).collect::<Vec<_>>());
    Load { rate: of(|load| load.rate), cost: of(|load| load.cost) }
}

fn load(program: &Path, receiver: &Receiver, quick: bool, more: &[&str]) -> Result<Load> {
    let count = if quick { 40_000 } else { 150_000 };
    let mut command = Command::new(program);
    command.args([receiver.url("/ok/alone"), IN_FLIGHT.to_string(), count.to_string()]).args(more);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    }
    parse(&text, count).with_context(|| format!("it printed:\n{text}"))
}

/// `70123 requests/s, 0 failed, 2.1 s` and, of its thread, `… (courier): 900 ms user, 700 ms system`.
fn parse(text: &str, count: u32) -> Option<Load> {
    let (rate, rest) = text.split_once(" requests/s, ")?;
    if !rest.starts_with("0 failed") {
        return None;
    }
    let times = text.lines().find_map(|line| line.split_once("(courier): ").map(|(_, times)| times))?;
    let milliseconds: f64 = times.split_whitespace().filter_map(|word| word.parse::<f64>().ok()).sum();
    Some(Load { rate: rate.trim().parse().ok()?, cost: milliseconds * 1_000.0 / f64::from(count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_courier_alone_prints_is_read() {
        let text = "70123 requests/s, 0 failed, 2.14 s\np50 800µs, p99 2ms, Stats { open: 0 }\n\
                    17 (load): 100 ms user, 10 ms system\n18 (courier): 900 ms user, 700 ms system\nVmHWM: 20000 kB\n";
        let load = parse(text, 150_000).unwrap();
        assert_eq!((load.rate, (load.cost * 100.0).round()), (70_123.0, 1_067.0));
        assert!(parse(&text.replace(" 0 failed", " 3 failed"), 150_000).is_none());
    }
}
