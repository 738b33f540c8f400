//! What values take, and the mark of what was too large.

use serde_json::{Value, json};

use crate::Limits;

/// The bytes of a value as JSON, nearly; `None` where it is nested too deep to be kept.
pub fn bytes(value: &Value) -> Option<usize> {
    count(value, 0)
}

fn count(value: &Value, depth: usize) -> Option<usize> {
    if depth > Limits::NESTING {
        return None;
    }
    Some(match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().try_fold(2, |sum, item| Some(sum + 1 + count(item, depth + 1)?))?,
        Value::Object(object) => {
            object.iter().try_fold(2, |sum, (key, item)| Some(sum + key.len() + 4 + count(item, depth + 1)?))?
        }
    })
}

/// The value, or a mark in its place if it takes more than `most` bytes or is nested too deep: with its size, and how
/// it begins. Beside it, the bytes of what is returned, and whether it was cut.
pub fn cut(value: Value, most: usize) -> (Value, usize, bool) {
    match bytes(&value) {
        Some(bytes) if bytes <= most => (value, bytes, false),
        size => {
            let start = match &value {
                Value::String(text) => text.chars().take(1000).collect::<String>(),
                _ => String::new(),
            };
            let kind = match value {
                Value::String(_) => "text",
                Value::Array(_) => "array",
                _ => "object",
            };
            let mark = json!({"$cut": true, "bytes": size, "kind": kind, "start": start});
            let bytes = bytes(&mark).unwrap_or_default();
            (mark, bytes, true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_stays_and_what_is_large_leaves_a_mark() {
        assert_eq!(cut(json!({"a": [1, "x"]}), 100), (json!({"a": [1, "x"]}), 15, false));
        let (mark, _, cut) = cut(json!("é".repeat(5000)), 100);
        assert!(cut && mark["$cut"] == json!(true) && mark["bytes"] == json!(10_002));
        assert_eq!(mark["start"].as_str().map(|text| text.chars().count()), Some(1000));
    }

    #[test]
    fn what_is_nested_too_deep_leaves_a_mark() {
        let deep = (0..200).fold(Value::Null, |inner, _| json!([inner]));
        assert!(cut(deep, 10_000).2);
    }
}
