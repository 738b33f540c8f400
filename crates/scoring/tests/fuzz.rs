//! Fuzz target: no models and no facts make a score panic or last.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use scoring::{Book, ModelDefinition};

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

/// However long a text is in the making, what is made of it is made at once.
const LONGEST: Duration = Duration::from_secs(10);

/// Texts put together from parts of the corpus and from characters of any kind.
fn texts() -> impl Strategy<Value = String> {
    let line = any::<prop::sample::Index>().prop_map(|index| {
        let lines: Vec<&str> = CORPUS.lines().collect();
        index.get(&lines).to_string()
    });
    let part =
        (line.clone(), any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(line, from, to)| {
            let characters: Vec<char> = line.chars().collect();
            let (from, to) = (from.index(characters.len() + 1), to.index(characters.len() + 1));
            characters[from.min(to)..from.max(to)].iter().collect::<String>()
        });
    let parts = prop::collection::vec(prop_oneof![4 => part, 1 => "\\PC{0,8}"], 1..5).prop_map(|parts| parts.concat());
    let repeated = (line.clone(), 1..200_usize).prop_map(|(line, times)| line.repeat(times));
    prop_oneof![3 => line, 6 => parts, 1 => repeated]
}

proptest! {
    #[test]
    fn models_are_compiled_or_refused(text in texts()) {
        let started = Instant::now();
        if let Ok(models) = serde_json::from_str::<Vec<ModelDefinition>>(&text) {
            let _ = Book::compile(&models);
        }
        prop_assert!(started.elapsed() < LONGEST, "{:?} for {text}", started.elapsed());
    }
}
