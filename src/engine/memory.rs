//! What the engine holds of events and of what becomes of them, in bytes, so that it reads no more than fits.

use std::cell::Cell;
use std::rc::Rc;

use crate::guc;

/// Events and bodies smaller than this are counted by their number: a queue holds so many at the most.
pub const SMALL: usize = 4096;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that are held as long as this lives.
#[derive(Default)]
pub struct Held(usize);

impl Held {
    pub fn new(bytes: usize) -> Held {
        HELD.set(HELD.get() + bytes);
        Held(bytes)
    }

    pub fn bytes(&self) -> usize {
        self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(self.0));
    }
}

/// A large event that waits for an endpoint or is on its way to it.
#[derive(Default)]
pub struct Load(Option<(Rc<Cell<usize>>, usize)>);

impl Load {
    pub fn new(endpoint: &Rc<Cell<usize>>, bytes: usize) -> Load {
        if bytes < SMALL {
            return Load(None);
        }
        endpoint.set(endpoint.get() + bytes);
        Load(Some((endpoint.clone(), bytes)))
    }
}

impl Clone for Load {
    fn clone(&self) -> Load {
        match &self.0 {
            Some((endpoint, bytes)) => Load::new(endpoint, *bytes),
            None => Load(None),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some((endpoint, bytes)) = &self.0 {
            endpoint.set(endpoint.get().saturating_sub(*bytes));
        }
    }
}

pub fn held() -> usize {
    HELD.get()
}

/// What the engine may hold: half of its memory. The other half is for what a batch takes while it is read and written.
pub fn budget() -> usize {
    guc::engine_memory_bytes() / 2
}

/// Nothing more is read before something has left.
pub fn is_short() -> bool {
    held() >= budget()
}

/// What one endpoint may hold.
pub fn share() -> usize {
    guc::endpoint_memory_bytes()
}
