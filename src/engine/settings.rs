//! What an endpoint's requests are made of; its plan goes to the core. What cannot be used any more (a key file that is gone, an address that is
//! no longer allowed) is kept as a reason, which every attempt then records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use courier::{Guard, HeaderName, HeaderValue, Http, Target};
use delivery::{Plan, Snapshot};
use filter::{Filter, Pattern};
use retry::Policy;
use serde::Deserialize;
use signing::Secret;

use super::clock;
use super::shape::{Payload, Signature};
use super::tls;
use crate::vault;

pub struct Settings {
    pub name: String,
    pub target: Result<Arc<Target>, String>,
    pub payload: Result<Payload, String>,
    pub signature: Result<Signature, String>,
    pub policy: Policy,
    pub timeout: Duration,
    pub max_in_flight: usize,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Newest first.
    secrets: Vec<Secret>,
    /// When each of them stops to sign.
    expiries: Vec<Option<i64>>,
    /// Why nothing is sent to it, though it is active: a secret that is missing or cannot be read.
    pub problem: Option<String>,
    /// As the table has it.
    pub known_problem: Option<String>,
    /// It has no URL, but a function.
    pub handler: Option<Handler>,
    /// The values of credential headers, in the forms in which a receiver may give them back.
    pub hidden: Vec<Vec<u8>>,
}

/// Of an endpoint that is a handler.
pub struct Handler {
    pub owner: u32,
    /// Events in a transaction.
    pub batch: usize,
    pub timeout: Duration,
    pub is_filtered: bool,
}

/// frontdesk_internal.endpoint_settings().
#[derive(Deserialize)]
struct Row {
    id: i64,
    name: String,
    url: Option<String>,
    handler: Option<StoredHandler>,
    state: State,
    events: Vec<String>,
    headers: BTreeMap<String, String>,
    credentials: Vec<String>,
    problem: Option<String>,
    /// It came with the data of another installation.
    stranger: bool,
    filter: Option<serde_json::Value>,
    payload: String,
    signature: String,
    retry: Option<serde_json::Value>,
    timeout_ms: u64,
    max_in_flight: usize,
    rate_per_second: Option<f64>,
    ordered: bool,
    tenant: Option<String>,
    created_snapshot: String,
    failures: i32,
    failing_since_s: Option<f64>,
    secrets: Vec<StoredSecret>,
    tls: Option<serde_json::Value>,
    /// Sealed, in hexadecimal digits.
    client_key: Option<String>,
    http: String,
}

/// Whether an endpoint is sent to.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum State {
    Active,
    #[serde(other)]
    Resting,
}

#[derive(Deserialize)]
struct StoredHandler {
    owner: u32,
    /// The owner was not dropped.
    there: bool,
    batch: usize,
    timeout_ms: u64,
}

#[derive(Deserialize)]
struct StoredSecret {
    header: Option<String>,
    secret: String,
    expires_at: Option<f64>,
}

