//! An event as the engine holds it, and its delivery to one endpoint.

use std::borrow::Cow;
use std::rc::Rc;

use super::memory::{Held, Load};

/// An ordered endpoint's key of more bytes is known by its beginning and a sum of all of it: an index has to hold it.
const LONG_KEY: usize = 1000;

/// A row of the log.
#[derive(Default)]
pub struct Event {
    pub id: i64,
    pub xid: u64,
    /// Microseconds since 2000-01-01.
    pub created_at: i64,
    /// I, U, D, T, E, H or S; see frontdesk.event.op.
    pub op: char,
    pub depth: i16,
    pub kind: String,
    pub source: Option<String>,
    pub key: Option<String>,
    pub tenant: Option<String>,
    pub target: Option<i64>,
    /// JSON text.
    pub record: Option<String>,
    pub old_record: Option<String>,
    /// Why the record or the key was not read: the event is too large, or damaged.
    pub unread: Option<String>,
    pub held: Held,
}

/// One event for one endpoint.
#[derive(Clone)]
pub struct Delivery {
    pub event: Rc<Event>,
    pub endpoint: i64,
    /// Attempts made already.
    pub attempts: i32,
    pub origin: Origin,
    pub load: Load,
    /// The body of the request that is in flight.
    pub sent: Rc<Held>,
}

impl Delivery {
    pub fn new(event: Rc<Event>, endpoint: i64, attempts: i32, origin: Origin) -> Delivery {
        Delivery { event, endpoint, attempts, origin, load: Load::default(), sent: Rc::default() }
    }

    /// Event and endpoint, as the tables have them.
    pub fn pair(&self) -> (i64, i64) {
        (self.event.id, self.endpoint.max(0))
    }
}

/// Where a delivery came from, and so who is told when it is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Read from the log: lane and batch wait for it.
    Log { lane: i64, batch: u64 },
    /// It has a row in the retry table.
    Retry,
    /// Of an endpoint that was removed while it was in flight.
    Nowhere,
}

impl Event {
    /// What it holds counts from now on.
    pub fn weighed(mut self) -> Event {
        let texts = [&self.record, &self.old_record, &self.key, &self.source];
        let length: usize = texts.into_iter().flatten().map(String::len).sum();
        self.held = Held::new(size_of::<Event>() + self.kind.len() + length);
        self
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.held.bytes()
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
    pub fn document(&self) -> serde_json::Value {
        let record = parsed(self.record.as_deref());
        let (new, old) = match self.op {
            'D' => (serde_json::Value::Null, record),
            _ => (record, parsed(self.old_record.as_deref())),
        };
        serde_json::json!({
            "type": self.kind, "op": self.operation(), "source": self.source, "key": self.key, "tenant": self.tenant,
            "new": new, "old": old,
        })
    }

    /// The word for op; the same as frontdesk.operation().
    pub fn operation(&self) -> &'static str {
        match self.op {
            'I' => "insert",
            'U' => "update",
            'D' => "delete",
            'T' => "truncate",
            'E' => "emit",
            'H' => "request",
            _ => "service",
        }
    }
}

pub fn parsed(json: Option<&str>) -> serde_json::Value {
    json.map(filter::document).unwrap_or_default()
}

/// FNV-1a: the same in every process.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
