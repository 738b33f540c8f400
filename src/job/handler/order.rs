//! What the engine orders, as the text that goes through the channel.

use std::ffi::{CStr, CString};
use std::fmt::Write;

/// Events for one handler.
#[derive(Debug, PartialEq, Eq)]
pub struct Orders {
    /// The endpoint that it is.
    pub handler: i64,
    pub items: Vec<Item>,
}

/// One event: where it is, which the process reads it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: i64,
    pub xid: u64,
    /// Microseconds since 2000-01-01.
    pub created_at: i64,
    pub depth: i16,
    /// Attempts made before.
    pub attempts: i32,
    /// It has a row in the retry table.
    pub row: bool,
}

impl Orders {
    /// `handler;id xid created_at depth attempts row;...`
    pub fn write(&self) -> CString {
        let mut text = self.handler.to_string();
        for Item { id, xid, created_at, depth, attempts, row } in &self.items {
            // Writing to a string does not fail.
            let _ = write!(text, ";{id} {xid} {created_at} {depth} {attempts} {}", u8::from(*row));
        }
        CString::new(text).unwrap_or_default()
    }

    pub fn read(text: &CStr) -> Option<Orders> {
        let mut pieces = text.to_str().ok()?.split(';');
        let handler = pieces.next()?.parse().ok()?;
        let items = pieces.map(item).collect::<Option<_>>()?;
        Some(Orders { handler, items })
    }
}

fn item(text: &str) -> Option<Item> {
    let mut words = text.split(' ');
    Some(Item {
        id: words.next()?.parse().ok()?,
        xid: words.next()?.parse().ok()?,
        created_at: words.next()?.parse().ok()?,
        depth: words.next()?.parse().ok()?,
        attempts: words.next()?.parse().ok()?,
        row: words.next()? == "1",
    })
}