impl Settings {
    pub fn parse(json: &str, guard: &Guard) -> Result<(Plan, Settings), String> {
        let row: Row =
            serde_json::from_str(json).map_err(|error| format!("cannot read the settings of an endpoint: {error}"))?;
        let trust = tls::trust(row.tls.as_ref(), row.client_key.as_deref());
        let http = Http::parse(&row.http).unwrap_or_default();
        let micros = |seconds: Option<f64>| seconds.map(|seconds| clock::from_unix((seconds * 1e6) as i64));
        let mut settings = Settings {
            target: parse(row.url.as_deref().unwrap_or_default(), guard).map(|target| {
                let trust = trust.as_ref().ok().cloned().flatten();
                Arc::new(target.with(http, trust))
            }),
            payload: Payload::parse(&row.payload),
            signature: Signature::parse(&row.signature),
            policy: row.retry.and_then(|policy| Policy::parse(&policy).ok()).unwrap_or_else(Policy::standard),
            timeout: Duration::from_millis(row.timeout_ms),
            max_in_flight: row.max_in_flight,
            headers: row.headers.iter().filter_map(|(name, value)| header(name, value)).collect(),
            secrets: Vec::new(),
            expiries: Vec::new(),
            problem: trust.err(),
            known_problem: row.problem,
            hidden: Vec::new(),
            handler: row.handler.as_ref().map(|stored| Handler {
                owner: stored.owner,
                batch: stored.batch,
                timeout: Duration::from_millis(stored.timeout_ms),
                is_filtered: row.filter.is_some(),
            }),
            name: row.name.clone(),
        };
        for stored in row.secrets {
            if let Err(reason) = settings.unseal(&stored, micros(stored.expires_at)) {
                settings.problem = Some(reason);
            }
        }
        if row.stranger {
            settings.problem = Some("it came from another installation; frontdesk.adopt() makes it this one's".into());
        }
        if row.url.is_none() {
            // A part of a dump may have been restored without the other.
            settings.problem = settings.problem.take().or(match &row.handler {
                None => Some("its function was not restored; remove_endpoint() removes it".into()),
                Some(stored) if !stored.there => Some("its owner was dropped; alter_handler() gives it another".into()),
                Some(_) => None,
            });
        }
        settings.problem = settings.problem.take().or_else(|| settings.missing(&row.credentials));
        let plan = Plan {
            id: row.id,
            active: row.state == State::Active && settings.problem.is_none(),
            service_patterns: patterns(row.events.iter().filter(|text| filter::is_reserved(text))),
            patterns: patterns(row.events.iter()),
            filter: row.filter.and_then(|filter| Filter::parse(&filter).ok()),
            policy: settings.policy.clone(),
            max_in_flight: row.max_in_flight,
            rate: row.rate_per_second,
            ordered: row.ordered,
            tenant: row.tenant,
            created: Snapshot::parse(&row.created_snapshot),
            failing_since: micros(row.failing_since_s),
            failures: row.failures,
            name: row.name,
        };
        Ok((plan, settings))
    }

    /// Which secret is not there that what is sent would need: a part of a dump may have been restored without the other.
    fn missing(&self, credentials: &[String]) -> Option<String> {
        if !matches!(self.signature, Ok(Signature::None)) && self.signing(clock::now()).is_empty() {
            return Some("there is no secret to sign with; rotate_secret() makes one".into());
        }
        let is_there =
            |name: &String| self.headers.iter().any(|(header, _)| header.as_str().eq_ignore_ascii_case(name));
        let lost = credentials.iter().find(|name| !is_there(name))?;
        Some(format!("the value of header \"{lost}\" is missing; alter_endpoint(headers => ...) sets it"))
    }

    fn unseal(&mut self, stored: &StoredSecret, expires_at: Option<i64>) -> Result<(), String> {
        let plain = vault::open_hex(&stored.secret)?;
        match &stored.header {
            Some(name) => {
                self.hidden.extend(sealing::forms(&plain));
                self.headers.extend(header(name, &plain));
            }
            None => {
                self.secrets.push(Secret::parse(&plain).map_err(|error| error.to_string())?);
                self.expiries.push(expires_at);
            }
        }
        Ok(())
    }

    /// The secrets that sign at this moment, newest first.
    pub fn signing(&self, now: i64) -> Cow<'_, [Secret]> {
        if self.expiries.iter().all(Option::is_none) {
            return Cow::Borrowed(&self.secrets);
        }
        let current =
            self.secrets.iter().zip(&self.expiries).filter(|(_, until)| until.is_none_or(|until| until > now));
        Cow::Owned(current.map(|(secret, _)| secret.clone()).collect())
    }
}

fn patterns<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<Pattern> {
    texts.filter_map(|text| Pattern::parse(text).ok()).collect()
}

pub fn target(url: &str, guard: &Guard) -> Result<Arc<Target>, String> {
    parse(url, guard).map(Arc::new)
}

fn parse(url: &str, guard: &Guard) -> Result<Target, String> {
    Target::parse(url, guard).map_err(|error| error.to_string())
}

pub fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_str(name).ok()?, HeaderValue::from_str(value).ok()?))
}
