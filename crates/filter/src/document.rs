use std::borrow::Cow;

use serde_json::{Number, Value};

/// Containers within one another that are looked into; what lies deeper is null.
const DEEPEST: usize = 100;

/// Keys that the parser takes for marks of its own.
const MARKS: [&str; 2] = ["$serde_json::private::Number", "$serde_json::private::RawValue"];

/// Parses what PostgreSQL prints of a jsonb; numbers stay as they are written. What is nested too deep is cut off, so that it
/// does not make the whole row unreadable; what is no JSON at all becomes null.
pub fn document(json: &str) -> Value {
    let json = unmarked(json);
    serde_json::from_str(&json).or_else(|_| serde_json::from_str(&cut(&json))).unwrap_or_default()
}

/// The text with keys that the parser would take for its own marks written without their `$`.
pub fn unmarked(json: &str) -> Cow<'_, str> {
    let mut json = Cow::Borrowed(json);
    for mark in MARKS {
        let key = format!("\"{mark}\":");
        if json.contains(&key) {
            json = json.replace(&key, &key.replacen('$', "", 1)).into();
        }
    }
    json
}

/// The number as a double, for calculations; one that is beyond them becomes the largest or the smallest.
pub fn double(number: &Number) -> f64 {
    let double = number.as_f64().or_else(|| number.to_string().parse().ok());
    double.unwrap_or_default().clamp(f64::MIN, f64::MAX)
}

/// The text without what is nested too deep.
fn cut(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    let mut depth = 0_usize;
    while let Some(at) = rest.find(['"', '[', ']', '{', '}']) {
        let mut put = |text: &str, depth: usize| {
            if depth <= DEEPEST {
                out.push_str(text);
            }
        };
        put(&rest[..at], depth);
        rest = &rest[at..];
        let end = match rest.as_bytes()[0] {
            b'"' => {
                let end = end_of_string(rest);
                put(&rest[..end], depth);
                end
            }
            b'[' | b'{' => {
                depth += 1;
                if depth == DEEPEST + 1 {
                    out.push_str("null");
                } else {
                    put(&rest[..1], depth);
                }
                1
            }
            _ => {
                put(&rest[..1], depth);
                depth = depth.saturating_sub(1);
                1
            }
        };
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ordinary_documents_are_parsed_as_they_are() {
        assert_eq!(document(r#"{"a": [1, -2.5, "x\"1"], "b": null}"#), json!({"a": [1, -2.5, "x\"1"], "b": null}));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let large = format!("1{}", "0".repeat(400));
        let json = format!(r#"{{"a":{large},"b":-{large},"c":"{large}\"","d":100.00,"e":1234567890123456.78}}"#);
        assert_eq!(document(&json).to_string(), json);
        let double = |json: &str| document(json).as_number().map(double);
        assert_eq!(double(&large), Some(f64::MAX));
        assert_eq!(double(&format!("-{large}")), Some(f64::MIN));
        assert_eq!(double("100.50"), Some(100.5));
    }

    #[test]
    fn keys_that_are_marks_of_the_parser_are_keys() {
        for mark in MARKS {
            let found = document(&format!(r#"{{"a": 1, "b": {{"{mark}": "x"}}, "c": "{mark}"}}"#));
            assert_eq!((&found["a"], &found["c"]), (&json!(1), &json!(mark)));
            assert_eq!(found["b"], json!({ &mark[1..]: "x" }));
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_null_and_the_rest_is_there() {
        let deep = format!("{}1{}", "[{\"x]\": ".repeat(3000), "}]".repeat(3000));
        let found = document(&format!(r#"{{"a": 1, "deep": {deep}, "b": "]"}}"#));
        assert_eq!((&found["a"], &found["b"]), (&json!(1), &json!("]")));
        let mut inner = &found["deep"];
        while !inner.is_null() {
            inner = if inner.is_array() { &inner[0] } else { &inner["x]"] };
        }
    }

    #[test]
    fn no_json_is_null() {
        assert_eq!(document("{"), Value::Null);
        assert_eq!(document("\"\\"), Value::Null);
        assert_eq!(document(""), Value::Null);
    }
}
