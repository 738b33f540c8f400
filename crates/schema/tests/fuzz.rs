//! Fuzz target: no schema and no document make a check panic or last.

use fuzzing::{at_once, texts};
use proptest::prelude::*;
use schema::Checker;
use serde_json::{Value, json};

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

proptest! {
    #[test]
    fn a_check_ends(text in texts(CORPUS), other in texts(CORPUS)) {
        at_once(&text, || {
            if let Ok(schema) = serde_json::from_str::<Value>(&text)
                && let Ok(checker) = Checker::compile(&schema)
            {
                let parsed = serde_json::from_str::<Value>(&other).unwrap_or(Value::Null);
                for document in [parsed, json!({"email": "a@b.c", "n": 1e308, "list": vec![1; 200]}), json!("a".repeat(2000))] {
                    let _ = checker.mistakes(&document);
                }
            }
            Ok(())
        })?;
    }
}
