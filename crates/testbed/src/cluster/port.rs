//! A free port on loopback.

use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// Below the range from which systems take the local port of outgoing connections: a port of that range could be gone
/// when the server comes back after a crash.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

pub fn free() -> Result<u16> {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    let mut number = u64::from(nanoseconds) ^ (u64::from(std::process::id()) << 20);
    for _ in 0..200 {
        number = number.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let port = RANGE.start + ((number >> 33) % u64::from(RANGE.end - RANGE.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between {} and {}", RANGE.start, RANGE.end)
}
