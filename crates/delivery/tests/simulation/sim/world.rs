//! One run: writers, receivers, administrators, clocks, failures and crashes, all by chance.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use delivery::{
    Action, Answer, Configuration, Core, FailureKind, Input, Limits, Made, Now, Op, Outcomes, Part, Plan, Receipt,
    Reply, SECOND, Shipment, Start, Target, Unsendable, What, Window,
};

use super::chance::Chance;
use super::database::{BYTES, Database, Endpoint, Pair, Row};
use super::watch::{Broken, Watch};

/// How trouble is spread over a run; per mille.
#[derive(Clone, Copy)]
pub struct Trouble {
    pub crash: usize,
    pub failure: usize,
    pub refusal: usize,
    pub change: usize,
}

impl Trouble {
    const NONE: Trouble = Trouble { crash: 0, failure: 0, refusal: 0, change: 0 };
}

struct Flying {
    request: u64,
    target: Target,
    pair: Pair,
    begun: bool,
}

pub struct World {
    chance: Chance,
    trouble: Trouble,
    database: Database,
    watch: Watch,
    core: Core,
    network: Vec<Flying>,
    now: Now,
    limits: Limits,
    largest: usize,
    /// What was read while more was allowed stays until it is sent or given back.
    held_before: usize,
    /// Receivers that refuse everything just now.
    down: Vec<i64>,
    /// Something was committed that the engine was not told yet; whether it may be more than events.
    pending: Option<bool>,
    pub turns: usize,
}

/// Whether each step is printed.
pub static TRACE: AtomicBool = AtomicBool::new(false);

/// The process ended.
struct Crash;

pub fn run(seed: u64) -> Result<(), Broken> {
    let mut world = World::new(seed);
    let turns = world.chance.between(20, 150);
    for _ in 0..turns {
        world.happen()?;
        world.turn()?;
    }
    world.calm_down()
}

impl World {
    fn new(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let per_mille = |chance: &mut Chance, most| if chance.happens(300) { 0 } else { chance.between(1, most) };
        let trouble = Trouble {
            crash: per_mille(&mut chance, 15),
            failure: per_mille(&mut chance, 60),
            refusal: per_mille(&mut chance, 400),
            change: per_mille(&mut chance, 80),
        };
        let now = Now { clock: 800_000_000 * SECOND, steady: Instant::now() };
        let limits = Limits { memory: 64 << 20, share: 8 << 20 };
        let mut database = Database::new();
        for _ in 0..chance.between(0, 4) {
            database.add_endpoint(endpoint(&mut chance, &database));
        }
        let core = start(&database, limits, now, 0, chance.next());
        let largest = chance.one_of(&[10, 500, 5_000, 30_000]).unwrap_or(10);
        let (network, down, watch) = (Vec::new(), Vec::new(), Watch::default());
        World {
            chance,
            trouble,
            database,
            watch,
            core,
            network,
            now,
            limits,
            largest,
            held_before: 0,
            down,
            pending: None,
            turns: 0,
        }
    }

    /// What others do meanwhile.
    fn happen(&mut self) -> Result<(), Broken> {
        for _ in 0..self.chance.between(0, 3) {
            self.write();
        }
        self.answer()?;
        if self.chance.happens(self.trouble.change) {
            self.administer();
        }
        if self.chance.happens(self.trouble.refusal / 8) {
            let id = self.chance.below(5) as i64;
            match self.down.iter().position(|down| *down == id) {
                Some(at) => drop(self.down.remove(at)),
                None => self.down.push(id),
            }
        }
        if self.chance.happens(20) {
            self.limits.memory = self.chance.one_of(&[50_000, 200_000, 64 << 20]).unwrap_or(0);
            self.limits.share = self.limits.memory / 8;
            self.held_before = self.core.status().held;
        }
        self.pass_at_most(30_000);
        if self.chance.happens(10) {
            self.now.clock += self.chance.between(0, 7200) as i64 * SECOND - 3600 * SECOND;
        }
        Ok(())
    }

