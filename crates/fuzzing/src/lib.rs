//! What the fuzz targets of the crates (`tests/fuzz.rs`) share: texts that resemble what people write, and how long
//! anything may take with one.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

/// However long a text is in the making, what is made of it is made at once.
const LONGEST: Duration = Duration::from_secs(10);

/// Lines of the corpus (a line each: what people write, and what has been trouble), and texts put together from parts of
/// them and from characters of any kind.
pub fn texts(corpus: &'static str) -> impl Strategy<Value = String> {
    let line = any::<Index>().prop_map(|index| {
        let lines: Vec<&str> = corpus.lines().collect();
        index.get(&lines).to_string()
    });
    let part = (line.clone(), any::<Index>(), any::<Index>()).prop_map(|(line, from, to)| {
        let characters: Vec<char> = line.chars().collect();
        let (from, to) = (from.index(characters.len() + 1), to.index(characters.len() + 1));
        characters[from.min(to)..from.max(to)].iter().collect::<String>()
    });
    let parts = prop::collection::vec(prop_oneof![4 => part, 1 => "\\PC{0,8}"], 1..5).prop_map(|parts| parts.concat());
    let repeated = (line.clone(), 1..200_usize).prop_map(|(line, times)| line.repeat(times));
    prop_oneof![3 => line, 6 => parts, 1 => repeated]
}

/// What a target does with a text, and at once.
///
/// # Errors
/// Those of the target, and that it took too long.
pub fn at_once(text: &str, target: impl FnOnce() -> TestCaseResult) -> TestCaseResult {
    let started = Instant::now();
    target()?;
    prop_assert!(started.elapsed() < LONGEST, "{:?} for {text}", started.elapsed());
    Ok(())
}
