//! Client tests on the server with assertions: those of what runs inside a server, and the two that only this suite
//! runs because they take minutes.

use anyhow::Result;

use super::Scene;
use crate::test::cargo_steps;
use crate::test::verdict::Verdict;

/// Every kind of thing that a backend, the engine and a job do; all tests in the long form.
const CHOSEN: [&str; 4] = ["delivery::transactions::", "life::crash::", "schedule::", "timer::"];

pub fn chosen(scene: &Scene) -> Result<Verdict> {
    let filters: &[&str] = if scene.plan.long { &[] } else { &CHOSEN };
    cargo_steps::client_on(scene.plan, &scene.postgres, filters, &[])
}

pub fn closure(scene: &Scene) -> Result<Verdict> {
    alone(scene, "closure::", scene.seconds(60, 0))
}

pub fn chaos(scene: &Scene) -> Result<Verdict> {
    alone(scene, "chaos::", scene.seconds(60, 3600))
}

/// The tests of a file that are ignored elsewhere, with so many seconds.
pub fn alone(scene: &Scene, file: &str, seconds: u64) -> Result<Verdict> {
    let seconds = seconds.to_string();
    let more = [("PG_FRONTDESK_HOSTILE_SECONDS", seconds.as_str())];
    cargo_steps::client_on(scene.plan, &scene.postgres, &[file, "--include-ignored"], &more)
}