    fn pass_at_most(&mut self, micros: usize) {
        let micros = self.chance.below(micros) as u64;
        self.pass(Duration::from_micros(micros));
    }

    fn pass(&mut self, time: Duration) {
        self.now.clock += time.as_micros() as i64;
        self.now.steady += time;
    }

    /// A step of some session.
    fn write(&mut self) {
        let open: Vec<u64> = self.database.open.keys().copied().collect();
        let busy: Vec<u64> =
            self.database.open.iter().filter(|(_, transaction)| !transaction.prepared).map(|(xid, _)| *xid).collect();
        match self.chance.below(10) {
            0..=2 if open.len() < 6 => drop(self.database.begin()),
            3..=6 => {
                if let Some(xid) = self.chance.one_of(&busy) {
                    for _ in 0..self.chance.between(1, 8) {
                        self.insert(xid);
                    }
                }
            }
            7 if self.chance.happens(200) => {
                if let Some(transaction) = self.chance.one_of(&busy).and_then(|xid| self.database.open.get_mut(&xid)) {
                    transaction.prepared = true;
                    self.tell(false);
                }
            }
            _ => {
                if let Some(xid) = self.chance.one_of(&open) {
                    self.end(xid);
                }
            }
        }
    }

    fn end(&mut self, xid: u64) {
        let commits = !self.chance.happens(150);
        let prepared = self.database.open.get(&xid).is_some_and(|transaction| transaction.prepared);
        self.database.end(xid, commits);
        self.say(|| format!("transaction {xid} ends, commits: {commits}"));
        if commits {
            self.watch.committed(&self.database, xid);
        }
        // A session that never loaded the library tells nobody.
        if !prepared || self.chance.happens(500) {
            self.tell(false);
        }
    }

    fn tell(&mut self, work: bool) {
        self.pending = Some(self.pending.unwrap_or(false) || work);
    }

    fn insert(&mut self, xid: u64) {
        let key = format!("k{}", self.chance.below(6));
        let held = |(other, transaction): (&u64, &super::database::Transaction)| {
            *other != xid && transaction.keys.contains(&key)
        };
        // Two transactions that change one row wait for each other.
        if self.database.open.iter().any(held) {
            return;
        }
        if let Some(transaction) = self.database.open.get_mut(&xid) {
            transaction.keys.push(key.clone());
        }
        let (op, kind) = match self.chance.below(12) {
            0 => (Op::Request, "http.request"),
            1..=6 => (Op::Update, "a.x"),
            _ => (Op::Insert, "b.y"),
        };
        let size = self.chance.below(self.largest);
        let id = self.database.insert(Row { id: 0, xid, created_at: self.now.clock, op, kind, key, size });
        if self.chance.happens(self.trouble.failure / 10) {
            self.watch.unwritable.insert(id);
        }
    }

    /// The configuration changes.
    fn administer(&mut self) {
        self.say(|| "the configuration changes".into());
        let ids: Vec<i64> = self.database.endpoints.keys().copied().collect();
        let id = self.chance.one_of(&ids);
        let what = self.chance.below(6);
        if let Some(id) = id.filter(|_| what == 0 && self.chance.happens(400)) {
            self.database.remove_endpoint(id);
        } else if let Some(endpoint) = id.and_then(|id| self.database.endpoints.get_mut(&id)).filter(|_| what < 5) {
            match what {
                0 | 1 => endpoint.active = !endpoint.active,
                2 => {
                    endpoint.ordered = !endpoint.ordered;
                    endpoint.steady = false;
                }
                3 => endpoint.max_in_flight = self.chance.between(1, 20),
                _ => endpoint.rate = self.chance.one_of(&[None, Some(1.0), Some(50.0)]).flatten(),
            }
            self.database.version += 1;
        } else if ids.len() < 5 {
            let new = endpoint(&mut self.chance, &self.database);
            self.database.add_endpoint(new);
        }
        self.tell(true);
    }

