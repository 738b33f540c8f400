//! The regression tests once more.

use anyhow::Result;

use super::Scene;
use crate::test::regress::{Ground, run_on};
use crate::test::verdict::Verdict;

/// What reads and writes through pointers into a row, and so would notice a cache entry that is gone.
const SENSITIVE: [&str; 6] =
    ["10_capture_jsonb", "10_event_log", "10_event_tables", "10_event_watch", "10_event_bounds", "31_timer"];

/// Without any cache a statement takes a hundred times as long.
const SENSITIVE_IN_SHORT: usize = 1;

/// The files of the rooms whose code handles the server's memory, locks and rows itself; all in the long form.
const ROOMS: [&str; 7] = ["00_door", "10_", "21_delivery", "30_", "31_", "50_scoring", "99_"];

pub fn with_assertions(scene: &Scene) -> Result<Verdict> {
    let wants = |name: &str| scene.plan.long || ROOMS.iter().any(|room| name.starts_with(room));
    let ground = Ground { postgres: &scene.postgres, session: &[], wants: &wants, accept: false };
    run_on(&scene.plan.root, &ground)
}

pub fn without_caches(scene: &Scene) -> Result<Verdict> {
    let files = if scene.plan.long { SENSITIVE.len() } else { SENSITIVE_IN_SHORT };
    let wants = |name: &str| SENSITIVE[..files].contains(&name);
    let session = [("debug_discard_caches", "1")];
    let ground = Ground { postgres: &scene.postgres, session: &session, wants: &wants, accept: false };
    run_on(&scene.plan.root, &ground)
}
