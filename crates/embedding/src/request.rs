//! What is sent.

use serde::{Deserialize, Serialize};

/// How vectors are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// a JSON array of numbers
    #[default]
    Float,
    /// 32-bit floats, little-endian, in base64
    Base64,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<Encoding>,
}

/// The JSON body of a request. `dimensions`: how many to ask for, of models that can be shortened.
pub fn body(model: &str, input: &[&str], dimensions: Option<usize>, encoding: Encoding) -> Vec<u8> {
    // Services that know one form only refuse the field.
    let encoding_format = (encoding == Encoding::Base64).then_some(encoding);
    serde_json::to_vec(&Body { model, input, dimensions, encoding_format }).unwrap_or_default()
}

/// A bound on the answer's size in bytes: 32 characters a number are more than any service writes.
pub fn most_bytes(inputs: usize, dimensions: usize) -> usize {
    64 * 1024 + inputs.saturating_mul(dimensions.saturating_mul(32).saturating_add(256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for() {
        let text = |dimensions, encoding| {
            String::from_utf8(body("m", &["a \"b\"", "ñ\u{0001}"], dimensions, encoding)).unwrap()
        };
        assert_eq!(text(None, Encoding::Float), r#"{"model":"m","input":["a \"b\"","ñ\u0001"]}"#);
        assert_eq!(
            text(Some(256), Encoding::Base64),
            r#"{"model":"m","input":["a \"b\"","ñ\u0001"],"dimensions":256,"encoding_format":"base64"}"#
        );
    }
}
