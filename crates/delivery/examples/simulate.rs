//! Runs the simulation of the engine's core for as long as one likes: `--from SEED --seeds N`; without them, all
//! night. `--trace` prints each step.

#[path = "../tests/simulation/sim/mod.rs"]
mod sim;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let from = value("--from").unwrap_or(0);
    let seeds = value("--seeds").unwrap_or(u64::MAX - from);
    sim::TRACE.store(arguments.iter().any(|argument| argument == "--trace"), Relaxed);
    let begun = Instant::now();
    let mut broken = 0;
    for seed in from..from + seeds {
        if let Err(promise) = sim::run(seed) {
            broken += 1;
            println!("seed {seed}: {promise}");
        }
        if seed % 10_000 == 9_999 {
            println!("{} seeds, {broken} broken, {} s", seed + 1 - from, begun.elapsed().as_secs());
        }
    }
    println!("{seeds} seeds, {broken} broken, {:.1} s", begun.elapsed().as_secs_f64());
    std::process::exit(i32::from(broken > 0));
}
