//! Fuzz target: no schema and no document make a check panic or last.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use schema::Checker;
use serde_json::{Value, json};

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
    fn a_check_ends(text in texts(), other in texts()) {
        let started = Instant::now();
        if let Ok(schema) = serde_json::from_str::<Value>(&text)
            && let Ok(checker) = Checker::compile(&schema)
        {
            let parsed = serde_json::from_str::<Value>(&other).unwrap_or(Value::Null);
            for document in [parsed, json!({"email": "a@b.c", "n": 1e308, "list": vec![1; 200]}), json!("a".repeat(2000))] {
                let _ = checker.mistakes(&document);
            }
        }
        prop_assert!(started.elapsed() < LONGEST, "{:?} for {text}", started.elapsed());
    }
}
