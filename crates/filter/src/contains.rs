use serde_json::Value;

use crate::equal;

/// `$contains`, by what stands at the path:
///
/// - a text contains a text as a part of it
/// - an array contains a value as an element and, given an array, every one of its elements
/// - an object contains an object as the operator `@>` of `jsonb` says: all its keys, with values it contains
///
/// Elements of arrays that are objects or arrays themselves are compared by `@>` too. Anything else: false.
pub fn contains(value: &Value, operand: &Value) -> bool {
    match (value, operand) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => deep_contains(value, operand),
        (Value::Array(items), element) => items.iter().any(|item| holds(item, element)),
        _ => false,
    }
}

/// `JsonbDeepContains` of PostgreSQL (src/backend/utils/adt/jsonb_util.c) for two values of a kind.
fn deep_contains(value: &Value, operand: &Value) -> bool {
    match (value, operand) {
        (Value::Object(value), Value::Object(operand)) => {
            operand.iter().all(|(key, wanted)| value.get(key).is_some_and(|found| holds(found, wanted)))
        }
        (Value::Array(value), Value::Array(operand)) => {
            operand.iter().all(|wanted| value.iter().any(|found| holds(found, wanted)))
        }
        _ => false,
    }
}

fn holds(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(_) | Value::Array(_) => deep_contains(found, wanted),
        _ => equal(found, wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts() {
        assert!(contains(&json!("front desk"), &json!("desk")));
        assert!(contains(&json!("front desk"), &json!("")));
        assert!(!contains(&json!("front desk"), &json!("Desk")));
        assert!(!contains(&json!("12"), &json!(1)));
        assert!(!contains(&json!("ab"), &json!(["a"])));
    }

    #[test]
    fn arrays() {
        let value = json!([1, "two", null, [3, 4], {"id": 5, "x": 6}]);
        for wanted in [
            json!(1.0),
            json!("two"),
            json!(null),
            json!({"id": 5}),
            json!([1, "two"]),
            json!([[4]]),
            json!([{"x": 6}]),
            json!([]),
        ] {
            assert!(contains(&value, &wanted), "{wanted}");
        }
        for wanted in [json!(3), json!("tw"), json!({"id": 6}), json!([1, 7]), json!([3]), json!(false)] {
            assert!(!contains(&value, &wanted), "{wanted}");
        }
    }

    #[test]
    fn objects() {
        let value = json!({"a": 1, "b": {"c": [1, 2], "d": null}});
        for wanted in
            [json!({}), json!({"a": 1}), json!({"b": {}}), json!({"b": {"c": [2]}}), json!({"b": {"d": null}})]
        {
            assert!(contains(&value, &wanted), "{wanted}");
        }
        // The last: @> lets an array contain a bare element at the top only.
        for wanted in [json!({"a": 2}), json!({"e": null}), json!("a"), json!(["a"]), json!({"b": {"c": 1}})] {
            assert!(!contains(&value, &wanted), "{wanted}");
        }
    }

    #[test]
    fn other_values_contain_nothing() {
        for value in [json!(1), json!(true), json!(null)] {
            assert!(!contains(&value, &value));
        }
    }
}
