//! Room 65: rows whose text has no vector yet get one from an embedder. `worker` is the job's loop, `client` and `wire`
//! speak to the embedder, `verbs` are the SQL calls, `query` embeds one text while the caller waits.

mod client;
pub mod query;
mod verbs;
mod wire;
pub mod worker;

/// Little-endian floats, as they travel to SQL and lie in the cache.
pub fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
