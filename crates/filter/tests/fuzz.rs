//! Fuzz target: no filter and no document make a match panic or last; the two back-ends never do.

use filter::{Filter, Pattern, check_event_type, containing, sql};
use fuzzing::{at_once, texts};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

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
    fn a_match_ends(text in texts(CORPUS)) {
        at_once(&text, || {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = containing(&value);
                if let Ok(filter) = Filter::parse(&value) {
                    let _ = documents().iter().filter(|document| filter.matches(*document)).count();
                    let _ = sql(&filter, "metadata");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn patterns_and_types_are_read_or_refused(text in texts(CORPUS), kind in "[a-z.]{0,30}") {
        let _ = check_event_type(&text);
        if let Ok(pattern) = Pattern::parse(&text) {
            let _ = (pattern.matches(&kind), pattern.matches(&text));
        }
    }
}
