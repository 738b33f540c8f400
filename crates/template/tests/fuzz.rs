//! Fuzz target: no template and no data make a rendering panic, last, or exceed its bound.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use template::Template;

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

const MAX_BYTES: usize = 10_000;

fn data() -> Value {
    json!({"id": 7, "name": "Ada \"x\" \u{0001}", "amount": 100.00, "list": [1, [2, [3, null]], {"a": {"b": []}}],
        "data": {"name": "確認", "n": 1e300, "deep": {"deep": {"deep": {}}}}, "empty": "", "none": null})
}

proptest! {
    #[test]
    fn a_rendering_ends_within_its_bounds(source in texts()) {
        let started = Instant::now();
        if let Ok(template) = Template::parse(&source)
            && let Ok(text) = template.render(&data(), MAX_BYTES)
        {
            prop_assert!(text.len() <= MAX_BYTES, "{} bytes of {source}", text.len());
            if template.is_json() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{source} makes {text}");
            }
        }
        prop_assert!(started.elapsed() < LONGEST, "{:?} for {source}", started.elapsed());
    }
}
