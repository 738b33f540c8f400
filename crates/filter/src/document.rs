use serde_json::Value;

/// What stands for a number beyond the range of f64.
const LARGEST: &str = "1.7976931348623157e308";

/// Parses what PostgreSQL prints of a jsonb. A numeric beyond the range of f64 becomes the largest or smallest f64, so that
/// one such column does not make the whole row unreadable; what is no JSON at all becomes null.
pub fn document(json: &str) -> Value {
    serde_json::from_str(json).or_else(|_| serde_json::from_str(&clamped(json))).unwrap_or_default()
}

/// The text with every number that is not finite as f64 replaced.
fn clamped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with('"') { end_of_string(rest) } else { end_of_number(rest) };
        let token = &rest[..end];
        match token.parse::<f64>() {
            Ok(number) if number.is_infinite() => {
                out.push_str(if number < 0.0 { "-" } else { "" });
                out.push_str(LARGEST);
            }
            _ => out.push_str(token),
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
        assert_eq!(document(&json), json!({"a": f64::MAX, "b": f64::MIN, "c": format!("{large}\""), "d": 1}));
    }

    #[test]
    fn no_json_is_null() {
        assert_eq!(document("{"), Value::Null);
        assert_eq!(document("\"\\"), Value::Null);
        assert_eq!(document(""), Value::Null);
    }
}
