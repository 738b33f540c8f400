//! A transaction that is rolled back, then one that is not: had the first sent anything, it would have come before.

use std::time::Duration;

use anyhow::Result;

use crate::stage::Stage;

pub fn play(stage: &mut Stage) -> Result<()> {
    let before = stage.count("crm", "requests")?;
    stage.sql("begin;\ninsert into leads (name) values ('Nobody');\nrollback;")?;
    stage.sql("insert into leads (name) values ('Grace Hopper');")?;
    stage.await_accepted("crm", before + 1, Duration::from_secs(5))?;
    let arrived = stage.last("crm", 1)?;
    stage.show_arrivals(&arrived);
    let is_grace = arrived.iter().any(|record| record["body"].as_str().unwrap_or_default().contains("Grace Hopper"));
    let of_nobody = stage.ask("select count(*) from frontdesk.event where record->>'name' = 'Nobody'")?;
    let after = stage.count("crm", "requests")?;
    stage.promise(
        is_grace && after == before + 1 && of_nobody == "0",
        "only the committed row was sent; of the other there is not even an event",
    )
}
