//! Speaking to an embedder: its settings, its requests, what came of them.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use courier::{Bytes, Config, FailureKind, Guard, HeaderName, HeaderValue, Method, Receipt, Request, Target};
use embedding::{Encoding, Outcome};
use pgrx::prelude::*;
use serde::Deserialize;

use crate::{engine, guc, vault};

/// frontdesk_internal.embed_settings().
#[derive(Deserialize)]
pub struct Settings {
    url: String,
    pub model: String,
    pub dimensions: usize,
    send_dimensions: bool,
    encoding: Encoding,
    headers: HashMap<String, String>,
    secrets: HashMap<String, String>,
    pub batch_size: usize,
    pub batch_chars: i32,
    pub max_in_flight: usize,
    requests_per_minute: Option<f64>,
    timeout_ms: u64,
    active: bool,
    pub failures: u32,
    runs: bool,
    pub wait_ms: i64,
}

/// An embedder that can be called.
pub struct Client {
    pub settings: Settings,
    target: Arc<Target>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Never to be repeated to anybody.
    secrets: Vec<Vec<u8>>,
}

impl Settings {
    pub fn parse(json: &str) -> Settings {
        serde_json::from_str(json).unwrap_or_else(|error| error!("embed_settings(): {error}"))
    }

    /// False: somebody paused it, or all.
    pub fn may_work(&self) -> bool {
        self.active && self.runs
    }

    /// Milliseconds from one request to the next.
    pub fn pace_ms(&self) -> Option<i64> {
        self.requests_per_minute.filter(|rate| *rate > 0.0).map(|rate| (60_000.0 / rate).ceil() as i64)
    }
}

impl Client {
    /// The error says why this embedder cannot be called.
    pub fn new(settings: Settings) -> Result<Client, String> {
        let (target, headers, secrets) = prepare(&settings)?;
        Ok(Client { settings, target: Arc::new(target), headers, secrets })
    }

    pub fn courier_config(&self, connections: usize) -> Config {
        // An answer is much larger than a webhook's; its size is known.
        Config { max_response_bytes: self.answer_bytes(), ..engine::courier_config(connections) }
    }

    pub fn answer_bytes(&self) -> usize {
        embedding::most_bytes(self.settings.batch_size.max(1), self.settings.dimensions)
    }

    pub fn request(&self, id: u64, texts: &[&str]) -> Request {
        let dimensions = self.settings.send_dimensions.then_some(self.settings.dimensions);
        let body = embedding::body(&self.settings.model, texts, dimensions, self.settings.encoding);
        Request {
            id,
            method: Method::POST,
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(body),
            timeout: Duration::from_millis(self.settings.timeout_ms),
            keep: self.answer_bytes(),
            group: 0,
            at_once: usize::MAX,
            keep_headers: false,
        }
    }

    /// What became of a request of so many texts, and whether the texts may be to blame for a failure.
    pub fn judge(&self, receipt: Receipt, texts: usize) -> (Outcome, bool) {
        match receipt.result {
            Ok(response) => {
                let after = response.retry_after.and_then(|value| retry::retry_after(&value, SystemTime::now()));
                let judge =
                    |body: &[u8]| embedding::judge(response.status, after, body, texts, self.settings.dimensions);
                let outcome = match judge(&response.body) {
                    embedded @ Outcome::Embedded(_) => embedded,
                    _ => judge(&self.discreet(&response.body)),
                };
                (outcome, true)
            }
            Err(failure) => {
                let why = format!("{}: {}", failure.kind, failure.detail);
                let suspect = matches!(failure.kind, FailureKind::Timeout | FailureKind::Reset | FailureKind::Protocol);
                match failure.kind {
                    FailureKind::AddressRefused => (Outcome::Denied(why), false),
                    _ => (Outcome::Down(why), suspect),
                }
            }
        }
    }

    /// An embedder may repeat what it was sent, and what it says is shown: without our secrets.
    fn discreet(&self, body: &[u8]) -> Vec<u8> {
        sealing::mask(body, &self.secrets).unwrap_or_else(|| body.to_vec())
    }
}

type Prepared = (Target, Vec<(HeaderName, HeaderValue)>, Vec<Vec<u8>>);

fn prepare(settings: &Settings) -> Result<Prepared, String> {
    let target = Target::parse(&settings.url, &Guard::new(guc::allow_networks())).map_err(|error| error.to_string())?;
    let mut headers = vec![(HeaderName::from_static("content-type"), HeaderValue::from_static("application/json"))];
    for (name, value) in &settings.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            headers.retain(|(other, _)| *other != name);
            headers.push((name, value));
        }
    }
    let mut secrets = Vec::new();
    for (name, sealed) in &settings.secrets {
        let value = vault::open(&unhex(sealed))
            .map_err(|why| format!("the secret of header {name} cannot be opened: {why}"))?;
        let bad = || format!("the secret of header {name} is not a valid header value");
        let mut header = HeaderValue::from_str(&value).map_err(|_| bad())?;
        header.set_sensitive(true);
        headers.push((HeaderName::from_str(name).map_err(|_| bad())?, header));
        secrets.extend(sealing::forms(&value));
    }
    Ok((target, headers, secrets))
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
