//! The job that embeds the rows of one declaration. No transaction is open while it waits for the embedder, and what it knows it
//! can forget: a row waits for its vector as long as it has none.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use courier::Receipt;
use embedding::Outcome;
use pgrx::prelude::*;

use super::client::{Client, Settings};
use super::verbs::{self, Declaration, Row};
use super::wire::Wire;
use crate::ffi;
use crate::job::procedure::commit;

/// Longer pauses are waited for by the scheduler.
const PATIENCE_MS: i64 = 10_000;
/// When rows that somebody held are tried again.
const HELD_MS: i64 = 30_000;
/// How often it looks again when there is nothing left, for what comes right after, and after how long each time.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(200);
/// A request that failed so often while the embedder answers others has texts that it cannot bear.
const TRIES: u32 = 3;
/// Rows read at once, at most.
const ROWS: usize = 2000;
/// A text that nobody refuses.
const HARMLESS: &str = "test";

/// Rows that go into one request.
struct Batch {
    rows: Vec<Row>,
    /// of each row, which of the texts that are sent
    inputs: Vec<usize>,
    texts: usize,
    tries: u32,
    sent_at: Instant,
}

struct Worker {
    source: i64,
    declaration: Declaration,
    client: Client,
    wire: Wire,
    queue: VecDeque<Row>,
    again: VecDeque<Batch>,
    under_way: HashMap<u64, Batch>,
    /// Rows whose vectors could not be written, because somebody holds one of them: not sent again in this run.
    held: (Vec<pg_sys::Oid>, Vec<String>),
    /// Nothing is sent before it was looked how the embedder is.
    halted: bool,
    /// The last look found no more rows.
    dry: bool,
    answered_at: Option<Instant>,
}

/// Works until nothing waits any more, or the embedder is to be left alone for a while.
pub fn run(source: i64) {
    embed(source);
    verbs::counted(source);
    commit();
}

fn embed(source: i64) {
    let Some(declaration) = verbs::declaration(source) else { return };
    commit();
    while !verbs::lock(source) {
        commit();
        pause(LOOK);
    }
    let Some(client) = open(source, &declaration) else { return };
    let wire = Wire::open(&client);
    let (queue, again, under_way, held) = Default::default();
    let (halted, dry, answered_at) = (false, false, None);
    Worker { source, declaration, client, wire, queue, again, under_way, held, halted, dry, answered_at }.work();
}

/// The embedder as it is set now. None: it is not to be used now, and what is to be done about that is done.
fn open(source: i64, declaration: &Declaration) -> Option<Client> {
    loop {
        let settings = declaration.settings().map(|json| Settings::parse(&json));
        commit();
        let settings = settings.filter(Settings::may_work)?;
        let (wait, failures) = (settings.wait_ms, settings.failures);
        if wait > PATIENCE_MS {
            verbs::later(source, wait);
            commit();
            return None;
        }
        if wait > 0 {
            pause(Duration::from_millis(wait.unsigned_abs()));
            continue;
        }
        match Client::new(settings) {
            Ok(client) => return Some(client),
            Err(why) => {
                let wait = milliseconds(embedding::pause(failures + 1, jitter())).max(PATIENCE_MS);
                declaration.failed(0, &why, wait, true);
                verbs::later(source, wait);
                commit();
                return None;
            }
        }
    }
}

impl Worker {
    fn work(&mut self) {
        let mut looks = 0;
        loop {
            if self.halted && self.under_way.is_empty() {
                let Some(client) = open(self.source, &self.declaration) else { return };
                self.wire.adapt(&client);
                self.client = client;
                self.halted = false;
            }
            if self.queue.is_empty() && !self.dry && !self.halted {
                self.refill();
            }
            self.send();
            if !self.under_way.is_empty() {
                for receipt in self.wire.receive() {
                    self.settle(receipt);
                }
                looks = 0;
            } else if !self.halted && self.queue.is_empty() && self.again.is_empty() {
                if looks == LOOKS {
                    return self.leave();
                }
                looks += 1;
                pause(LOOK);
                (self.dry, self.halted) = (false, true);
            }
        }
    }

    fn leave(&self) {
        if !self.held.0.is_empty() {
            verbs::later(self.source, HELD_MS);
            commit();
        }
    }

    fn refill(&mut self) {
        self.declaration.awake();
        // What is asked for until here is seen by what follows.
        commit();
        let settings = &self.client.settings;
        let wanted = (settings.batch_size * settings.max_in_flight * 2).clamp(1, ROWS);
        let reused = verbs::reuse(self.source, wanted as i32);
        if reused > 0 {
            self.declaration.succeeded(0, 0, 0, reused);
        }
        commit();
        let mut busy = self.held.clone();
        for row in self.under_way.values().chain(&self.again).flat_map(|batch| &batch.rows) {
            busy.0.push(row.table);
            busy.1.push(row.place.clone());
        }
        let (rows, long) = verbs::pick(self.source, wanted as i32, settings.batch_chars, busy);
        for row in &long {
            let most = settings.batch_chars;
            let why =
                format!("the text has {} characters, more than the embedder's batch_chars of {most}", row.characters);
            verbs::refuse(self.source, vec![row.hash], &why);
        }
        commit();
        self.dry = rows.is_empty() && long.is_empty() && reused == 0;
        self.queue.extend(rows);
    }

