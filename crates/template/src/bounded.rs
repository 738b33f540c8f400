use std::io::{self, Write};

/// Collects what is written up to `max` bytes, then refuses.
pub struct Bounded {
    bytes: Vec<u8>,
    max: usize,
    exceeded: bool,
}

impl Bounded {
    pub fn new(max: usize) -> Bounded {
        Bounded { bytes: Vec::new(), max, exceeded: false }
    }

    pub fn exceeded(&self) -> bool {
        self.exceeded
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.max - self.bytes.len() {
            self.exceeded = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
