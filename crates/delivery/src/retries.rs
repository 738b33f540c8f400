//! What is known of the retry table.

use crate::hash::Set;

/// (event, endpoint), as the tables have them.
pub(crate) type Pair = (i64, i64);

#[derive(Debug)]
pub(crate) struct Retries {
    /// In memory: queued or in flight.
    loaded: Set<Pair>,
    /// When the table is to be looked at, by the time of day; None: it has nothing.
    next: Option<i64>,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries { loaded: Set::default(), next: Some(i64::MIN) }
    }
}

impl Retries {
    pub(crate) fn is_due(&self, clock: i64) -> bool {
        self.next.is_some_and(|next| next <= clock)
    }

    pub(crate) fn next(&self) -> Option<i64> {
        self.next
    }

    /// Something may be due that was not.
    pub(crate) fn look(&mut self) {
        self.next = Some(i64::MIN);
    }

    /// It was looked at: nothing more is due before that.
    pub(crate) fn looked(&mut self, next: Option<i64>) {
        self.next = next;
    }

    /// A row is written that is due then.
    pub(crate) fn written(&mut self, due_at: i64) {
        if due_at != i64::MAX {
            self.next = Some(self.next.map_or(due_at, |next| next.min(due_at)));
        }
    }

    pub(crate) fn is_loaded(&self, pair: Pair) -> bool {
        self.loaded.contains(&pair)
    }

    pub(crate) fn loaded(&self) -> usize {
        self.loaded.len()
    }

    pub(crate) fn load(&mut self, pair: Pair) {
        self.loaded.insert(pair);
    }

    /// It is in memory no more.
    pub(crate) fn unload(&mut self, pair: Pair) {
        self.loaded.remove(&pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_looked_at_when_the_first_row_is_due() {
        let mut retries = Retries::default();
        assert!(retries.is_due(i64::MIN), "at the start");
        retries.looked(None);
        assert!(!retries.is_due(i64::MAX));
        retries.written(i64::MAX);
        assert_eq!(retries.next(), None, "it waits for another, not for a moment");
        retries.written(20);
        retries.written(30);
        assert!(!retries.is_due(19) && retries.is_due(20));
        retries.look();
        assert!(retries.is_due(0));
    }
}
