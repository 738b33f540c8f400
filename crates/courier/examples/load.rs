//! Requests per second from a courier to a receiver on loopback, signed like deliveries.
//!
//! `cargo run --release -p courier --example load -- URL IN_FLIGHT REQUESTS [CA_FILE]`

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use courier::{Bytes, Config, Courier, Guard, HeaderName, HeaderValue, Method, Request, Target};
use signing::{Secret, sign_standard};

/// The receiver verifies with `--secret` and this.
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, in_flight, total, rest @ ..] = args.as_slice() else {
        return Err("usage: load URL IN_FLIGHT REQUESTS [CA_FILE]".into());
    };
    let (in_flight, total): (usize, usize) = (in_flight.parse()?, total.parse()?);
    let allow = vec!["127.0.0.0/8".parse()?];
    let make = Maker {
        target: Arc::new(Target::parse(url, &Guard::new(allow.clone()))?),
        body: Bytes::from(format!(r#"{{"type":"lead.created","data":"{}"}}"#, "x".repeat(170))),
        secrets: vec![Secret::parse(SECRET)?],
        now: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() as i64,
    };
    let config = Config {
        allow_networks: allow,
        extra_ca_file: rest.first().map(PathBuf::from),
        max_connections: in_flight,
        ..Config::default()
    };
    let (ring, rung) = channel();
    let courier = Courier::spawn(config, move || {
        // fails only when this thread is gone
        let _ = ring.send(());
    })?;

    let begun = Instant::now();
    let (mut sent, mut failures) = (in_flight.min(total), Vec::new());
    let mut durations = Vec::with_capacity(total);
    let mut receipts = Vec::new();
    courier.send((0..sent).map(|id| make.request(id)).collect());
    while durations.len() < total {
        rung.recv()?;
        courier.drain(&mut receipts);
        let next = (sent + receipts.len()).min(total);
        courier.send((sent..next).map(|id| make.request(id)).collect());
        sent = next;
        for receipt in receipts.drain(..) {
            durations.push(receipt.duration);
            failures.extend(receipt.result.err());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    durations.sort_unstable();
    println!("{:.0} requests/s, {} failed, {seconds:.2} s", total as f64 / seconds, failures.len());
    println!("p50 {:?}, p99 {:?}, {:?}", durations[total / 2], durations[total * 99 / 100], courier.stats());
    if let Some(failure) = failures.first() {
        println!("first failure: {} {failure}", failure.kind);
    }
    println!("{}", usage());
    courier.shutdown(Duration::from_secs(1));
    Ok(())
}

struct Maker {
    target: Arc<Target>,
    body: Bytes,
    secrets: Vec<Secret>,
    now: i64,
}

impl Maker {
    fn request(&self, number: usize) -> Request {
        let id = format!("msg_{number:032}");
        let signature = sign_standard(&self.secrets, &id, self.now, &self.body);
        let headers = [
            ("content-type", HeaderValue::from_static("application/json")),
            ("webhook-id", value(&id)),
            ("webhook-timestamp", HeaderValue::from(self.now)),
            ("webhook-signature", value(&signature)),
        ];
        Request {
            id: number as u64,
            group: 0,
            at_once: usize::MAX,
            method: Method::POST,
            target: self.target.clone(),
            headers: headers.map(|(name, value)| (HeaderName::from_static(name), value)).to_vec(),
            body: self.body.clone(),
            timeout: Duration::from_secs(15),
            keep: 4096,
            keep_headers: false,
        }
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// CPU per thread and the peak of memory, where the system has /proc.
fn usage() -> String {
    let mut lines = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, fields)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<i64> = fields.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        // user and system time in ticks of 10 ms: fields 14 and 15 of proc_pid_stat(5)
        if let (Some(user), Some(system)) = (fields.get(10), fields.get(11)) {
            lines.push(format!("{name}): {} ms user, {} ms system", user * 10, system * 10));
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    lines.extend(status.lines().filter(|line| line.starts_with("VmHWM")).map(str::to_owned));
    lines.join("\n")
}
