//! What has come from the receiver so far: its bytes are counted, the first ones of an answer kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Room for some informational answers before the one that counts.
const KEPT: usize = 1024;

/// Shared by a connection's stream, which tells, and its exchange, which asks.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<State>);

#[derive(Default)]
struct State {
    count: AtomicU64,
    first: Mutex<Vec<u8>>,
}

impl Heard {
    /// An answer is expected: what comes from now on belongs to it.
    pub(crate) fn begin(&self) {
        self.first().clear();
    }

    pub(crate) fn tell(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.0.count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let mut first = self.first();
        let room = KEPT - first.len();
        first.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// The status that the answer begins with, whatever its headers are like. hyper says nothing of it when one of them
    /// cannot be read.
    pub(crate) fn status(&self) -> Option<u16> {
        status(&self.first())
    }

    fn first(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status(mut head: &[u8]) -> Option<u16> {
    loop {
        let status = status_line(head.trim_ascii_start())?;
        if status >= 200 {
            return Some(status);
        }
        // An informational answer (RFC 9110, 15.2) comes before the real one.
        let end = [&b"\r\n\r\n"[..], b"\n\n"].iter().filter_map(|blank| find(head, blank)).min()?;
        head = &head[end..];
    }
}

/// `HTTP/1.1 200 OK`; with and without reason, with more spaces than one.
fn status_line(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/")?;
    let version = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let after = &rest[version..];
    let status = after.trim_ascii_start();
    let ends = status.get(3).is_some_and(u8::is_ascii_whitespace);
    if version == 0 || status.len() == after.len() || !ends {
        return None;
    }
    std::str::from_utf8(&status[..3]).ok()?.parse().ok().filter(|status| *status >= 100)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part).map(|at| at + part.len())
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_found_before_whatever_follows() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.1 204\r\nx", Some(204)),
            ("HTTP/1.0  202  Fine\n", Some(202)),
            ("\r\nHTTP/1.1 503 \r\n\r\n", Some(503)),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nb\u{0}d: x", Some(201)),
            ("HTTP/1.1 103 Early\nlink: x\n\nHTTP/1.1 200 OK\n", Some(200)),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 2000 OK\r\n", None),
            ("HTTP/1.1200 OK\r\n", None),
            ("HTTP/1.1 abc\r\n", None),
            ("SSH-2.0-OpenSSH\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }
}
