//! Waiting for something to become true, never for a time to pass.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Returns as soon as `condition` holds; fails with `what` when that takes longer than [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_for(what, PATIENCE, condition)
}

/// The same with another patience.
#[track_caller]
pub fn wait_for(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {} s in vain until {what}", patience.as_secs());
        std::thread::sleep(Duration::from_millis(15));
    }
}