    fn send(&mut self) {
        while !self.halted && self.under_way.len() < self.client.settings.max_in_flight {
            let Some(mut batch) = self.next() else { return };
            self.keep_pace();
            batch.sent_at = Instant::now();
            let mut texts = vec![""; batch.texts];
            for (row, input) in batch.rows.iter().zip(&batch.inputs) {
                texts[*input] = &row.text;
            }
            let id = self.wire.send(&self.client, &texts);
            self.under_way.insert(id, batch);
        }
    }

    fn next(&mut self) -> Option<Batch> {
        self.again.pop_front().or_else(|| {
            let settings = &self.client.settings;
            let chars = usize::try_from(settings.batch_chars).unwrap_or(usize::MAX);
            let rows = embedding::take_batch(&mut self.queue, |row| &row.text, settings.batch_size, chars);
            (!rows.is_empty()).then(|| Batch::new(rows, 0))
        })
    }

    fn keep_pace(&mut self) {
        if let Some(pace) = self.client.settings.pace_ms() {
            let wait = self.declaration.slot(pace);
            commit();
            pause(Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
        }
    }

    fn settle(&mut self, receipt: Receipt) {
        let Some(batch) = self.under_way.remove(&receipt.id) else { return };
        match self.client.judge(receipt, batch.texts) {
            (Outcome::Embedded(answer), _) => {
                self.answered_at = Some(Instant::now());
                let tokens = i64::try_from(answer.tokens).unwrap_or(i64::MAX);
                let vectors: Vec<Vec<u8>> = answer.vectors.iter().map(|vector| super::bytes(vector)).collect();
                let vectors = batch.inputs.iter().map(|input| vectors[*input].clone()).collect();
                let stored = verbs::store(self.source, &batch.rows, vectors);
                self.declaration.succeeded(1, tokens, stored, 0);
                commit();
                if usize::try_from(stored).is_ok_and(|stored| stored < batch.rows.len()) {
                    self.held.0.extend(batch.rows.iter().map(|row| row.table));
                    self.held.1.extend(batch.rows.into_iter().map(|row| row.place));
                }
            }
            (Outcome::Refused(why), _) => self.narrow(batch, &why),
            (Outcome::Throttled(why, pause), _) => {
                let wait = pause.unwrap_or_else(|| embedding::pause(self.client.settings.failures + 1, jitter()));
                self.declaration.failed(1, &why, milliseconds(wait), pause.is_none());
                commit();
                self.again.push_front(batch);
                self.halted = true;
            }
            (Outcome::Denied(why), _) | (Outcome::Down(why), false) => self.halt(batch, &why),
            (Outcome::Down(why), true) => {
                let batch = Batch { tries: batch.tries + 1, ..batch };
                if batch.tries >= TRIES { self.narrow(batch, &why) } else { self.halt(batch, &why) }
            }
        }
    }

    /// The embedder is in trouble: everything waits.
    fn halt(&mut self, batch: Batch, why: &str) {
        // Several requests that fail together are one failure.
        let failures = self.client.settings.failures + 1;
        let wait = milliseconds(embedding::pause(failures, jitter()));
        self.declaration.failed(1, why, wait, !self.halted);
        commit();
        self.again.push_front(batch);
        self.halted = true;
    }

    /// Refused texts are sent apart until the one at fault is found. An embedder that refuses every text is itself at fault.
    fn narrow(&mut self, batch: Batch, why: &str) {
        if batch.texts > 1 && batch.tries < TRIES {
            self.declaration.failed(1, why, 0, false);
            commit();
            self.split(batch);
        } else if !self.answers_since(batch.sent_at) {
            self.halt(batch, why);
        } else if batch.texts > 1 {
            self.split(batch);
        } else {
            let hashes: HashSet<i64> = batch.rows.iter().map(|row| row.hash).collect();
            verbs::refuse(self.source, hashes.into_iter().collect(), why);
            self.declaration.failed(1, why, 0, false);
            commit();
        }
    }

    fn split(&mut self, batch: Batch) {
        let half = batch.texts / 2;
        let tries = batch.tries.min(TRIES - 1);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (row, input) in batch.rows.into_iter().zip(batch.inputs) {
            if input < half { first.push(row) } else { second.push(row) }
        }
        self.again.push_front(Batch::new(second, tries));
        self.again.push_front(Batch::new(first, tries));
    }

    /// Did it answer after that moment, or does it now when asked for something harmless?
    fn answers_since(&mut self, moment: Instant) -> bool {
        if self.answered_at.is_some_and(|at| at > moment) {
            return true;
        }
        self.keep_pace();
        let receipt = self.wire.ask(&self.client, &[HARMLESS]);
        let answers = matches!(self.client.judge(receipt, 1).0, Outcome::Embedded(_));
        if answers {
            self.answered_at = Some(Instant::now());
            self.declaration.succeeded(1, 0, 0, 0);
            commit();
        }
        answers
    }
}

impl Batch {
    fn new(rows: Vec<Row>, tries: u32) -> Batch {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut inputs = Vec::with_capacity(rows.len());
        for row in &rows {
            let next = places.len();
            inputs.push(*places.entry(row.text.as_str()).or_insert(next));
        }
        let texts = places.len();
        Batch { rows, inputs, texts, tries, sent_at: Instant::now() }
    }
}

/// Waits, open to a cancel.
pub fn pause(length: Duration) {
    let until = Instant::now() + length;
    loop {
        check_for_interrupts!();
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// From -1.0 to 1.0.
fn jitter() -> f64 {
    f64::from(i32::from_le_bytes(ffi::random())) / f64::from(i32::MAX)
}
