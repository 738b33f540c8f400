//! What comes back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

/// The numbers of a text.
pub type Vector = Vec<f32>;

/// A vector for each text, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub vectors: Vec<Vector>,
    /// what the service says it counted; 0 when it does not say
    pub tokens: u64,
}

/// Why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// not the JSON object of an answer; holds why
    #[error("the answer is not that of an /embeddings: {0}")]
    Malformed(String),
    #[error("the answer has {got} vectors for {wanted} texts")]
    Count { got: usize, wanted: usize },
    /// twice the same index, or one that was not asked for
    #[error("the answer has index {0} twice, or it was not asked for")]
    Index(usize),
    #[error("the answer has vectors of {got} dimensions, not of {wanted}")]
    Dimensions { got: usize, wanted: usize },
    /// null, NaN, infinite, or no number at all; holds what it is
    #[error("the answer has a vector with {0} in it")]
    NotANumber(String),
    /// a vector without direction
    #[error("the answer has a vector of zeros")]
    Zero,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
    prompt_tokens: Option<u64>,
}

/// Reads the answer to a request of `texts` texts, each vector of `dimensions` numbers.
///
/// # Errors
/// Anything but exactly one good vector for each text.
pub fn parse(body: &[u8], texts: usize, dimensions: usize) -> Result<Answer, Fault> {
    let body: Body = serde_json::from_slice(body).map_err(|error| Fault::Malformed(error.to_string()))?;
    if body.data.len() != texts {
        return Err(Fault::Count { got: body.data.len(), wanted: texts });
    }
    let mut vectors: Vec<Vector> = vec![Vector::new(); texts];
    for (position, item) in body.data.iter().enumerate() {
        let index = item.index.unwrap_or(position);
        let place = vectors.get_mut(index).filter(|place| place.is_empty()).ok_or(Fault::Index(index))?;
        *place = vector(item.embedding.get(), dimensions)?;
    }
    let tokens = body.usage.and_then(|usage| usage.total_tokens.or(usage.prompt_tokens)).unwrap_or(0);
    Ok(Answer { vectors, tokens })
}

/// A JSON array of numbers, or base64 of little-endian floats.
fn vector(json: &str, dimensions: usize) -> Result<Vector, Fault> {
    let numbers = match json.as_bytes().first() {
        Some(b'[') => listed(json.trim_start_matches('[').trim_end_matches(']'), dimensions)?,
        Some(b'"') => packed(json.trim_matches('"'))?,
        _ => return Err(Fault::NotANumber(shorten(json))),
    };
    if numbers.len() != dimensions {
        return Err(Fault::Dimensions { got: numbers.len(), wanted: dimensions });
    }
    if let Some(strange) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(Fault::NotANumber(strange.to_string()));
    }
    if numbers.iter().all(|number| *number == 0.0) {
        return Err(Fault::Zero);
    }
    Ok(numbers)
}

/// Directly to 32 bits: by way of 64 they would be rounded twice.
fn listed(inside: &str, dimensions: usize) -> Result<Vector, Fault> {
    let mut numbers = Vector::with_capacity(dimensions);
    if inside.trim().is_empty() {
        return Ok(numbers);
    }
    for text in inside.split(',') {
        let text = text.trim_ascii();
        numbers.push(text.parse().map_err(|_| Fault::NotANumber(shorten(text)))?);
    }
    Ok(numbers)
}

fn packed(text: &str) -> Result<Vector, Fault> {
    // JSON may escape the slash.
    let bytes = STANDARD.decode(text.replace("\\/", "/")).map_err(|_| Fault::NotANumber(shorten(text)))?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Fault::NotANumber(format!("base64 of {} bytes", bytes.len())));
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}
