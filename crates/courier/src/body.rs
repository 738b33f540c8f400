//! Reading a response's body within limits.

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

pub(crate) struct ReadBody {
    /// the first bytes, no more than asked for
    pub(crate) kept: Vec<u8>,
    /// whether the body was longer than `kept`
    pub(crate) truncated: bool,
    /// whether it was read to its end, so that the connection can be used again
    pub(crate) complete: bool,
}

/// Keeps the first `keep` bytes and reads on to the end, for the sake of the connection, but no more than `most` bytes.
pub(crate) async fn read_body(body: &mut Incoming, keep: usize, most: usize) -> hyper::Result<ReadBody> {
    let keep = keep.min(most);
    // A body announced as too long costs the connection anyway: read no more of it than is kept.
    let most = if body.size_hint().lower() > most as u64 { keep } else { most };
    let mut kept = Vec::new();
    let mut read = 0;
    while !body.is_end_stream() {
        let frame = match body.frame().await {
            Some(frame) => frame?,
            None => break,
        };
        let Some(data) = frame.data_ref() else { continue };
        read += data.len();
        kept.extend_from_slice(&data[..data.len().min(keep - kept.len())]);
        if read > most {
            return Ok(ReadBody { kept, truncated: true, complete: false });
        }
    }
    Ok(ReadBody { truncated: read > kept.len(), kept, complete: true })
}
