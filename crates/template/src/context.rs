use minijinja::Value;
use serde_json::Value as Json;

use crate::decimal::Decimal;

/// The document as templates see it. Null is undefined: what a row has no value for and what it has no column for
/// both are absent, and filters such as `upper` and `default` treat undefined as that, but null as a word.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::UNDEFINED,
        Json::Bool(boolean) => Value::from(*boolean),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .unwrap_or_else(|| Decimal::value(&number.to_string())),
        Json::String(text) => Value::from(text),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(object) => Value::from_pairs(object.iter().map(|(key, json)| (key, value(json)))),
    }
}
