//! Hashing of numbers that the engine gives out itself: quick, and the same in every process.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;
pub(crate) type Set<K> = HashSet<K, BuildHasherDefault<Mix>>;

/// Multiplies and folds. Nobody outside chooses the keys, so that nobody can make them collide.
#[derive(Default)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_spread() {
        let hash = |n: u64| {
            let mut mix = Mix::default();
            mix.write_u64(n);
            mix.finish()
        };
        // The low bits choose the place, the seven highest tell neighbours apart.
        let low: HashSet<u64> = (0..128).map(|n| hash(n) % 1024).collect();
        let high: HashSet<u64> = (0..128).map(|n| hash(n) >> 57).collect();
        assert!(low.len() > 100 && high.len() > 60, "{} {}", low.len(), high.len());
    }
}
