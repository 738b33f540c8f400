use std::time::Duration;

use filter::Filter;
use serde_json::{Map, Value, json};

use crate::moment::after;
use crate::parse_duration;
use crate::policy_error::PolicyError;

/// How long to wait between the attempts of one delivery, and what ends them before the last.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `delays[n]` is the wait after attempt `n + 1` has failed; after the last one nothing is tried again.
    pub delays: Vec<Duration>,
    /// Over the answer, `{"status", "body"}`: one that matches is not asked again.
    last_word: Option<Filter>,
    expiry: Option<Expiry>,
}

/// When a delivery has lost its sense.
#[derive(Clone, Debug)]
struct Expiry {
    after: Duration,
    /// The field of the event's data with the moment that it counts from, in seconds since 1970; `None`: the event's own.
    from: Option<String>,
}

impl Policy {
    /// The longest single delay.
    pub const MAX_DELAY: Duration = Duration::from_secs(30 * 86_400);
    /// The largest number of delays.
    pub const MAX_DELAYS: usize = 100;
    /// Share of a delay by which jitter lengthens or shortens it.
    pub const JITTER: f64 = 0.2;

    /// Ten attempts in 75.6 hours: 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h
    /// (Standard Webhooks 1.0, "Deliverability and reliability").
    pub fn standard() -> Policy {
        let minutes = [5, 30, 2 * 60, 5 * 60, 10 * 60, 14 * 60, 20 * 60, 24 * 60];
        let mut delays = vec![Duration::from_secs(5)];
        delays.extend(minutes.map(|minutes| Duration::from_secs(minutes * 60)));
        Policy::new(delays)
    }

    pub fn new(delays: Vec<Duration>) -> Policy {
        Policy { delays, ..Policy::default() }
    }

