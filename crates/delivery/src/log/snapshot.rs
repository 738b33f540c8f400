//! A snapshot of the database, as pg_current_snapshot() gives it.

use std::rc::Rc;

/// pg_snapshot.
#[derive(PartialEq, Eq, Debug, Clone)]
pub struct Snapshot {
    text: String,
    xmin: u64,
    xmax: u64,
    in_progress: Vec<u64>,
}

impl Snapshot {
    /// `xmin:xmax:xip,xip...`
    pub fn parse(text: &str) -> Option<Snapshot> {
        let mut parts = text.splitn(3, ':');
        let xmin = parts.next()?.parse().ok()?;
        let xmax = parts.next()?.parse().ok()?;
        let list = parts.next()?;
        let in_progress = if list.is_empty() {
            Vec::new()
        } else {
            list.split(',').map(|xid| xid.parse().ok()).collect::<Option<_>>()?
        };
        Some(Snapshot { text: text.to_owned(), xmin, xmax, in_progress })
    }

    /// Before everything.
    pub fn nowhere() -> Snapshot {
        Snapshot { text: "1:1:".into(), xmin: 1, xmax: 1, in_progress: Vec::new() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn xmin(&self) -> u64 {
        self.xmin
    }

    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// Was `self` taken after `other`, or is it the same?
    pub fn covers(&self, other: &Snapshot) -> bool {
        // While no later transaction has ended, those that are under way become fewer.
        let fewer = self.in_progress.len() <= other.in_progress.len();
        self.xmax >= other.xmax && self.xmin >= other.xmin && (self.xmax > other.xmax || fewer)
    }

    /// The one that was taken later.
    pub fn later(a: Option<Rc<Snapshot>>, b: Option<Rc<Snapshot>>) -> Option<Rc<Snapshot>> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if a.covers(&b) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    pub fn has_in_progress(&self) -> bool {
        !self.in_progress.is_empty()
    }

    /// Those that were under way below its xmax.
    pub fn in_progress(&self) -> &[u64] {
        &self.in_progress
    }

    /// pg_visible_in_snapshot, for a transaction that committed.
    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || xid < self.xmax && self.in_progress.binary_search(&xid).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_what_committed_before_it_was_taken() {
        let snapshot = Snapshot::parse("10:20:10,14").unwrap();
        let seen: Vec<u64> = (8..22).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
        assert_eq!(snapshot.text(), "10:20:10,14");
        assert!(!Snapshot::nowhere().sees(1));
        assert_eq!(Snapshot::parse(Snapshot::nowhere().text()).unwrap(), Snapshot::nowhere());
    }

    #[test]
    fn what_is_no_snapshot_is_none() {
        for text in ["", "1", "1:2", "a:2:", "1:2:x", "1:2:3,"] {
            assert_eq!(Snapshot::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_later_of_two_is_the_one_that_covers_the_other() {
        let parse = |text| Snapshot::parse(text).map(Rc::new);
        assert_eq!(Snapshot::later(parse("1:5:"), parse("3:9:4")), parse("3:9:4"));
        assert_eq!(Snapshot::later(parse("3:9:4"), parse("1:5:")), parse("3:9:4"));
        assert_eq!(Snapshot::later(parse("3:9:3"), parse("3:9:3,5")), parse("3:9:3"));
        assert_eq!(Snapshot::later(parse("3:9:3,5"), parse("3:9:3")), parse("3:9:3"));
        assert_eq!(Snapshot::later(None, parse("1:5:")), parse("1:5:"));
    }
}
