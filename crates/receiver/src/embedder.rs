//! `/embed/DIMENSIONS` plays an embedder (OpenAI's `/embeddings`) that answers at once; `/embed/DIMENSIONS/FAULT` one that lies.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use serde::Deserialize;

/// What is wrong with its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    Fewer,
    More,
    Dimension,
    Null,
    Nan,
    Huge,
    Zero,
    Index,
    Html,
    Truncated,
}

impl Lie {
    pub(crate) fn of(name: &str) -> Option<Lie> {
        Some(match name {
            "fewer" => Lie::Fewer,
            "more" => Lie::More,
            "dimension" => Lie::Dimension,
            "null" => Lie::Null,
            "nan" => Lie::Nan,
            "huge" => Lie::Huge,
            "zero" => Lie::Zero,
            "index" => Lie::Index,
            "html" => Lie::Html,
            "truncated" => Lie::Truncated,
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct Asked {
    input: Vec<String>,
}

/// Numbers ready to be written, so that the bench measures who reads them.
static NUMBERS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..1024).map(|n| format!("{:.8}", f64::from(n * 2 - 1023) / 1024.0 / 16.0)).collect());

/// Status and body. The vector of a text depends on the text alone. A text with `POISON` in it is refused (400), one with `CRASH`
/// breaks the server (500), whatever they come with; one with `BLANK` gets a null.
pub(crate) fn answer(body: &[u8], dimensions: usize, lie: Option<Lie>) -> (u16, Vec<u8>) {
    let Ok(asked) = serde_json::from_slice::<Asked>(body) else {
        return (400, br#"{"error":{"message":"no input"}}"#.to_vec());
    };
    let has = |word: &str| asked.input.iter().any(|text| text.contains(word));
    if has("POISON") {
        return (400, br#"{"error":{"message":"this text is poison"}}"#.to_vec());
    }
    if has("CRASH") {
        return (500, br#"{"error":{"message":"out of memory"}}"#.to_vec());
    }
    if lie == Some(Lie::Html) {
        return (200, b"<html><body>Welcome to the proxy</body></html>".to_vec());
    }
    let mut texts: Vec<&str> = asked.input.iter().map(String::as_str).collect();
    match lie {
        Some(Lie::Fewer) => drop(texts.pop()),
        Some(Lie::More) => texts.push("more"),
        _ => {}
    }
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    let mut json = String::with_capacity(texts.len() * (dimensions * 13 + 60));
    json.push_str(r#"{"object":"list","data":["#);
    for (n, text) in texts.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let index = if lie == Some(Lie::Index) { 0 } else { n };
        // Writing to a String cannot fail.
        let _ = write!(json, r#"{comma}{{"object":"embedding","index":{index},"embedding":"#);
        write_vector(&mut json, text, dimensions, if text.contains("BLANK") { Some(Lie::Null) } else { lie });
        json.push('}');
    }
    let _ = write!(json, r#"],"model":"test","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#);
    if lie == Some(Lie::Truncated) {
        json.truncate(json.len() / 2);
    }
    (200, json.into_bytes())
}

fn write_vector(json: &mut String, text: &str, dimensions: usize, lie: Option<Lie>) {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let (mut state, numbers) = (hasher.finish() | 1, &*NUMBERS);
    let dimensions = if lie == Some(Lie::Dimension) { dimensions + 1 } else { dimensions };
    for n in 0..dimensions {
        json.push(if n == 0 { '[' } else { ',' });
        // Xorshift (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        json.push_str(match lie {
            Some(Lie::Null) if n == 1 => "null",
            Some(Lie::Nan) if n == 1 => "NaN",
            Some(Lie::Huge) if n == 1 => "1e99",
            Some(Lie::Zero) => "0",
            _ => &numbers[(state >> 20) as usize % numbers.len()],
        });
    }
    json.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_vector_wherever_it_stands() {
        let vectors = |texts: &[&str]| -> Vec<serde_json::Value> {
            let body = serde_json::to_vec(&serde_json::json!({"input": texts, "model": "m"})).unwrap();
            let (status, answer) = answer(&body, 8, None);
            assert_eq!(status, 200);
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            answer["data"].as_array().unwrap().iter().map(|item| item["embedding"].clone()).collect()
        };
        let (one, two) = (vectors(&["a", "b"]), vectors(&["b", "c", "a"]));
        assert_eq!((&one[0], &one[1]), (&two[2], &two[0]));
        assert_ne!(one[0], one[1]);
        assert_eq!(one[0].as_array().unwrap().len(), 8);
    }

    #[test]
    fn poison_is_refused() {
        assert_eq!(answer(br#"{"input":["fine","POISON"]}"#, 2, None).0, 400);
        assert_eq!(answer(br#"{"input":["CRASH"]}"#, 2, None).0, 500);
        assert_eq!(answer(b"{}", 2, None).0, 400);
    }
}
