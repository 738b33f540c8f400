//! A database in memory: transactions, snapshots, and the tables that the engine reads and writes, as sql/functions/25_engine.sql
//! does it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use delivery::{Ask, Cursor, Due, DueRow, Event, Op, Outcomes, Page, Place, Read, Save, Snapshot, What};

/// (event, endpoint); endpoint 0: a direct request.
pub type Pair = (i64, i64);

/// Bytes of events that this shell reads at once.
pub const BYTES: usize = 64 << 10;

#[derive(Clone, Debug)]
pub struct Row {
    pub id: i64,
    pub xid: u64,
    pub created_at: i64,
    pub op: Op,
    pub kind: &'static str,
    pub key: String,
    pub size: usize,
}

#[derive(Clone)]
pub struct Endpoint {
    pub active: bool,
    /// Its receiver is a function: what it did and that it did it are one transaction.
    pub handler: bool,
    pub ordered: bool,
    /// Has it been ordered, or not, from its beginning?
    pub steady: bool,
    pub pattern: &'static str,
    pub created: Snapshot,
    pub max_in_flight: usize,
    pub rate: Option<f64>,
    /// Milliseconds.
    pub delays: Vec<u64>,
}

pub struct Retry {
    pub attempts: i32,
    pub due_at: i64,
    pub key: Option<String>,
}

#[derive(Default)]
pub struct Transaction {
    pub prepared: bool,
    pub keys: Vec<String>,
}

pub struct Database {
    pub rows: Vec<Row>,
    /// Transactions that are under way.
    pub open: BTreeMap<u64, Transaction>,
    aborted: HashSet<u64>,
    next_xid: u64,
    latest_completed: u64,
    pub endpoints: BTreeMap<i64, Endpoint>,
    last_endpoint: i64,
    pub version: i64,
    pub attempted: HashSet<Pair>,
    pub succeeded: HashSet<Pair>,
    pub retry: BTreeMap<Pair, Retry>,
    pub dead: BTreeSet<Pair>,
    pub cursors: HashMap<i64, Cursor>,
}

impl Database {
    /// As it is installed.
    pub fn new() -> Database {
        let mut database = Database {
            rows: Vec::new(),
            open: BTreeMap::new(),
            aborted: HashSet::new(),
            next_xid: 700,
            latest_completed: 699,
            endpoints: BTreeMap::new(),
            last_endpoint: 0,
            version: 1,
            attempted: HashSet::new(),
            succeeded: HashSet::new(),
            retry: BTreeMap::new(),
            dead: BTreeSet::new(),
            cursors: HashMap::new(),
        };
        let place = Cursor::new(Rc::new(database.snapshot()), i64::MIN);
        database.cursors.insert(0, place);
        database
    }

    pub fn begin(&mut self) -> u64 {
        self.next_xid += 1;
        self.open.insert(self.next_xid - 1, Transaction::default());
        self.next_xid - 1
    }

    pub fn end(&mut self, xid: u64, commits: bool) {
        self.open.remove(&xid);
        if !commits {
            self.aborted.insert(xid);
        }
        self.latest_completed = self.latest_completed.max(xid);
    }

    /// An event of this transaction.
    pub fn insert(&mut self, row: Row) -> i64 {
        let id = self.rows.len() as i64 + 1;
        self.rows.push(Row { id, ..row });
        id
    }

    pub fn snapshot(&self) -> Snapshot {
        let xmax = self.latest_completed + 1;
        let open: Vec<String> = self.open.keys().filter(|xid| **xid < xmax).map(u64::to_string).collect();
        let xmin = self.open.keys().next().map_or(xmax, |first| *first.min(&xmax));
        Snapshot::parse(&format!("{xmin}:{xmax}:{}", open.join(","))).unwrap()
    }

    pub fn is_committed(&self, xid: u64) -> bool {
        !self.open.contains_key(&xid) && !self.aborted.contains(&xid)
    }

    pub fn row(&self, event: i64) -> &Row {
        &self.rows[event as usize - 1]
    }

    pub fn add_endpoint(&mut self, endpoint: Endpoint) {
        self.last_endpoint += 1;
        self.endpoints.insert(self.last_endpoint, endpoint);
        self.version += 1;
    }

    pub fn remove_endpoint(&mut self, id: i64) {
        self.endpoints.remove(&id);
        self.forget();
        self.cursors.remove(&id);
        self.version += 1;
    }

