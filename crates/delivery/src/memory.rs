//! What is held of events and of what becomes of them, in bytes, so that no more is read than fits.

use std::cell::Cell;
use std::rc::Rc;

/// Events and bodies smaller than this are counted by their number: a queue holds so many at the most.
pub const SMALL: usize = 4096;

/// The count of the bytes that are held.
#[derive(Clone, Debug, Default)]
pub struct Memory(Rc<Cell<usize>>);

impl Memory {
    pub fn held(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn hold(&self, bytes: usize) -> Held {
        self.0.set(self.0.get() + bytes);
        Held { of: Some(self.clone()), bytes }
    }
}

/// Bytes that are held as long as this lives.
#[derive(Debug, Default)]
pub struct Held {
    of: Option<Memory>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(Memory(count)) = &self.of {
            count.set(count.get().saturating_sub(self.bytes));
        }
    }
}

/// A large event's share of what one endpoint may hold.
pub(crate) fn load(of: &Memory, bytes: usize) -> Held {
    if bytes < SMALL { Held::default() } else { of.hold(bytes) }
}

/// What may be held, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In all. As much again is for what a batch takes while it is read and written.
    pub memory: usize,
    /// Large events for one endpoint.
    pub share: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_held_no_more() {
        let memory = Memory::default();
        let first = memory.hold(10);
        let second = memory.hold(5);
        assert_eq!(memory.held(), 15);
        drop(first);
        assert_eq!(memory.held(), 5);
        drop(second);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn small_events_are_no_load() {
        let memory = Memory::default();
        let small = load(&memory, SMALL - 1);
        assert_eq!(memory.held(), 0);
        let large = load(&memory, SMALL);
        assert_eq!(memory.held(), SMALL);
        drop((small, large));
        assert_eq!(memory.held(), 0);
    }
}