    /// Receivers answer some of what is under way.
    fn answer(&mut self) -> Result<(), Broken> {
        for at in (0..self.network.len()).rev() {
            if self.chance.happens(500) {
                self.network[at].begun = true;
            }
            if self.network[at].begun && self.chance.happens(600) {
                let flying = self.network.swap_remove(at);
                let reply = self.reply(&flying)?;
                self.receive(flying.request, reply);
            }
        }
        Ok(())
    }

    fn reply(&mut self, flying: &Flying) -> Result<Reply, Broken> {
        let refuses = self.down.contains(&flying.pair.1) || self.chance.happens(self.trouble.refusal);
        if self.database.is_handler(flying.pair.1) {
            if !refuses && !self.watch.unwritable.contains(&flying.pair.0) {
                self.handle(flying.pair)?;
                return Ok(Reply::Handled);
            }
            return Ok(match self.chance.below(20) {
                0 => Reply::Broken("its function was dropped".into()),
                _ => Reply::Failure { error: "sql", detail: "22012".into() },
            });
        }
        if !refuses {
            self.watch.takes(&self.database, flying.pair)?;
            return Ok(Reply::Answer(Answer { status: 200, ..Answer::default() }));
        }
        Ok(match self.chance.below(40) {
            0 => Reply::Answer(Answer { status: 410, ..Answer::default() }),
            1..=4 => {
                let retry_after = Some(Duration::from_millis(self.chance.below(3000) as u64));
                Reply::Answer(Answer { status: 429, retry_after, ..Answer::default() })
            }
            5..=20 => Reply::Failure { error: "timeout", detail: "no answer".into() },
            _ => Reply::Answer(Answer { status: 500, ..Answer::default() }),
        })
    }

    /// A handler's process commits what the function did, and that it did it.
    fn handle(&mut self, pair: Pair) -> Result<(), Broken> {
        self.watch.takes(&self.database, pair)?;
        self.database.handled(pair, self.now.clock);
        self.watch.outstanding.remove(&pair);
        Ok(())
    }

    /// A line of what happens, for whoever looks into a seed.
    fn say(&self, line: impl FnOnce() -> String) {
        if TRACE.load(Relaxed) {
            println!("{}: {:.300}", self.now.clock, line());
        }
    }

    fn receive(&mut self, request: u64, reply: Reply) {
        self.say(|| format!("receipt of {request}: {reply:?}"));
        let receipt = Receipt { request, started_at: self.now.clock, duration_ms: 1.0, address: None, reply };
        self.core.handle(Input::Receipt(receipt), self.now);
    }

    /// One turn of the engine.
    fn turn(&mut self) -> Result<(), Broken> {
        self.turns += 1;
        self.core.limit(self.limits);
        if let Some(work) = self.pending.take() {
            self.core.handle(Input::Committed { work }, self.now);
        }
        if self.chance.happens(self.trouble.crash / 3) {
            return self.restart_in_order();
        }
        for _ in 0..10_000 {
            let Some(action) = self.core.poll(self.now) else { return self.look_at_memory() };
            self.pass_at_most(200);
            if let Some(Crash) = self.perform(action)? {
                return self.crash();
            }
        }
        Err("a turn does not end".into())
    }

    fn look_at_memory(&self) -> Result<(), Broken> {
        let held = self.core.status().held;
        // One batch of the log and one of retries may be read while there is room, and bodies are made of what is in flight.
        let bound = self.limits.memory.max(self.held_before)
            + 3 * (BYTES + self.largest + 1000)
            + self.network.len() * (self.largest + 100);
        if self.limits.memory < 1 << 20 && held > bound {
            return Err(format!("{held} bytes are held, {bound} may be"));
        }
        Ok(())
    }

