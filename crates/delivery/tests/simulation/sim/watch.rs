//! What is promised, looked at from outside while it happens.

use std::collections::{HashMap, HashSet};

use delivery::{Cursor, Op, Save};

use super::database::{Database, Pair, Row};

/// A broken promise.
pub type Broken = String;

#[derive(Default)]
pub struct Watch {
    /// How often each was taken by its receiver.
    taken: HashMap<Pair, usize>,
    /// How often a crash may have repeated it.
    excused: HashMap<Pair, usize>,
    /// Sent, and not written yet.
    pub outstanding: HashSet<Pair>,
    /// Of ordered endpoints, the last event taken of each key.
    last: HashMap<(i64, String), i64>,
    /// Committed, for an endpoint that is there, and not known to the tables.
    unaccounted: HashSet<Pair>,
    /// Those that cannot be written: they may be buried.
    pub unwritable: HashSet<i64>,
}

impl Watch {
    pub fn committed(&mut self, database: &Database, xid: u64) {
        for row in database.rows.iter().filter(|row| row.xid == xid) {
            let endpoints = database.endpoints.keys().copied().chain([0]);
            self.unaccounted.extend(endpoints.filter(|id| database.concerns(row, *id)).map(|id| (row.id, id)));
        }
    }

    /// The process ends here: what it had in its hands may come again, once more.
    pub fn crashed(&mut self) {
        for pair in self.outstanding.drain() {
            *self.excused.entry(pair).or_default() += 1;
        }
    }

    /// Its receiver has it.
    pub fn takes(&mut self, database: &Database, pair: Pair) -> Result<(), Broken> {
        let taken = self.taken.entry(pair).or_default();
        *taken += 1;
        let excused = self.excused.get(&pair).copied().unwrap_or(0);
        let allowed = if database.is_handler(pair.1) { 1 } else { 1 + excused };
        if *taken > allowed {
            return Err(format!("{pair:?} was taken {taken} times, a crash excuses {allowed}"));
        }
        let Some(endpoint) = database.endpoints.get(&pair.1).filter(|endpoint| endpoint.ordered && endpoint.steady)
        else {
            return Ok(());
        };
        let row = database.row(pair.0);
        let last = self.last.entry((pair.1, row.key.clone())).or_default();
        if *last > pair.0 {
            return Err(format!("{pair:?} was taken after event {last} of its key"));
        }
        *last = pair.0;
        let before = |earlier: &&Row| {
            earlier.id < row.id
                && earlier.key == row.key
                && database.is_committed(earlier.xid)
                && !endpoint.created.sees(earlier.xid)
                && database.concerns(earlier, pair.1)
        };
        let skipped = database.rows.iter().filter(before).find(|earlier| {
            let pair = (earlier.id, pair.1);
            !self.taken.contains_key(&pair) && !database.dead.contains(&pair)
        });
        match skipped {
            Some(earlier) => Err(format!("{pair:?} was taken before event {} of its key", earlier.id)),
            None => Ok(()),
        }
    }

    /// No saved place is past what is not settled: a crash right now would lose nothing.
    pub fn saved(&mut self, database: &Database, save: &Save) -> Result<(), Broken> {
        self.account(database);
        for pair in &self.unaccounted {
            let row = database.row(pair.0);
            let Some(cursor) = database.cursors.get(&pair.1).or_else(|| database.cursors.get(&0)) else { continue };
            let apart = pair.1 != 0 && database.cursors.contains_key(&pair.1);
            let ordered = apart && database.endpoints.get(&pair.1).is_some_and(|endpoint| endpoint.ordered);
            if is_past(cursor, row, ordered) {
                return Err(format!("{pair:?} is before the saved {cursor:?} and nowhere settled; saved {save:?}"));
            }
        }
        Ok(())
    }

    fn account(&mut self, database: &Database) {
        self.unaccounted.retain(|pair| {
            let there = pair.1 == 0 || database.endpoints.contains_key(&pair.1);
            let known =
                database.attempted.contains(pair) || database.retry.contains_key(pair) || database.dead.contains(pair);
            there && !known
        });
    }

    /// What of that which was committed has not ended.
    pub fn unfinished(&self, database: &Database) -> Option<Pair> {
        let pairs = database.rows.iter().filter(|row| database.is_committed(row.xid)).flat_map(|row| {
            let ids = database.endpoints.keys().copied().chain([0]);
            ids.filter(|id| database.concerns(row, *id)).map(|id| (row.id, id))
        });
        let mut open = pairs.filter(|pair| {
            let dead = database.dead.contains(pair);
            let written = dead || database.succeeded.contains(pair);
            let taken = dead || self.taken.contains_key(pair);
            let direct = pair.1 == 0 && database.row(pair.0).op == Op::Request && database.attempted.contains(pair);
            !(written && taken || direct) || database.retry.contains_key(pair)
        });
        open.next()
    }
}

/// Is this event behind a reader that goes on from the cursor?
fn is_past(cursor: &Cursor, row: &Row, ordered: bool) -> bool {
    let pending = cursor.last.in_progress().contains(&row.xid) || row.xid >= cursor.last.xmax();
    if !pending {
        return true;
    }
    let Some(current) = &cursor.current else { return false };
    if !current.sees(row.xid) {
        return false;
    }
    match ordered {
        // A place among transactions is none in the order of ids: the window is read from its beginning.
        true => cursor.xid == 0 && row.id <= cursor.id,
        false => (row.xid, row.id) <= (cursor.xid, cursor.id),
    }
}