    /// Reads one of two shapes:
    ///
    /// - `{"delays": ["1s", "5m", "1h30m", 250]}`: each a text ([`parse_duration`]) or milliseconds;
    ///   `{"delays": []}` never tries again
    /// - `{"max_retries": 3, "retry_delay": 1000}`: that many retries, the first after `retry_delay` milliseconds
    ///   (default 1000), each next after twice as long, up to a day
    ///
    /// and beside it
    ///
    /// - `"final"`: a filter over the answer, `{"status", "body"}`, whose match makes a failure the last
    /// - `"expires": "7d"`: how long after the event there is still sense in sending; `"expires_from": "event_time"`
    ///   counts from the moment in that field of its data, in seconds since 1970
    ///
    /// # Errors
    /// Another shape, an unknown key, a delay above 30 days, more than 100 delays, a filter that is none.
    pub fn parse(value: &Value) -> Result<Policy, PolicyError> {
        let Value::Object(object) = value else {
            return Err(PolicyError::NotAnObject);
        };
        if let Some(key) = object.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(PolicyError::UnknownKey { key: key.chars().take(64).collect() });
        }
        let doubles = object.contains_key("max_retries") || object.contains_key("retry_delay");
        let delays = match (object.get("delays"), object.get("max_retries")) {
            (Some(_), _) if doubles => return Err(PolicyError::TwoShapes),
            (Some(delays), _) => listed(delays)?,
            (None, Some(retries)) => doubling(retries, object)?,
            (None, None) => return Err(PolicyError::NoShape),
        };
        let last_word = object.get("final").map(Filter::parse).transpose();
        let last_word = last_word.map_err(|error| PolicyError::BadFinal { reason: error.to_string() })?;
        Ok(Policy { delays, last_word, expiry: expiry(object)? })
    }

    /// Is this answer, a failure by its status, the last word? A body that is not JSON is a text.
    pub fn is_final(&self, status: u16, body: &str) -> bool {
        self.last_word.as_ref().is_some_and(|filter| {
            let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
            filter.matches(&json!({ "status": status, "body": body }))
        })
    }

    /// Until when there is sense in sending; `event_at` is the moment of the event, `data` what it is about, as JSON.
    pub fn expires_at(&self, event_at: i64, data: Option<&str>) -> Option<i64> {
        let expiry = self.expiry.as_ref()?;
        let said = expiry.from.as_ref().and_then(|field| {
            let data: Value = serde_json::from_str(data?).ok()?;
            data.get(field)?.as_f64()
        });
        Some(after(said.map_or(event_at, |seconds| (seconds * 1e6) as i64), expiry.after))
    }

    /// Wait before the next attempt when `attempts` have been made; `None` when that was the last.
    /// Zero before the first. `jitter` from -1.0 to 1.0 scales by up to ±20 %.
    pub fn delay(&self, attempts: u32, jitter: f64) -> Option<Duration> {
        let Some(made) = attempts.checked_sub(1) else {
            return Some(Duration::ZERO);
        };
        let delay = self.delays.get(usize::try_from(made).ok()?)?;
        let jitter = if jitter.is_finite() { jitter.clamp(-1.0, 1.0) } else { 0.0 };
        let scaled = delay.as_secs_f64() * (1.0 + Self::JITTER * jitter);
        Some(Duration::try_from_secs_f64(scaled).unwrap_or(Duration::MAX))
    }

    /// How many attempts there are in all.
    pub fn max_attempts(&self) -> u32 {
        u32::try_from(self.delays.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

pub(crate) const KNOWN: [&str; 6] = ["delays", "max_retries", "retry_delay", "final", "expires", "expires_from"];

/// Where doubling stops: the longest delay of the standard policy.
const DOUBLING_STOPS: Duration = Duration::from_secs(86_400);

fn listed(delays: &Value) -> Result<Vec<Duration>, PolicyError> {
    let Value::Array(items) = delays else {
        return Err(PolicyError::NotAList);
    };
    if items.len() > Policy::MAX_DELAYS {
        return Err(PolicyError::TooMany { got: items.len() as u64 });
    }
    (1..).zip(items).map(|(position, item)| delay(position, item)).collect()
}

fn expiry(object: &Map<String, Value>) -> Result<Option<Expiry>, PolicyError> {
    let from = match object.get("expires_from") {
        None => None,
        Some(Value::String(field)) if !field.is_empty() && object.contains_key("expires") => Some(field.clone()),
        Some(_) => return Err(PolicyError::BadExpiresFrom),
    };
    let Some(expires) = object.get("expires") else { return Ok(None) };
    let after = match expires {
        Value::String(text) => parse_duration(text).map_err(|source| PolicyError::BadExpires { source })?,
        _ => return Err(PolicyError::NoExpires),
    };
    Ok(Some(Expiry { after, from }))
}

fn doubling(retries: &Value, object: &Map<String, Value>) -> Result<Vec<Duration>, PolicyError> {
    let retries = retries.as_u64().ok_or(PolicyError::BadRetries)?;
    if retries > Policy::MAX_DELAYS as u64 {
        return Err(PolicyError::TooMany { got: retries });
    }
    let first = match object.get("retry_delay") {
        None => Duration::from_secs(1),
        Some(value) => value.as_f64().and_then(millis).ok_or(PolicyError::BadRetryDelay)?,
    };
    let cap = first.max(DOUBLING_STOPS);
    let doubled = std::iter::successors(Some(first), |delay| Some(delay.saturating_mul(2).min(cap)));
    Ok(doubled.take(retries as usize).collect())
}

fn delay(position: usize, item: &Value) -> Result<Duration, PolicyError> {
    let delay = match item {
        Value::String(text) => parse_duration(text).map_err(|source| PolicyError::BadDuration { position, source })?,
        Value::Number(number) => number.as_f64().and_then(millis).ok_or(PolicyError::OutOfRange { position })?,
        _ => return Err(PolicyError::NotADelay { position }),
    };
    if delay > Policy::MAX_DELAY {
        return Err(PolicyError::OutOfRange { position });
    }
    Ok(delay)
}

/// `None` below zero and above the longest delay.
fn millis(value: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value / 1000.0).ok().filter(|delay| *delay <= Policy::MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use report::Report;
    use serde_json::json;

    fn millis_of(value: Value) -> Vec<u128> {
        let policy = Policy::parse(&value).unwrap();
        policy.delays.iter().map(Duration::as_millis).collect()
    }

    fn message(value: Value) -> String {
        Policy::parse(&value).unwrap_err().to_string()
    }

    #[test]
    fn the_standard_takes_75_6_hours() {
        let policy = Policy::standard();
        assert_eq!(policy.max_attempts(), 10);
        let total: Duration = policy.delays.iter().sum();
        assert_eq!(total.as_secs(), 5 + 5 * 60 + 30 * 60 + (2 + 5 + 10 + 14 + 20 + 24) * 3600);
    }

    #[test]
    fn delays_as_text_and_milliseconds() {
        assert_eq!(
            millis_of(json!({"delays": ["1s", "5s", "2m", "1h30m", "1d", 250, 0.5]})),
            [1000, 5000, 120_000, 5_400_000, 86_400_000, 250, 0]
        );
        assert_eq!(millis_of(json!({"delays": []})), [] as [u128; 0]);
        assert_eq!(millis_of(json!({"delays": ["30d"]})), [30 * 86_400_000]);
    }

    #[test]
    fn retries_that_double() {
        let seed = json!({"max_retries": 3, "retry_delay": 1000});
        assert_eq!(millis_of(seed), [1000, 2000, 4000]);
        assert_eq!(millis_of(json!({"max_retries": 2})), [1000, 2000]);
        assert_eq!(millis_of(json!({"max_retries": 0})), [] as [u128; 0]);
        let long = millis_of(json!({"max_retries": 100, "retry_delay": 1}));
        assert_eq!(long.last(), Some(&86_400_000));
        let slow = json!({"max_retries": 2, "retry_delay": 2 * 86_400_000});
        assert_eq!(millis_of(slow), [172_800_000, 172_800_000]);
    }

    #[test]
    fn errors_say_which() {
        assert_eq!(message(json!([1])), "a retry policy is a JSON object");
        assert_eq!(message(json!({})), "the retry policy says neither \"delays\" nor \"max_retries\"");
        assert_eq!(message(json!({"delay": []})), "unknown key \"delay\" in the retry policy");
        assert_eq!(message(json!({"delays": "1s"})), "\"delays\" is not an array");
        assert_eq!(message(json!({"delays": [1, "31d"]})), "delay 2 is not between 0 and 30 days");
        assert_eq!(message(json!({"delays": [-1]})), "delay 1 is not between 0 and 30 days");
        assert_eq!(message(json!({"delays": [1e300]})), "delay 1 is not between 0 and 30 days");
        assert_eq!(message(json!({"delays": [null]})), "delay 1 is neither a text nor a number");
        assert_eq!(message(json!({"delays": ["5"]})), "delay 1: \"5\" lacks a unit");
        assert_eq!(
            message(json!({"delays": vec![1; 101]})),
            "the retry policy has 101 delays, at most 100 are allowed"
        );
        assert_eq!(message(json!({"max_retries": 101})), "the retry policy has 101 delays, at most 100 are allowed");
        assert_eq!(message(json!({"max_retries": -1})), "\"max_retries\" is not a whole number of 0 or more");
        assert_eq!(
            message(json!({"max_retries": 1, "retry_delay": "1s"})),
            "\"retry_delay\" is not a number of milliseconds between 0 and 30 days"
        );
        assert_eq!(
            message(json!({"delays": [], "max_retries": 1})),
            "the retry policy mixes \"delays\" with \"max_retries\" and \"retry_delay\""
        );
        assert_eq!(
            message(json!({"delays": [], "final": {"status": {"$like": 4}}})),
            "\"final\" is not a valid filter: unknown operator $like at \"status\""
        );
        assert_eq!(message(json!({"delays": [], "expires": "7"})), "\"expires\": \"7\" lacks a unit");
        assert_eq!(message(json!({"delays": [], "expires": 7})), "\"expires\" is not a text such as \"7d\"");
        assert_eq!(
            message(json!({"delays": [], "expires_from": "event_time"})),
            "\"expires_from\" is not the name of a field beside \"expires\""
        );
        let hint = Policy::parse(&json!({"delay": []})).unwrap_err().hint();
        assert_eq!(hint.unwrap(), "Known keys: delays, max_retries, retry_delay, final, expires, expires_from.");
    }

    #[test]
    fn an_answer_can_be_the_last_word() {
        let policy = Policy::parse(&json!({"delays": ["1s"],
            "final": {"status": {"$gte": 400, "$lt": 500}, "body.error.code": {"$nin": [4, 17]}}}));
        let policy = policy.unwrap();
        assert!(policy.is_final(400, r#"{"error": {"code": 100}}"#));
        assert!(policy.is_final(400, "no JSON"));
        assert!(policy.is_final(404, ""));
        assert!(!policy.is_final(400, r#"{"error": {"code": 17}}"#));
        assert!(!policy.is_final(500, r#"{"error": {"code": 100}}"#));
        assert!(!Policy::standard().is_final(400, ""));
    }

    #[test]
    fn what_has_lost_its_sense_expires() {
        let day = 86_400_000_000_i64;
        let policy = |more: Value| {
            let mut policy = json!({"delays": []});
            policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Policy::parse(&policy).unwrap()
        };
        assert_eq!(policy(json!({})).expires_at(0, None), None);
        assert_eq!(policy(json!({"expires": "7d"})).expires_at(day, Some("{}")), Some(8 * day));
        let from = policy(json!({"expires": "7d", "expires_from": "event_time"}));
        assert_eq!(from.expires_at(5 * day, Some(r#"{"event_time": 86400}"#)), Some(8 * day));
        for data in [None, Some("{}"), Some(r#"{"event_time": "yesterday"}"#), Some("[1]"), Some("{")] {
            assert_eq!(from.expires_at(5 * day, data), Some(12 * day), "{data:?}");
        }
        for wild in ["1e300", "-1e300", "9223372036854775807"] {
            from.expires_at(0, Some(&format!(r#"{{"event_time": {wild}}}"#)));
        }
    }

    #[test]
    fn delays_by_attempts() {
        let policy = Policy::parse(&json!({"delays": [1000, 2000]})).unwrap();
        assert_eq!(policy.delay(0, 1.0), Some(Duration::ZERO));
        assert_eq!(policy.delay(1, 0.0), Some(Duration::from_millis(1000)));
        assert_eq!(policy.delay(1, 1.0), Some(Duration::from_millis(1200)));
        assert_eq!(policy.delay(2, -1.0), Some(Duration::from_millis(1600)));
        assert_eq!(policy.delay(2, f64::NAN), Some(Duration::from_millis(2000)));
        assert_eq!(policy.delay(3, 0.0), None);
        assert_eq!(policy.delay(u32::MAX, 0.0), None);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(attempts in 1_u32..10, jitter: f64) {
            let policy = Policy::standard();
            let plain = policy.delay(attempts, 0.0).unwrap().as_secs_f64();
            let delay = policy.delay(attempts, jitter).unwrap().as_secs_f64();
            prop_assert!((plain * 0.799..=plain * 1.201).contains(&delay));
        }
    }
}
