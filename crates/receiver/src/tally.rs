//! Counting.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::Seen;
use crate::stats::{Arrival, PathStats, Stats};

/// Whole requests kept for `last`.
const LAST: usize = 100;
/// Arrivals kept per path.
const ARRIVALS: usize = 1_000_000;
/// Longest `data` kept with an arrival, in bytes.
const SMALL: usize = 512;

#[derive(Default)]
pub(crate) struct Tally {
    keep_ids: bool,
    paths: HashMap<String, Path>,
    last: VecDeque<Arc<Seen>>,
    first_at: Option<(SystemTime, Instant)>,
    last_at: Option<(SystemTime, Instant)>,
    /// failures so far, for `/fail-first`
    failures: HashMap<(String, u128), u32>,
    toggles: HashMap<String, u16>,
}

#[derive(Default)]
struct Path {
    stats: PathStats,
    /// webhook-id, hashed, and whether it was accepted
    ids: HashMap<u128, bool, BuildHasherDefault<AlreadyHashed>>,
    arrivals: VecDeque<Kept>,
}

struct Kept {
    id: Box<str>,
    status: u16,
    data: Option<Box<RawValue>>,
}

impl Tally {
    pub(crate) fn new(keep_ids: bool) -> Tally {
        Tally { keep_ids, ..Tally::default() }
    }

    /// Counts one request and its answer; `status` is `None` when there is none (reset, hang...).
    pub(crate) fn count(&mut self, seen: Arc<Seen>, status: Option<u16>) {
        let now = (seen.at, Instant::now());
        self.first_at.get_or_insert(now);
        self.last_at = Some(now);
        if !self.paths.contains_key(seen.uri.path()) {
            self.paths.insert(seen.uri.path().to_owned(), Path::default());
        }
        if let Some(path) = self.paths.get_mut(seen.uri.path()) {
            path.count(&seen, status, self.keep_ids);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(seen);
    }

    /// Whether the request is one of the first `count` of its tag (and webhook-id, when `id` is given).
    pub(crate) fn fails(&mut self, tag: String, id: Option<&str>, count: u32) -> bool {
        let failures = self.failures.entry((tag, id.map_or(0, hash))).or_default();
        *failures += 1;
        *failures <= count
    }

    pub(crate) fn toggle(&self, name: &str) -> u16 {
        self.toggles.get(name).copied().unwrap_or(200)
    }

    pub(crate) fn set_toggle(&mut self, name: &str, status: u16) {
        self.toggles.insert(name.to_owned(), status);
    }

    /// Forgets all that was counted; toggles stay.
    pub(crate) fn reset(&mut self) {
        let toggles = std::mem::take(&mut self.toggles);
        *self = Tally { toggles, ..Tally::new(self.keep_ids) };
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for (name, path) in &self.paths {
            stats.total.add(&path.stats);
            stats.paths.insert(name.clone(), path.stats);
        }
        if let (Some(first), Some(last)) = (self.first_at, self.last_at) {
            stats.first_unix_us = unix_us(first.0);
            stats.last_unix_us = unix_us(last.0);
            stats.seconds = (last.1 - first.1).as_secs_f64();
        }
        stats
    }

    /// Arrivals on `path`, or on all paths one after the other.
    pub(crate) fn arrivals(&self, path: Option<&str>) -> Vec<Arrival> {
        let wanted = self.paths.iter().filter(|(name, _)| path.is_none_or(|path| path == name.as_str()));
        wanted.flat_map(|(name, path)| path.arrivals.iter().map(|kept| kept.arrival(name))).collect()
    }

    /// The last `n` requests, oldest first; at most 100.
    pub(crate) fn last(&self, n: usize) -> Vec<Arc<Seen>> {
        self.last.iter().skip(self.last.len().saturating_sub(n)).cloned().collect()
    }
}

impl Path {
    fn count(&mut self, seen: &Seen, status: Option<u16>, keep_ids: bool) {
        let accepted = status.is_some_and(|status| (200..300).contains(&status));
        let stats = &mut self.stats;
        stats.requests += 1;
        stats.accepted += u64::from(accepted);
        stats.body_bytes += seen.body.len() as u64;
        stats.verified += u64::from(seen.verified == Some(true));
        stats.unverified += u64::from(seen.verified == Some(false));
        let Some(id) = seen.id() else { return };
        let mut new = false;
        let before = self.ids.entry(hash(id)).or_insert_with(|| {
            new = true;
            false
        });
        stats.ids += u64::from(new);
        stats.repeats += u64::from(!new);
        stats.needless += u64::from(*before);
        stats.accepted_ids += u64::from(accepted && !*before);
        *before |= accepted;
        if keep_ids {
            if self.arrivals.len() == ARRIVALS {
                self.arrivals.pop_front();
            }
            self.arrivals.push_back(Kept { id: id.into(), status: status.unwrap_or(0), data: data(&seen.body) });
        }
    }
}

impl Kept {
    fn arrival(&self, path: &str) -> Arrival {
        Arrival {
            id: self.id.to_string(),
            path: path.to_owned(),
            status: self.status,
            data: self.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok()),
        }
    }
}

fn data(body: &[u8]) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Body {
        data: Box<RawValue>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    (body.data.get().len() <= SMALL).then_some(body.data)
}

pub(crate) fn unix_us(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// 128 bits, so that among millions of ids no two are taken for one.
fn hash(id: &str) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(seed);
        hasher.write(id.as_bytes());
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
