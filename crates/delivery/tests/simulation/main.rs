//! The engine's core in a world of random commits, snapshots, receipts, failures, changes, clocks and crashes: whatever happens,
//! it keeps its promises; and a mistake in it is found.
//!
//! A seed that fails is had again by `cargo run --release -p delivery --example simulate -- --from SEED --seeds 1`; for a night,
//! leave out the options.

mod sim;

use delivery::{Fault, plant};

const SEEDS: u64 = 10_000;

fn all_keep(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err(broken) = sim::run(seed) {
            panic!("seed {seed}: {broken}");
        }
    }
}

#[test]
fn every_promise_is_kept_in_the_first_half_of_the_seeds() {
    all_keep(0..SEEDS / 2);
}

#[test]
fn every_promise_is_kept_in_the_second_half_of_the_seeds() {
    all_keep(SEEDS / 2..SEEDS);
}

#[test]
fn each_mistake_is_found() {
    for fault in Fault::ALL {
        plant(Some(fault));
        let found = (0..SEEDS).find(|seed| sim::run(*seed).is_err());
        plant(None);
        assert!(found.is_some(), "nobody noticed: {fault:?}");
    }
}
