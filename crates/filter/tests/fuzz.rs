//! Fuzz target: no filter and no document make a match panic or last; the two back-ends never do.

use std::time::{Duration, Instant};

use filter::{Filter, Pattern, check_event_type, containing, sql};
use proptest::prelude::*;
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

fn documents() -> Vec<Value> {
    vec![
        json!({"op": "insert", "new": {"id": 1, "name": "Ada", "tags": ["a", null, [1]], "deep": {"a": {"b": 1.5}}}, "old": null}),
        json!({"new": {"name": "a".repeat(5000), "n": 1e308, "list": vec![1; 500]}}),
        json!([1, "x", null]),
        Value::Null,
    ]
}

proptest! {
    #[test]
    fn a_match_ends(text in texts()) {
        let started = Instant::now();
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = containing(&value);
            if let Ok(filter) = Filter::parse(&value) {
                let _ = documents().iter().filter(|document| filter.matches(*document)).count();
                let _ = sql(&filter, "metadata");
            }
        }
        prop_assert!(started.elapsed() < LONGEST, "{:?} for {text}", started.elapsed());
    }

    #[test]
    fn patterns_and_types_are_read_or_refused(text in texts(), kind in "[a-z.]{0,30}") {
        let _ = check_event_type(&text);
        if let Ok(pattern) = Pattern::parse(&text) {
            let _ = (pattern.matches(&kind), pattern.matches(&text));
        }
    }
}