    /// False: they were all active.
    pub fn resume_all(&mut self) -> bool {
        let paused = self.endpoints.values_mut().filter(|endpoint| !endpoint.active);
        let resumed = paused.map(|endpoint| endpoint.active = true).count();
        self.version += i64::from(resumed > 0);
        resumed > 0
    }

    pub fn forget(&mut self) {
        let endpoints = &self.endpoints;
        let there = |(_, endpoint): &Pair| *endpoint == 0 || endpoints.contains_key(endpoint);
        self.retry.retain(|pair, _| there(pair));
        self.dead.retain(there);
    }

    /// Is this event, once committed, for this endpoint?
    pub fn concerns(&self, row: &Row, id: i64) -> bool {
        if id == 0 || row.op == Op::Request {
            return id == 0 && row.op == Op::Request;
        }
        self.endpoints.get(&id).is_some_and(|endpoint| {
            let takes = endpoint.pattern == "*" || endpoint.pattern.trim_end_matches('*') == &row.kind[..2];
            takes && !endpoint.created.sees(row.xid)
        })
    }

    fn event(&self, row: &Row) -> Event {
        Event {
            id: row.id,
            xid: row.xid,
            created_at: row.created_at,
            op: row.op,
            kind: row.kind.into(),
            key: Some(row.key.clone()),
            record: Some(match row.op {
                Op::Request => format!(r#"{{"url": "http://{}/"}}"#, row.key),
                _ => format!("\"{}\"", "x".repeat(row.size)),
            }),
            ..Event::default()
        }
    }

    pub fn is_in(&self, from: &Cursor, row: &Row) -> bool {
        let Some(current) = &from.current else { return false };
        let pending = from.last.in_progress().contains(&row.xid);
        (pending || row.xid >= from.last.xmax())
            && self.is_committed(row.xid)
            && current.sees(row.xid)
            && row.created_at >= from.since
    }

    /// The rows of a window in order of transactions, behind the cursor's place: `engine_read()`.
    fn next(&self, from: &Cursor) -> Vec<&Row> {
        let window: Vec<&Row> = self.rows.iter().filter(|row| self.is_in(from, row)).collect();
        let xmax = from.last.xmax();
        let mut rows = Vec::new();
        let mut after = (from.xid, from.id);
        if from.xid < xmax {
            let pending = |row: &&&Row| row.xid < xmax && (row.xid, row.id) > after;
            rows.extend(window.iter().filter(pending).copied());
            rows.sort_by_key(|row| (row.xid, row.id));
            after = (xmax, 0);
        }
        let mut later: Vec<&Row> =
            window.into_iter().filter(|row| row.xid >= xmax && (row.xid, row.id) > after).collect();
        later.sort_by_key(|row| (row.xid, row.id));
        rows.extend(later);
        rows
    }

    pub fn list(&self, from: &Cursor) -> Vec<Place> {
        let rows = self.rows.iter().filter(|row| row.id > from.id && self.is_in(from, row));
        rows.take(Read::LIST).map(|row| (row.id, row.xid, row.created_at)).collect()
    }

    pub fn read(&self, read: &Read) -> Page {
        let (rows, few): (Vec<&Row>, bool) = match &read.what {
            What::These(places) => (places.iter().map(|(id, ..)| self.row(*id)).collect(), true),
            What::Next | What::List => {
                let mut rows = self.next(&read.from);
                let few = rows.len() < Read::EVENTS;
                rows.truncate(Read::EVENTS);
                (rows, few)
            }
        };
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut complete = few;
        for row in rows {
            if bytes >= BYTES {
                complete = false;
                break;
            }
            let event = self.event(row);
            bytes += event.bytes();
            events.push(event);
        }
        let ids: HashSet<i64> = events.iter().map(|event| event.id).collect();
        let attempted = match read.recheck {
            true => {
                self.attempted.iter().chain(self.retry.keys()).filter(|pair| ids.contains(&pair.0)).copied().collect()
            }
            false => Vec::new(),
        };
        Page { events, complete, attempted }
    }

    pub fn due(&self, ask: &Ask, is_loaded: impl Fn(i64, i64) -> bool) -> Due {
        let mut rows: Vec<(i64, Pair, i32)> = self
            .retry
            .iter()
            .filter(|(pair, retry)| retry.due_at <= ask.clock && ask.endpoints.contains(&pair.1))
            .map(|(pair, retry)| (retry.due_at, *pair, retry.attempts))
            .collect();
        rows.sort_unstable();
        let few = rows.len() < ask.limit;
        rows.truncate(ask.limit);
        let (mut due, mut bytes, mut whole) = (Vec::new(), 0, true);
        for (_, (event_id, endpoint), attempts) in rows {
            if is_loaded(event_id, endpoint) {
                continue;
            }
            if bytes >= BYTES {
                whole = false;
                break;
            }
            let event = self.event(self.row(event_id));
            bytes += event.bytes();
            due.push(DueRow { event: Some(event), event_id, endpoint, attempts });
        }
        let later = |(pair, retry): (&Pair, &Retry)| {
            let later = retry.due_at > ask.clock && retry.due_at < i64::MAX && ask.endpoints.contains(&pair.1);
            later.then_some(retry.due_at)
        };
        Due { clock: ask.clock, rows: due, complete: few && whole, next: self.retry.iter().filter_map(later).min() }
    }

    pub fn is_handler(&self, id: i64) -> bool {
        self.endpoints.get(&id).is_some_and(|endpoint| endpoint.handler)
    }

    /// A handler's transaction commits: with it the next event of the key is due.
    pub fn handled(&mut self, pair: Pair, clock: i64) {
        self.attempted.insert(pair);
        self.succeeded.insert(pair);
        if self.retry.remove(&pair).is_some() {
            let key = self.row(pair.0).key.clone();
            let of_key = |(other, retry): &(&Pair, &mut Retry)| other.1 == pair.1 && retry.key.as_ref() == Some(&key);
            if let Some((_, first)) = self.retry.iter_mut().find(of_key)
                && first.due_at == i64::MAX
            {
                first.due_at = clock;
            }
        }
    }

    /// Returns the keys of which nothing waits any more.
    pub fn write(&mut self, outcomes: &Outcomes, clock: i64) -> Vec<(i64, String)> {
        for attempt in &outcomes.attempts {
            let pair = (attempt.event, attempt.endpoint);
            self.attempted.insert(pair);
            if attempt.succeeded {
                self.succeeded.insert(pair);
            }
        }
        for pair in &outcomes.done {
            self.retry.remove(pair);
        }
        for again in &outcomes.again {
            if again.endpoint == 0 || self.endpoints.contains_key(&again.endpoint) {
                let row = Retry { attempts: again.attempts, due_at: again.due_at, key: again.key.clone() };
                self.retry.insert((again.event.id, again.endpoint), row);
            }
        }
        self.dead.extend(outcomes.dead.iter().map(|dead| (dead.event.id, dead.endpoint)));
        for (id, _) in &outcomes.disabled {
            if let Some(endpoint) = self.endpoints.get_mut(id).filter(|endpoint| endpoint.active) {
                endpoint.active = false;
                self.version += 1;
            }
        }
        let mut free = Vec::new();
        for (endpoint, key) in &outcomes.released {
            let of_key = |(pair, retry): &(&Pair, &mut Retry)| pair.1 == *endpoint && retry.key.as_ref() == Some(key);
            match self.retry.iter_mut().find(of_key) {
                Some((_, first)) if first.due_at == i64::MAX => first.due_at = clock,
                Some(_) => {}
                None => free.push((*endpoint, key.clone())),
            }
        }
        free
    }

    pub fn save(&mut self, save: &Save) {
        for id in &save.dropped {
            self.cursors.remove(id);
        }
        for (id, cursor) in &save.cursors {
            if *id == 0 || self.endpoints.contains_key(id) {
                // As it is after a restart: what is not in the table is not known.
                let cursor = Cursor { next_since: cursor.since, ..cursor.clone() };
                self.cursors.insert(*id, cursor);
            }
        }
    }

    /// Ordered endpoints: the keys with rows in the retry table.
    pub fn blocked(&self) -> Vec<(i64, String)> {
        let keys = self.retry.iter().filter_map(|(pair, retry)| Some((pair.1, retry.key.clone()?)));
        keys.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub fn saved(&self) -> Vec<(i64, Cursor)> {
        let again = |cursor: &Cursor| {
            let snapshot = |snapshot: &Snapshot| Rc::new(Snapshot::parse(snapshot.text()).unwrap());
            Cursor {
                last: snapshot(&cursor.last),
                current: cursor.current.as_ref().map(|current| snapshot(current)),
                ..cursor.clone()
            }
        };
        self.cursors.iter().map(|(id, cursor)| (*id, again(cursor))).collect()
    }
}