    /// Does what the engine says. A crash can come before it is done, or before the engine knows.
    fn perform(&mut self, action: Action) -> Result<Option<Crash>, Broken> {
        self.say(|| format!("{action:?}"));
        if self.chance.happens(self.trouble.crash) {
            return Ok(Some(Crash));
        }
        let fails = self.chance.happens(self.trouble.failure);
        let kind = if self.chance.happens(300) { FailureKind::Lock } else { FailureKind::Passing };
        let part = match &action {
            Action::Look | Action::Configure => Some(Part::Refresh),
            Action::Read(_) => Some(Part::Read),
            Action::Due(_) => Some(Part::Retries),
            Action::Save(_) => Some(Part::Save),
            Action::Send(_) | Action::Recall(_) | Action::Say(_) | Action::Write(_) => None,
        };
        if let Some(part) = part.filter(|_| fails) {
            self.core.handle(Input::Failed(part, kind), self.now);
            return Ok(None);
        }
        let input = match action {
            Action::Say(_) => return Ok(None),
            Action::Recall(target) => {
                self.recall(target);
                return Ok(None);
            }
            Action::Send(shipments) => Input::Sent(shipments.iter().map(|shipment| self.send(shipment)).collect()),
            Action::Write(outcomes) => self.settle(outcomes, fails, kind),
            Action::Look => {
                let prepared = self.database.open.values().any(|transaction| transaction.prepared);
                self.core.handle(Input::Prepared(prepared), self.now);
                let (snapshot, version) = (self.database.snapshot(), self.database.version);
                Input::Window(Window { snapshot, at: self.now.clock, version })
            }
            Action::Configure => {
                self.database.forget();
                Input::Configuration(configuration(&self.database))
            }
            Action::Read(read) if matches!(read.what, What::List) => {
                let places = self.database.list(&read.from);
                Input::List(read, places)
            }
            Action::Read(read) => {
                let page = self.database.read(&read);
                Input::Page(read, page)
            }
            Action::Due(ask) => Input::Due(self.database.due(&ask, |event, id| self.core.is_loaded(event, id))),
            Action::Save(save) => {
                self.database.save(&save);
                self.watch.saved(&self.database, &save)?;
                Input::Saved(save)
            }
        };
        if self.chance.happens(self.trouble.crash) {
            return Ok(Some(Crash));
        }
        self.core.handle(input, self.now);
        Ok(None)
    }

    fn send(&mut self, shipment: &Shipment) -> Made {
        let request = shipment.request;
        if self.chance.happens(self.trouble.failure / 20) {
            let hopeless = self.chance.happens(500);
            return Made { request, result: Err(Unsendable { error: "payload", detail: "no".into(), hopeless }) };
        }
        let pair = (shipment.event.id, shipment.target.row());
        self.watch.outstanding.insert(pair);
        self.network.push(Flying { request, target: shipment.target, pair, begun: false });
        Made { request, result: Ok(shipment.event.bytes()) }
    }

    fn recall(&mut self, target: Target) {
        let (back, left): (Vec<Flying>, Vec<Flying>) =
            self.network.drain(..).partition(|flying| flying.target == target && !flying.begun);
        self.network = left;
        for flying in back {
            self.watch.outstanding.remove(&flying.pair);
            self.receive(flying.request, Reply::Recalled);
        }
    }

    fn settle(&mut self, outcomes: Outcomes, fails: bool, kind: FailureKind) -> Input {
        if fails {
            return Input::Unwritten(outcomes, kind, "no room".into());
        }
        let unwritable = |attempt: &delivery::Attempt| {
            attempt.error != Some("unwritable") && self.watch.unwritable.contains(&attempt.event)
        };
        if outcomes.attempts.iter().any(unwritable) {
            return Input::Unwritten(outcomes, FailureKind::Lasting, "a value that does not fit".into());
        }
        let version = self.database.version;
        let free = self.database.write(&outcomes, self.now.clock);
        if self.database.version != version {
            self.tell(true);
        }
        for attempt in &outcomes.attempts {
            self.watch.outstanding.remove(&(attempt.event, attempt.endpoint));
        }
        Input::Written(outcomes, free)
    }

    /// The process ends; some of what was under way has reached its receiver all the same.
    fn crash(&mut self) -> Result<(), Broken> {
        self.say(|| "the process ends".into());
        self.watch.crashed();
        for flying in std::mem::take(&mut self.network) {
            if !self.chance.happens(500) {
                continue;
            }
            match self.database.is_handler(flying.pair.1) {
                true if self.watch.unwritable.contains(&flying.pair.0) => {}
                true => self.handle(flying.pair)?,
                false => self.watch.takes(&self.database, flying.pair)?,
            }
        }
        self.core = start(&self.database, self.limits, self.now, 0, self.chance.next());
        Ok(())
    }

