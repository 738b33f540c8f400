//! The numbers a receiver reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Sums over all paths since the start or the last reset; requests to `/_control/` are not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    #[serde(flatten)]
    pub total: PathStats,
    /// when the first request came, microseconds since 1970; 0 when none has
    pub first_unix_us: u64,
    pub last_unix_us: u64,
    /// seconds from the first to the last request, by the monotonic clock
    pub seconds: f64,
    pub paths: BTreeMap<String, PathStats>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStats {
    pub requests: u64,
    /// answered with 2xx
    pub accepted: u64,
    /// distinct webhook-ids, per path
    pub ids: u64,
    /// requests whose webhook-id had come before on this path
    pub repeats: u64,
    /// distinct webhook-ids answered with 2xx
    pub accepted_ids: u64,
    /// requests whose webhook-id had been answered with 2xx before on this path: what the sender need not have sent
    pub needless: u64,
    pub verified: u64,
    pub unverified: u64,
    pub body_bytes: u64,
}

/// One webhook in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub id: String,
    pub path: String,
    pub status: u16,
    /// the `data` of the JSON body when it is at most 512 bytes long
    #[serde(default)]
    pub data: Option<serde_json::Value>,
}

impl PathStats {
    pub(crate) fn add(&mut self, other: &PathStats) {
        self.requests += other.requests;
        self.accepted += other.accepted;
        self.ids += other.ids;
        self.repeats += other.repeats;
        self.accepted_ids += other.accepted_ids;
        self.needless += other.needless;
        self.verified += other.verified;
        self.unverified += other.unverified;
        self.body_bytes += other.body_bytes;
    }
}
