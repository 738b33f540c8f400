//! A job every two seconds, its history, and what it says about itself.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::stage::Stage;

const RUNS: u32 = 2;

pub fn play(stage: &mut Stage) -> Result<()> {
    stage.sql("select frontdesk.schedule('pulse', '2 seconds', 'select count(*) from leads');")?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let succeeded = "select count(*) from frontdesk.get_job_history('pulse') where status = 'succeeded'";
    while stage.ask(succeeded)?.parse::<u32>()? < RUNS && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    stage.sql(
        "select status, return_message, to_char(start_time, 'HH24:MI:SS') as start_time, \
         extract(milliseconds from duration)::int as ms\nfrom frontdesk.get_job_history('pulse');",
    )?;
    stage
        .promise(stage.ask(succeeded)?.parse::<u32>()? >= RUNS, "it ran every two seconds, in a process of its own")?;
    stage.sql("select frontdesk.explain_job('pulse');")?;
    let next = "select count(*) from frontdesk.jobs where name = 'pulse' and problem is null and next_run is not null";
    stage.promise(stage.ask(next)? == "1", "what it did, and when it is next: no log file was read for that")?;
    stage.sql("select frontdesk.unschedule('pulse');")
}
