//! The regression tests once more.

use anyhow::Result;

use super::Scene;
use crate::test::regress::{Ground, run_on};
use crate::test::verdict::Verdict;

/// What reads and writes through pointers into a row, and so would notice a cache entry that is gone.
const SENSITIVE: [&str; 4] = ["10_capture_jsonb", "10_event_tables", "10_event_watch", "31_timer"];

/// Without any cache a statement takes a hundred times as long.
const SENSITIVE_IN_SHORT: usize = 1;

pub fn with_assertions(scene: &Scene) -> Result<Verdict> {
    let ground = Ground { postgres: &scene.postgres, session: &[], wants: &|_| true, accept: false };
    run_on(&scene.plan.root, &ground)
}

pub fn without_caches(scene: &Scene) -> Result<Verdict> {
    let files = if scene.plan.long { SENSITIVE.len() } else { SENSITIVE_IN_SHORT };
    let wants = |name: &str| SENSITIVE[..files].contains(&name);
    let session = [("debug_discard_caches", "1")];
    let ground = Ground { postgres: &scene.postgres, session: &session, wants: &wants, accept: false };
    run_on(&scene.plan.root, &ground)
}
