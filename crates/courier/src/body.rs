//! Reading a response's body within limits.

use bytes::Bytes;
use h2::RecvStream;
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
    let mut kept = Kept { bytes: Vec::new(), keep, read: 0 };
    while !body.is_end_stream() {
        let frame = match body.frame().await {
            Some(frame) => frame?,
            None => break,
        };
        let Some(data) = frame.data_ref() else { continue };
        if kept.add(data) > most {
            return Ok(kept.end(false));
        }
    }
    Ok(kept.end(true))
}

/// The same of a stream of HTTP/2. What is not read is refused by resetting the stream, which costs no connection.
pub(crate) async fn read_stream(mut body: RecvStream, keep: usize, most: usize) -> Result<ReadBody, h2::Error> {
    let mut kept = Kept { bytes: Vec::new(), keep: keep.min(most), read: 0 };
    while let Some(data) = body.data().await {
        let data = data?;
        // fails only for more than was received
        let _ = body.flow_control().release_capacity(data.len());
        if kept.add(&data) > most {
            return Ok(kept.end(false));
        }
    }
    Ok(kept.end(true))
}

struct Kept {
    bytes: Vec<u8>,
    keep: usize,
    read: usize,
}

impl Kept {
    /// Returns how much was read so far.
    fn add(&mut self, data: &Bytes) -> usize {
        self.read += data.len();
        self.bytes.extend_from_slice(&data[..data.len().min(self.keep - self.bytes.len())]);
        self.read
    }

    fn end(self, complete: bool) -> ReadBody {
        ReadBody { truncated: !complete || self.read > self.bytes.len(), kept: self.bytes, complete }
    }
}
