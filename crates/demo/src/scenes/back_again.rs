//! The partner's receiver is started; everything that waited for it arrives.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::numbers::grouped;
use crate::stage::Stage;

pub fn play(stage: &mut Stage) -> Result<()> {
    let missed = stage.ask(
        "select count(*) from frontdesk.event e, frontdesk_internal.endpoint n where n.name = 'partner' and e.type like 'lead.%' \
         and not pg_visible_in_snapshot(e.xid, n.created_snapshot)",
    )?;
    let missed: u64 = missed.parse()?;
    let secret = stage.partner_secret.clone();
    stage.receive("partner", &secret)?;
    let started = Instant::now();
    stage.sql("select frontdesk.resume_endpoint('partner');")?;
    let arrived = stage.await_accepted("partner", missed, Duration::from_secs(40))?;
    let seconds = started.elapsed().as_secs_f32();
    stage.promise(
        arrived == missed,
        &format!("{} of {} events that it had missed arrived within {seconds:.1} s", grouped(arrived), grouped(missed)),
    )?;
    let [accepted, verified, requests] = ["accepted", "verified", "requests"].map(|what| stage.count_all(what));
    let (accepted, verified, requests) = (accepted?, verified?, requests?);
    stage.promise(verified == requests, "every request of this demo was signed, and every signature verified")?;
    stage.numbers.add("caught up by the partner", format!("{} in {seconds:.1} s", grouped(arrived)));
    stage.numbers.add("deliveries accepted by the receivers", grouped(accepted));
    stage.numbers.add("signatures verified", format!("{} of {}", grouped(verified), grouped(requests)));
    Ok(())
}
