//! An endpoint that refuses connections beside one that works.

use std::time::Duration;

use anyhow::Result;

use super::first_webhook::single_inserts;
use crate::stage::Stage;
use crate::{latency, numbers::grouped};

const SINGLE_INSERTS: u64 = 100;
const BULK: u64 = 1000;
/// Of no use as a measure of speed; but who waits for the dead one waits for its retries, which takes longer than this.
const HELD_UP_MS: f64 = 1000.0;

pub fn play(stage: &mut Stage) -> Result<()> {
    let (partner, before) = (stage.address("partner")?, stage.count("crm", "accepted_ids")?);
    stage.partner_secret = stage.sql_value(&format!(
        "select frontdesk.add_endpoint('partner', 'http://{partner}/hooks', events => '{{lead.*}}',\n  \
         retry => '{{\"delays\": [\"1s\", \"2s\", \"2s\", \"2s\", \"2s\", \"5s\", \"10s\", \"20s\"]}}');"
    ))?;
    stage.sql(&format!("insert into leads (name) select 'bulk ' || i from generate_series(1, {BULK}) i;"))?;
    stage.sql(&single_inserts(SINGLE_INSERTS))?;
    let (rows, wanted) = (BULK + SINGLE_INSERTS, before + BULK + SINGLE_INSERTS);
    let accepted = stage.await_accepted("crm", wanted, Duration::from_secs(10))?;
    stage.promise(accepted == wanted, &format!("crm got all {}", grouped(rows)))?;
    let latency = latency::of(stage, &stage.last("crm", SINGLE_INSERTS)?)?;
    stage.promise(latency.worst < HELD_UP_MS, &format!("from the insert to the receiver: {latency}"))?;
    stage.numbers.add("the same beside a dead receiver", latency.to_string());
    let failed = stage.ask("select count(*) from frontdesk.attempts where endpoint = 'partner' and not succeeded")?;
    let failed: u64 = failed.parse()?;
    stage.promise(
        failed > 0 && failed < rows / 2,
        &format!("the partner was tried {failed} times, not {}: the circuit breaker is open", grouped(rows)),
    )
}
