//! Two failures, then success.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::stage::Stage;

pub fn play(stage: &mut Stage) -> Result<()> {
    let billing = stage.address("billing")?;
    let secret = stage.sql_value(&format!(
        "select frontdesk.add_endpoint('billing', 'http://{billing}/fail-first/2/billing',\n  events => '{{lead.won}}', \
         retry => '{{\"delays\": [\"500ms\", \"1s\"]}}');"
    ))?;
    stage.receive("billing", &secret)?;
    stage.sql("update leads set status = 'won' where name = 'Ada Lovelace';")?;
    stage.await_accepted("billing", 1, Duration::from_secs(15))?;
    // The last attempt is written a moment after the receiver has answered it.
    std::thread::sleep(Duration::from_millis(200));
    stage.sql(
        "select attempt, to_char(started_at, 'HH24:MI:SS.MS') as started_at, status, detail\n\
         from frontdesk.attempts where endpoint = 'billing' order by attempt;",
    )?;
    let arrived = stage.last("billing", 10)?;
    let ids: Vec<&Value> = arrived.iter().map(|record| &record["webhook-id"]).collect();
    let same_id = ids.iter().all(|id| *id == ids[0]);
    let counts = ["requests", "verified", "accepted"].map(|what| stage.count("billing", what).unwrap_or(0));
    stage.promise(
        same_id && counts == [3, 3, 1],
        "three requests with one webhook-id, each signed anew; the third was accepted",
    )
}
