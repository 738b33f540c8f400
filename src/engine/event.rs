//! An event as the engine holds it, and its delivery to one endpoint.

use std::rc::Rc;

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
}

/// One event for one endpoint.
#[derive(Clone)]
pub struct Delivery {
    pub event: Rc<Event>,
    pub endpoint: i64,
    /// Attempts made already.
    pub attempts: i32,
    pub origin: Origin,
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
