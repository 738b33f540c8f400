//! Bodies that come compressed although nobody asked for it.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use crate::body::ReadBody;

/// The body as its author wrote it, if it came compressed by gzip or deflate. Of what a small body can swell to, no more
/// than `most` bytes are made; of one that was cut off or is broken, what can be read.
pub(crate) fn decode(headers: &mut HeaderMap, body: &mut ReadBody, most: usize) {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let (Some(coding), None) = (codings.next(), codings.next()) else { return };
    let coding = coding.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    let coded = body.kept.as_slice();
    let plain = match coding.as_str() {
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(coded), most),
        // RFC 9110, 8.4.1.2: it should be wrapped by zlib, and is not from everybody.
        "deflate" if is_zlib(coded) => read(ZlibDecoder::new(coded), most),
        "deflate" => read(DeflateDecoder::new(coded), most),
        _ => return,
    };
    // Nothing of it could be read: the label is wrong.
    if plain.bytes.is_empty() && !coded.is_empty() && !plain.complete {
        return;
    }
    body.truncated |= !plain.complete;
    body.kept = plain.bytes;
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
}

struct Plain {
    bytes: Vec<u8>,
    complete: bool,
}

fn read(mut decoder: impl Read, most: usize) -> Plain {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return Plain { bytes, complete: true },
            Ok(count) => {
                let room = most - bytes.len();
                bytes.extend_from_slice(&chunk[..count.min(room)]);
                if count > room {
                    return Plain { bytes, complete: false };
                }
            }
            Err(_) => return Plain { bytes, complete: false },
        }
    }
}

/// RFC 1950, 2.2: the method is 8, and the first two bytes are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 15 == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}
