//! Fuzz target: no models and no facts make a score panic or last.

use fuzzing::{at_once, texts};
use proptest::prelude::*;
use scoring::{Book, ModelDefinition};

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

proptest! {
    #[test]
    fn models_are_compiled_or_refused(text in texts(CORPUS)) {
        at_once(&text, || {
            if let Ok(models) = serde_json::from_str::<Vec<ModelDefinition>>(&text) {
                let _ = Book::compile(&models);
            }
            Ok(())
        })?;
    }
}
