//! An event as the engine holds it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::memory::{Held, Memory};

/// An ordered endpoint's key of more bytes is known by its beginning and a sum of all of it: an index has to hold it.
const LONG_KEY: usize = 1000;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Op {
    #[default]
    Insert,
    Update,
    Delete,
    Truncate,
    /// By emit().
    Emit,
    /// A direct request: http_post() and friends.
    Request,
    /// The engine's own.
    Service,
}

impl Op {
    /// The letter in frontdesk.event.op.
    pub fn from_letter(letter: u8) -> Op {
        match letter {
            b'I' => Op::Insert,
            b'U' => Op::Update,
            b'D' => Op::Delete,
            b'T' => Op::Truncate,
            b'E' => Op::Emit,
            b'H' => Op::Request,
            _ => Op::Service,
        }
    }

    /// The same word as frontdesk.operation().
    pub fn word(self) -> &'static str {
        match self {
            Op::Insert => "insert",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Truncate => "truncate",
            Op::Emit => "emit",
            Op::Request => "request",
            Op::Service => "service",
        }
    }
}

/// A row of the log.
#[derive(Debug, Default)]
pub struct Event {
    pub id: i64,
    pub xid: u64,
    /// Microseconds since 2000-01-01.
    pub created_at: i64,
    pub op: Op,
    pub depth: i16,
    pub kind: String,
    pub source: Option<String>,
    pub key: Option<String>,
    pub tenant: Option<String>,
    /// The only endpoint that it is for.
    pub target: Option<i64>,
    /// JSON text.
    pub record: Option<String>,
    pub old_record: Option<String>,
    /// Why the record or the key was not read: the event is too large, or damaged.
    pub unread: Option<String>,
    pub held: Held,
}

impl Event {
    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        let texts = [&self.record, &self.old_record, &self.key, &self.source];
        let length: usize = texts.into_iter().flatten().map(String::len).sum();
        size_of::<Event>() + self.kind.len() + length
    }

    /// What it holds counts from now on.
    pub(crate) fn weighed(mut self, memory: &Memory) -> Event {
        self.held = memory.hold(self.bytes());
        self
    }

    /// Ordered endpoints: what has its turn one after the other.
    pub fn turn(&self) -> Option<Cow<'_, str>> {
        let key = self.key.as_deref()?;
        if key.len() <= LONG_KEY {
            return Some(key.into());
        }
        let start = key.floor_char_boundary(LONG_KEY / 2);
        Some(format!("{}… {:016x}", &key[..start], fingerprint(key.as_bytes())).into())
    }

    /// What an endpoint's filter sees; the same as frontdesk.event_document().
    pub fn document(&self) -> Value {
        let record = parsed(self.record.as_deref());
        let (new, old) = match self.op {
            Op::Delete => (Value::Null, record),
            _ => (record, parsed(self.old_record.as_deref())),
        };
        serde_json::json!({
            "type": self.kind, "op": self.op.word(), "source": self.source, "key": self.key, "tenant": self.tenant,
            "new": new, "old": old,
        })
    }

    /// Of a direct request: scheme, host and port of its URL. Empty where it cannot be read.
    pub(crate) fn host(&self) -> String {
        #[derive(Deserialize)]
        struct To<'a> {
            #[serde(borrow)]
            url: Cow<'a, str>,
        }
        let to: Option<To> = serde_json::from_str(self.record.as_deref().unwrap_or_default()).ok();
        to.map(|to| host(&to.url)).unwrap_or_default()
    }
}

/// Scheme, host and port of a URL.
fn host(url: &str) -> String {
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    url[..end].to_ascii_lowercase()
}

/// JSON text as a document; null where there is none.
pub fn parsed(json: Option<&str>) -> Value {
    json.map(filter::document).unwrap_or_default()
}

/// FNV-1a: the same in every process.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_cut_and_stays_different_from_its_like() {
        let event = |key: String| Event { key: Some(key), ..Event::default() };
        assert_eq!(event("a".into()).turn().unwrap(), "a");
        let one = event("ä".repeat(2000));
        let other = event("ä".repeat(2000) + "b");
        let (one, other) = (one.turn().unwrap(), other.turn().unwrap());
        assert!(one.len() < LONG_KEY && one != other);
        assert!(Event::default().turn().is_none());
    }

    #[test]
    fn requests_are_grouped_by_scheme_host_and_port() {
        let request = |url: &str| Event { record: Some(format!(r#"{{"url": "{url}"}}"#)), ..Event::default() };
        assert_eq!(request("https://API.example:8443/a/b").host(), "https://api.example:8443");
        assert_eq!(request("http://one").host(), "http://one");
        assert_eq!(Event::default().host(), "");
    }

    #[test]
    fn a_filter_sees_the_row_that_was_deleted_as_old() {
        let event = |op| Event { op, record: Some("{\"a\": 1}".into()), ..Event::default() };
        assert_eq!(event(Op::Delete).document()["old"]["a"], 1);
        assert!(event(Op::Delete).document()["new"].is_null());
        assert_eq!(event(Op::Insert).document()["new"]["a"], 1);
        assert_eq!(event(Op::from_letter(b'U')).document()["op"], "update");
    }
}
