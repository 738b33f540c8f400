//! Random graphs in a world that answers at random: what the crate promises holds for all of them.

use std::collections::{BTreeMap, HashMap};

use flow::{Action, Begin, EffectId, End, Graph, Input, Limits, Outcome, Record, Reply, State, check};
use proptest::prelude::*;
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000_000;
const TRIES: usize = 50_000;

/// Numbers that look random, and are the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.next(many) == 0
    }
}

/// A graph in the making. Each region (the run, a loop's body) is a list of nodes with edges that lead onwards in it.
struct Making {
    chance: Chance,
    nodes: Vec<Value>,
    edges: Vec<Value>,
    stops: bool,
}

impl Making {
    fn node(&mut self, kind: &str, config: Value) -> String {
        let id = format!("n-{}", self.nodes.len());
        let disabled = self.chance.one_in(12);
        self.nodes.push(json!({"id": id, "type": kind, "data": {"config": config, "disabled": disabled}}));
        id
    }

    fn region(&mut self, entry: (String, Option<&'static str>), size: usize, depth: usize) {
        let mut known: Vec<(String, Vec<Option<&'static str>>)> = vec![(entry.0, vec![entry.1])];
        for _ in 0..size {
            let (kind, config, handles) = self.kind(depth);
            let id = self.node(kind, config);
            for _ in 0..1 + self.chance.next(3) {
                let (source, ways) = &known[self.chance.next(known.len())];
                let way = ways[self.chance.next(ways.len())];
                self.edges.push(json!({"source": source, "target": id, "sourceHandle": way}));
            }
            if kind == "logic-loop" {
                let size = 1 + self.chance.next(4);
                self.region((id.clone(), Some("body")), size, depth + 1);
            }
            known.push((id, handles));
        }
    }

    fn kind(&mut self, depth: usize) -> (&'static str, Value, Vec<Option<&'static str>>) {
        let plain = vec![None];
        let with_error = vec![None, None, Some("error")];
        match self.chance.next(16) {
            0 | 1 => {
                let value = self.chance.next(3);
                let config = json!({"conditions": [{"field": "trigger.n", "operator": "gt", "value": value}]});
                ("logic-condition", config, vec![Some("true"), Some("false")])
            }
            2 => {
                let config = json!({"value": "{{ trigger.n }}", "cases": ["1", "2"]});
                ("logic-switch", config, vec![Some("1"), Some("2"), Some("default")])
            }
            3 => ("logic-merge", json!({"mode": "any"}), plain),
            4 => ("logic-merge", json!({"mode": "all"}), plain),
            5 => ("logic-merge", json!({"mode": "count", "count": 1}), plain),
            6 => ("transform-set-variable", json!({"name": "v", "value": "{{ variables.v }}x"}), plain),
            7 | 8 => ("action-notify", json!({"text": "{{ trigger.n }}", "retries": self.chance.next(3)}), with_error),
            9 => ("action-http", json!({"url": "https://example.com", "onError": "continue"}), plain),
            10 => ("logic-delay", json!({"minutes": self.chance.next(3)}), plain),
            11 => {
                let config = json!({"event": "a.b", "timeout": {"hours": 1}});
                ("logic-wait", config, vec![None, Some("timeout")])
            }
            12 => {
                let config = json!({"timeout": {"hours": 2}});
                ("logic-approval", config, vec![Some("approved"), Some("rejected"), Some("timeout")])
            }
            13 | 14 if depth < 3 => {
                let items: Vec<usize> = (0..self.chance.next(4)).collect();
                let on_error = ["continue", "stop"][self.chance.next(2)];
                let parallelism = 1 + self.chance.next(3);
                let config = json!({"items": items, "parallelism": parallelism, "onError": on_error});
                ("logic-loop", config, vec![Some("done"), None, Some("error")])
            }
            15 if self.stops && self.chance.one_in(3) => {
                let ends = ["run", "loop", "iteration"][self.chance.next(3)];
                ("logic-stop", json!({ "ends": ends }), plain)
            }
            _ => ("action-emit", json!({"event": "made.up", "data": {"v": "{{ variables.v }}"}}), plain),
        }
    }
}

fn graph(seed: u64, size: usize, stops: bool) -> Value {
    let mut making = Making { chance: Chance(seed | 1), nodes: Vec::new(), edges: Vec::new(), stops };
    making.nodes.push(json!({"id": "start", "type": "trigger-manual", "data": {}}));
    making.region(("start".into(), None), size, 0);
    json!({"nodes": making.nodes, "edges": making.edges})
}

/// A run and the world around it.
struct World {
    graph: Graph,
    state: State,
    now: i64,
    chance: Chance,
    open: Vec<EffectId>,
    waits: Vec<EffectId>,
    asks: Vec<String>,
    records: Vec<Record>,
    made: HashMap<EffectId, u32>,
    more: bool,
    end: Option<End>,
    given: usize,
}

impl World {
    fn start(json: &Value, limits: &Limits, seed: u64) -> World {
        let graph = Graph::parse(json, limits).unwrap();
        let begin =
            Begin { run: "run".into(), flow: "random".into(), trigger: json!({"n": seed % 4}), ..Begin::default() };
        let (state, actions) = State::start(&graph, begin, START);
        let mut world = World {
            graph,
            state,
            now: START,
            chance: Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            open: Vec::new(),
            waits: Vec::new(),
            asks: Vec::new(),
            records: Vec::new(),
            made: HashMap::new(),
            more: false,
            end: None,
            given: 0,
        };
        world.take(actions);
        world
    }

    fn take(&mut self, actions: Vec<Action>) {
        self.more = false;
        for action in actions {
            assert!(self.end.is_none(), "something comes after the end");
            match action {
                Action::Do(effect) => {
                    *self.made.entry(effect.id.clone()).or_default() += 1;
                    self.open.push(effect.id);
                }
                Action::Watch { id, .. } => self.waits.push(id),
                Action::Ask { name, .. } => self.asks.push(name),
                Action::Record(record) => self.records.push(record),
                Action::Cancel(id) => {
                    self.open.retain(|open| *open != id);
                    self.waits.retain(|wait| *wait != id);
                }
                Action::Continue => self.more = true,
                Action::End(end) => self.end = Some(end),
                Action::Emit { id, .. } | Action::Start { id, .. } => *self.made.entry(id).or_default() += 1,
            }
        }
    }

    /// The state is kept and read again before everything that happens, as by a process that ended in between.
    fn give(&mut self, input: Input) {
        self.given += 1;
        let kept = serde_json::to_string(&self.state).unwrap();
        let mut other: State = serde_json::from_str(&kept).unwrap();
        assert_eq!(other, self.state);
        let actions = self.state.handle(&self.graph, input.clone(), self.now);
        assert_eq!(other.handle(&self.graph, input.clone(), self.now), actions, "it went on otherwise");
        assert_eq!(other, self.state);
        self.take(actions);
        if matches!(input, Input::Answer { .. } | Input::Events { .. }) && !self.more {
            let before = self.state.clone();
            assert_eq!(self.state.handle(&self.graph, input, self.now), [], "an answer counted twice");
            assert_eq!(self.state, before);
        }
    }

    fn step(&mut self) {
        self.given += 1;
        if self.more {
            return self.give(Input::Tick);
        }
        let choices = self.open.len() + self.waits.len() + self.asks.len() + 1;
        let at = self.chance.next(choices);
        if at < self.open.len() {
            let id = self.open.remove(at);
            let reply = match self.chance.next(6) {
                0 => Reply::Failed { message: "no".into(), again: true },
                1 => Reply::Failed { message: "never".into(), again: false },
                2 => Reply::Done(json!({"status": 500})),
                _ => Reply::Done(json!({"status": 200, "n": id.attempt})),
            };
            self.give(Input::Answer { id, reply });
        } else if let Some(id) = self.waits.get(at - self.open.len()).cloned() {
            let events = if self.chance.one_in(2) { "a.b" } else { "c.d" };
            self.give(Input::Events { id, events: vec![json!({ "type": events })] });
        } else if let Some(name) = self.asks.get(at.wrapping_sub(self.open.len() + self.waits.len())).cloned() {
            self.asks.retain(|known| *known != name);
            let value = self.chance.one_in(2).into();
            self.give(Input::Signal { name, value });
        } else if let Some(due) = self.state.due() {
            self.now = self.now.max(due);
            self.give(Input::Tick);
        }
    }

    fn play(&mut self) {
        while self.end.is_none() {
            assert!(self.given < TRIES, "it does not end: {:?}", self.state);
            self.step();
        }
        assert!(self.state.is_over() && self.state.due().is_none());
    }
}

fn is_final(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Success | Outcome::Error | Outcome::Skipped | Outcome::Disabled | Outcome::Pinned | Outcome::Cancelled
    )
}

/// In what a run leaves behind, every node of every iteration is there once at most.
fn runs_once(world: &World) -> BTreeMap<(Vec<u32>, String), Record> {
    let mut found = BTreeMap::new();
    for record in world.records.iter().filter(|record| is_final(record.outcome)) {
        let key = (record.path.clone(), record.node.clone());
        let before = found.insert(key, record.clone());
        assert!(before.is_none(), "twice: {before:?} {record:?}");
    }
    for (id, times) in &world.made {
        assert_eq!(*times, 1, "{id} was asked for twice");
    }
    found
}

/// Whether each node ran, or is dead, as its edges say.
fn decided_by_edges(json: &Value, records: &BTreeMap<(Vec<u32>, String), Record>) {
    let nodes: HashMap<&str, &Value> =
        json["nodes"].as_array().unwrap().iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let has_timeout = |id: &str| {
        json["edges"].as_array().unwrap().iter().any(|edge| edge["source"] == id && edge["sourceHandle"] == "timeout")
    };
    for ((path, id), record) in records {
        let (mut taken, mut all) = (0, 0);
        for edge in json["edges"].as_array().unwrap().iter().filter(|edge| edge["target"] == id.as_str()) {
            all += 1;
            let source = edge["source"].as_str().unwrap();
            let way = edge["sourceHandle"].as_str();
            if way == Some("body") {
                taken += 1;
                continue;
            }
            let before = records.get(&(path.clone(), source.to_owned()));
            let before = before.unwrap_or_else(|| panic!("{id} was decided before {source} at {path:?}"));
            let left = before.handle.as_deref();
            let is_wait = nodes[source]["type"] == "logic-wait";
            taken += usize::from(match (before.outcome, way) {
                (Outcome::Skipped | Outcome::Cancelled, _) => false,
                (_, None) if nodes[source]["type"] == "logic-loop" => left == Some("done"),
                (_, None) if is_wait => left != Some("error") && (left != Some("timeout") || !has_timeout(source)),
                (_, way) => left == way,
            });
        }
        let mode = nodes[id.as_str()]["data"]["config"]["mode"].as_str();
        let live = match mode {
            _ if all == 0 => true,
            Some("all") => taken == all,
            _ => taken > 0,
        };
        assert_eq!(record.outcome != Outcome::Skipped, live, "{id} at {path:?}: {taken} of {all} edges, {record:?}");
    }
}

/// The loop in whose body each node is: what leads to a node stands before it.
fn regions(json: &Value) -> HashMap<String, Option<String>> {
    let mut regions: HashMap<String, Option<String>> = HashMap::new();
    for node in json["nodes"].as_array().unwrap() {
        let id = node["id"].as_str().unwrap();
        let edge = json["edges"].as_array().unwrap().iter().find(|edge| edge["target"] == id);
        let region = edge.and_then(|edge| {
            let source = edge["source"].as_str().unwrap();
            if edge["sourceHandle"] == "body" { Some(source.to_owned()) } else { regions[source].clone() }
        });
        regions.insert(id.to_owned(), region);
    }
    regions
}

/// Every node of the run, and of each iteration of each loop that ran, was decided.
fn all_are_decided(json: &Value, records: &BTreeMap<(Vec<u32>, String), Record>) {
    let regions = regions(json);
    let mut scopes: Vec<(Vec<u32>, Option<String>)> = vec![(Vec::new(), None)];
    while let Some((path, region)) = scopes.pop() {
        for id in regions.iter().filter(|(_, inside)| **inside == region).map(|(id, _)| id) {
            let record = records.get(&(path.clone(), id.clone()));
            let record = record.unwrap_or_else(|| panic!("{id} at {path:?} neither ran nor is dead"));
            let count =
                if record.kind == "logic-loop" { record.output["count"].as_u64().unwrap_or_default() } else { 0 };
            scopes.extend((0..count as u32).map(|turn| ([path.as_slice(), &[turn]].concat(), Some(id.clone()))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_no_node_runs_twice(seed in 1_u64.., size in 1_usize..25, slice in 1_u32..40) {
        let json = graph(seed, size, true);
        let limits = Limits { steps_at_once: slice, ..Limits::default() };
        let parsed = Graph::parse(&json, &limits).unwrap();
        prop_assert!(!check(&parsed).iter().any(|finding| finding.is_error()), "{:?}", check(&parsed));
        let mut world = World::start(&json, &limits, seed);
        world.play();
        runs_once(&world);
    }

    #[test]
    fn a_node_runs_if_its_edges_say_so_and_is_dead_otherwise(seed in 1_u64.., size in 1_usize..25) {
        let json = graph(seed, size, false);
        let mut world = World::start(&json, &Limits::default(), seed);
        world.play();
        let records = runs_once(&world);
        if matches!(world.end, Some(End::Completed { .. })) {
            let top = json["nodes"].as_array().unwrap();
            // A merge that went on with the first does not wait for the others, and a loop that failed leaves its body
            // as it was.
            let merges = top.iter().any(|node| matches!(node["data"]["config"]["mode"].as_str(), Some("any" | "count")));
            let failed = world.records.iter().any(|record| record.outcome == Outcome::Error && !record.path.is_empty());
            if !failed {
                all_are_decided(&json, &records);
            }
            if !merges && !failed {
                decided_by_edges(&json, &records);
            }
        }
    }

    #[test]
    fn whatever_is_no_graph_is_refused_or_found_wrong(
        seed in 1_u64..,
        size in 1_usize..12,
        at in any::<prop::sample::Index>(),
        with in 0..6,
    ) {
        let mut json = graph(seed, size, true);
        let nodes = json["nodes"].as_array_mut().unwrap();
        let node = &mut nodes[at.index(size + 1)];
        match with {
            0 => node["type"] = json!("nothing"),
            1 => node["data"] = json!({"items": 7, "conditions": {}, "cases": [], "value": "{{ x.", "name": [], "url": 1}),
            2 => node["id"] = json!(5),
            3 => node["data"] = json!({"items": "{{ secrets.x }}", "text": "{{ nobody.x }}", "event": "{{ node.gone.x }}"}),
            4 => node["id"] = json!("start"),
            _ => *node = json!([1]),
        }
        if let Ok(graph) = Graph::parse(&json, &Limits::default()) {
            let begin = Begin { run: "run".into(), ..Begin::default() };
            let (state, actions) = State::start(&graph, begin, START);
            if check(&graph).iter().any(|finding| finding.is_error()) {
                prop_assert!(state.is_over());
                let is_end = matches!(actions.as_slice(), [Action::End(End::Failed { .. })]);
                prop_assert!(is_end);
            }
        }
    }
}
