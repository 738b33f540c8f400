//! `kill -9` while webhooks are on their way.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::numbers::grouped;
use crate::stage::Stage;

const ROWS: u64 = 20_000;
/// A crash repeats at most what was sent and not recorded: what is in flight (64 by default) and what was answered meanwhile,
/// which the engine keeps below this.
const UNRECORDED: u64 = 2 * 256;

pub fn play(stage: &mut Stage) -> Result<()> {
    let before = stage.count("crm", "accepted_ids")?;
    let wanted = before + ROWS;
    stage.sql(&format!("insert into leads (name) select 'customer ' || i from generate_series(1, {ROWS}) i;"))?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while stage.count("crm", "accepted_ids")? < before + ROWS / 20 {
        if Instant::now() > deadline {
            bail!("the deliveries did not begin");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    stage.cluster.kill9()?;
    stage.out.action("kill -9 of the server and all its processes");
    let then = stage.count("crm", "accepted_ids")?;
    let outstanding = wanted.saturating_sub(then);
    stage.promise(
        outstanding > 0,
        &format!("{} had arrived, {} are outstanding", grouped(then - before), grouped(outstanding)),
    )?;

    let started = Instant::now();
    stage.cluster.start()?;
    stage
        .out
        .action(&format!("the server is started again: {:.1} s with its recovery", started.elapsed().as_secs_f32()));
    let accepted = stage.await_accepted("crm", wanted, Duration::from_secs(60))?;
    let seconds = started.elapsed().as_secs_f32();
    stage.promise(
        accepted == wanted,
        &format!(
            "all {} arrived, {seconds:.1} s after the start; {} lost",
            grouped(ROWS),
            wanted - accepted.min(wanted)
        ),
    )?;
    let repeats = stage.count("crm", "needless")?;
    stage.promise(
        repeats <= UNRECORDED,
        &format!(
            "{repeats} came twice, with the webhook-id that they had: at most the {UNRECORDED} not recorded yet can"
        ),
    )?;
    stage.numbers.add("outstanding when the server was killed", grouped(outstanding));
    stage.numbers.add("lost", "0");
    stage.numbers.add("repeated after the crash", grouped(repeats));
    Ok(())
}