    /// It is asked to leave, or to begin anew: what came back is written first.
    fn restart_in_order(&mut self) -> Result<(), Broken> {
        self.core.handle(Input::Leave(true), self.now);
        while let Some(action) = self.core.poll(self.now) {
            if self.perform(action)?.is_some() {
                return self.crash();
            }
        }
        self.answer()?;
        while let Some(action) = self.core.flush(self.now) {
            if self.perform(action)?.is_some() {
                return self.crash();
            }
        }
        if let Some(save) = self.core.last_save()
            && self.perform(save)?.is_some()
        {
            return self.crash();
        }
        self.crash()
    }

    /// Everybody is well again: now everything must end.
    fn calm_down(&mut self) -> Result<(), Broken> {
        self.trouble = Trouble::NONE;
        self.down.clear();
        self.watch.unwritable.clear();
        self.limits = Limits { memory: 64 << 20, share: 8 << 20 };
        for xid in self.database.open.keys().copied().collect::<Vec<_>>() {
            self.end(xid);
        }
        for endpoint in self.database.endpoints.values_mut() {
            endpoint.rate = None;
        }
        self.database.version += 1;
        self.tell(true);
        for _ in 0..3_000 {
            if self.database.resume_all() {
                self.tell(true);
            }
            self.turn()?;
            let idle = self.network.is_empty();
            self.answer()?;
            if idle && self.core.status().idle && self.watch.unfinished(&self.database).is_none() {
                return Ok(());
            }
            let wait = self.core.deadline(self.now).min(Duration::from_secs(700));
            self.say(|| format!("waits {wait:?}"));
            self.pass(if idle { wait } else { Duration::from_micros(100) });
        }
        self.say(|| format!("{:#?}", self.core));
        self.say(|| {
            format!("{:?}", self.watch.unfinished(&self.database).map(|pair| self.database.row(pair.0).clone()))
        });
        let open = self.watch.unfinished(&self.database);
        let retry = open.and_then(|pair| self.database.retry.get(&pair)).map(|retry| retry.due_at - self.now.clock);
        Err(format!("{open:?} does not end; in the retry table for {retry:?}; {:?}", self.core.status()))
    }
}

fn endpoint(chance: &mut Chance, database: &Database) -> Endpoint {
    Endpoint {
        active: !chance.happens(100),
        handler: chance.happens(300),
        ordered: chance.happens(400),
        steady: true,
        pattern: chance.one_of(&["*", "a.*", "b.*"]).unwrap_or("*"),
        created: database.snapshot(),
        max_in_flight: chance.between(1, 20),
        rate: chance.happens(100).then_some(20.0),
        delays: (0..chance.between(0, 4)).map(|_| chance.between(1, 2000) as u64).collect(),
    }
}

fn configuration(database: &Database) -> Configuration {
    let plan = |(id, endpoint): (&i64, &Endpoint)| Plan {
        id: *id,
        name: format!("e{id}"),
        active: endpoint.active,
        patterns: filter::Pattern::parse(endpoint.pattern).ok().into_iter().collect(),
        service_patterns: Vec::new(),
        filter: None,
        policy: retry::Policy::new(endpoint.delays.iter().map(|delay| Duration::from_millis(*delay)).collect()),
        max_in_flight: endpoint.max_in_flight,
        rate: endpoint.rate,
        ordered: endpoint.ordered,
        tenant: None,
        created: Some(endpoint.created.clone()),
        failing_since: None,
        failures: 0,
    };
    Configuration { version: database.version, running: true, plans: database.endpoints.iter().map(plan).collect() }
}

fn start(database: &Database, limits: Limits, now: Now, last_request: u64, random: u64) -> Core {
    let start = Start {
        cursors: database.saved(),
        snapshot: database.snapshot(),
        configuration: configuration(database),
        blocked: database.blocked(),
        last_request,
        random,
    };
    Core::new(start, limits, now)
}
