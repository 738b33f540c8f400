//! Fuzz target: no template and no data make a rendering panic, last, or exceed its bound.

use fuzzing::{at_once, texts};
use proptest::prelude::*;
use serde_json::{Value, json};
use template::Template;

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

const MAX_BYTES: usize = 10_000;

fn data() -> Value {
    json!({"id": 7, "name": "Ada \"x\" \u{0001}", "amount": 100.00, "list": [1, [2, [3, null]], {"a": {"b": []}}],
        "data": {"name": "確認", "n": 1e300, "deep": {"deep": {"deep": {}}}}, "empty": "", "none": null})
}

proptest! {
    #[test]
    fn a_rendering_ends_within_its_bounds(source in texts(CORPUS)) {
        at_once(&source, || {
            if let Ok(template) = Template::parse(&source)
                && let Ok(text) = template.render(&data(), MAX_BYTES)
            {
                prop_assert!(text.len() <= MAX_BYTES, "{} bytes of {source}", text.len());
                if template.is_json() {
                    prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{source} makes {text}");
                }
            }
            Ok(())
        })?;
    }
}
