//! Rows, texts and arguments that are generated: for the crates, which read what users write, and for a live server.

use anyhow::Result;

use super::{Scene, clients};
use crate::test::cargo_steps;
use crate::test::verdict::Verdict;

/// So many texts are generated for each property of a crate. They take about half a minute together.
const CASES: (u64, u64) = (2_000, 400_000);

pub fn run(scene: &Scene) -> Result<Verdict> {
    let cases = scene.seconds(CASES.0, CASES.1).to_string();
    let crates = cargo_steps::fuzz(scene.plan, &cases)?;
    let rows = clients::alone(scene, "fuzz::", scene.seconds(20, 1800))?;
    let closing = format!("crates: {}\nrows: {}", crates.closing(), rows.closing());
    Ok(Verdict::of(!crates.is_failure() && !rows.is_failure(), closing))
}
