//! The regression tests once more.

use anyhow::Result;

use super::Scene;
use crate::test::regress::{Ground, run_on};
use crate::test::verdict::Verdict;

/// Made to be run without any cache, where a statement takes a hundred times as long.
const SENSITIVE: &str = "10_capture_caches";

/// The files of the rooms whose code handles the server's memory, locks and rows itself; all in the long form.
const ROOMS: [&str; 7] = ["00_door", "10_", "21_delivery", "30_", "31_", "50_scoring", "99_attacks"];

pub fn with_assertions(scene: &Scene) -> Result<Verdict> {
    let wants = |name: &str| scene.plan.long || ROOMS.iter().any(|room| name.starts_with(room));
    let ground = Ground { postgres: &scene.postgres, session: "", wants: &wants, accept: false };
    run_on(&scene.plan.root, &ground)
}

pub fn without_caches(scene: &Scene) -> Result<Verdict> {
    let wants = |name: &str| name == SENSITIVE;
    let session = "-c debug_discard_caches=1";
    let ground = Ground { postgres: &scene.postgres, session, wants: &wants, accept: false };
    run_on(&scene.plan.root, &ground)
}
