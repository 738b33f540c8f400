//! What one rendering may make: bytes of all values on the way, taken together. It bounds memory, and with it time.

use std::cell::Cell;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Bytes of values that the steps of a rendering may take in.
pub const BUDGET: u64 = 16 << 20;
/// What a value counts besides its text.
const NODE: u64 = 16;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(BUDGET) };
    static SPENT: Cell<bool> = const { Cell::new(false) };
}

/// A rendering begins.
pub fn renew() {
    LEFT.set(BUDGET);
    SPENT.set(false);
}

/// Whether a rendering ended because there was nothing left.
pub fn is_spent() -> bool {
    SPENT.get()
}

pub fn spend(bytes: u64) -> Result<(), Error> {
    match LEFT.get().checked_sub(bytes) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => {
            SPENT.set(true);
            Err(Error::new(ErrorKind::InvalidOperation, "the values on the way are too large"))
        }
    }
}

/// Counts a value with everything in it, and returns what that took. What is shared counts each time that it would be written.
pub fn weigh(value: &Value) -> Result<u64, Error> {
    let before = LEFT.get();
    count(value)?;
    Ok(before - LEFT.get())
}

fn count(value: &Value) -> Result<(), Error> {
    let mut open = vec![value.clone()];
    while let Some(value) = open.pop() {
        match value.as_str() {
            Some(text) => spend(NODE + text.len() as u64)?,
            None => spend(NODE)?,
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                for item in value.try_iter()? {
                    leaf_or_later(item, &mut open)?;
                }
            }
            ValueKind::Map => {
                for key in value.try_iter()? {
                    leaf_or_later(value.get_item(&key)?, &mut open)?;
                    leaf_or_later(key, &mut open)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Scalars are counted at once, so that a long list is not kept twice.
fn leaf_or_later(value: Value, open: &mut Vec<Value>) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            spend(NODE)?;
            open.push(value);
            Ok(())
        }
        _ => spend(NODE + value.as_str().map_or(0, |text| text.len() as u64)),
    }
}
