//! From the row to the receiver.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

use super::stage::Stage;

/// Milliseconds from the row's change, which its commit follows, to the arrival of its webhook.
pub struct Latency {
    pub median: f64,
    pub worst: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms median, {:.1} ms at most", self.median, self.worst)
    }
}

/// Of these requests, as the receiver recorded them.
pub fn of(stage: &Stage, records: &[Value]) -> Result<Latency> {
    let changed = changed_at(stage)?;
    let mut milliseconds = Vec::new();
    for record in records {
        let id = record["webhook-id"]
            .as_str()
            .and_then(event_id)
            .with_context(|| format!("no event in {}", record["webhook-id"]))?;
        let arrived = record["at_unix_us"].as_i64().context("a request without a time")?;
        let changed = changed.get(&id).with_context(|| format!("there is no event {id}"))?;
        milliseconds.push((arrived - changed) as f64 / 1000.0);
    }
    milliseconds.sort_by(f64::total_cmp);
    let last = milliseconds.len().checked_sub(1).context("no requests to measure")?;
    Ok(Latency { median: milliseconds[last / 2], worst: milliseconds[last] })
}

/// Microseconds since 1970 by event.
fn changed_at(stage: &Stage) -> Result<HashMap<i64, i64>> {
    let sql = "select id, (extract(epoch from created_at) * 1000000)::bigint from frontdesk.event";
    let rows = stage.ask(sql)?;
    let row = |line: &str| {
        let (id, at) = line.split_once('|')?;
        Some((id.parse().ok()?, at.parse().ok()?))
    };
    rows.lines().map(|line| row(line).context("two numbers expected")).collect()
}

/// `msg_<installation>_<event>_<moment>`
fn event_id(webhook_id: &str) -> Option<i64> {
    webhook_id.split('_').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::event_id;

    #[test]
    fn a_webhook_id_names_its_event() {
        assert_eq!(event_id("msg_8d1003c0_42_303b390f3761e"), Some(42));
        assert_eq!(event_id("msg_8d1003c0"), None);
    }
}
