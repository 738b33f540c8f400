use serde_json::Value;

/// What stands for a number beyond the range of f64.
const LARGEST: &str = "1.7976931348623157e308";

/// Containers within one another that are looked into; what lies deeper is null.
const DEEPEST: usize = 100;

/// Parses what PostgreSQL prints of a jsonb. What is nested too deep is cut off, and a number beyond what can be held becomes
/// the largest or smallest f64, so that neither makes the whole row unreadable; what is no JSON at all becomes null.
pub fn document(json: &str) -> Value {
    serde_json::from_str(json).or_else(|_| serde_json::from_str(&tamed(json))).unwrap_or_default()
}

/// The text with every number that is not finite as f64 replaced, and without what is nested too deep.
fn tamed(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    let mut depth = 0_usize;
    let marks = ['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '[', ']', '{', '}'];
    while let Some(at) = rest.find(marks) {
        let mut put = |text: &str, depth: usize| {
            if depth <= DEEPEST {
                out.push_str(text);
            }
        };
        put(&rest[..at], depth);
        rest = &rest[at..];
        let end = match rest.as_bytes()[0] {
            b'"' => end_of_string(rest),
            b'[' | b'{' => {
                depth += 1;
                if depth == DEEPEST + 1 {
                    out.push_str("null");
                } else if depth <= DEEPEST {
                    out.push_str(&rest[..1]);
                }
                rest = &rest[1..];
                continue;
            }
            b']' | b'}' => {
                put(&rest[..1], depth);
                depth = depth.saturating_sub(1);
                rest = &rest[1..];
                continue;
            }
            _ => end_of_number(rest),
        };
        let token = &rest[..end];
        match token.parse::<f64>() {
            Ok(number) if number.is_infinite() => {
                put(if number < 0.0 { "-" } else { "" }, depth);
                put(LARGEST, depth);
            }
            _ => put(token, depth),
        }
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

fn end_of_number(text: &str) -> usize {
    text.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(text.len())
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
    fn numbers_beyond_f64_are_clamped_and_strings_are_left_alone() {
        let large = format!("1{}", "0".repeat(400));
        let json = format!(r#"{{"a": {large}, "b": -{large}, "c": "{large}\"", "d": 1}}"#);
        let found = document(&json);
        assert_eq!((&found["c"], &found["d"]), (&json!(format!("{large}\"")), &json!(1)));
        assert!(found["a"].is_number() && found["b"].is_number());
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
