//! Flows drawn in text, with what happens to a run and what it is to do. docs/flows.md is written in it.
//!
//! ```text
//! start  trigger-manual                                     a node: its id, its type, its settings
//! hot    logic-condition {"conditions": [ … ]}               (a line that is indented goes on)
//! off hot                                                   a node that is disabled
//! pin hot {…}                                               a node whose output is given
//! start -> hot --true--> call, mail                         edges, with their handles
//! limits {"steps": 10}
//! by hand                                                   effects are not answered by themselves
//!
//! given {"score": 90}          the run starts               runs start hot call!     what ran; ! failed, ~ is tried
//! again, = was given after 2 days                 time passes                  skips mail               what is dead
//! event {"type": …}            comes while it waits         asks call                effects that were asked for seen
//! {"type": …}             is in the log already        cancels call             what was called off signal name true
//! somebody decides             output hot {…}           of the last step of that node answer call {…}
//! from outside                 variables {…} fail call words              from outside, too            ends
//! completed|failed words|cancelled|open cancel words again call                   a new run, from this node on
//! ```

// Not every test plays what it draws.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use flow::{Action, Begin, EffectId, End, Graph, Input, Limits, Outcome, Pin, Reply, Request, State};
use serde_json::{Value, json};

/// 2026-01-01 in microseconds.
pub const START: i64 = 1_767_225_600_000_000;
const TYPES: [&str; 5] = ["trigger-", "action-", "logic-", "transform-", "ai-"];

/// Runs every line of a drawing.
///
/// # Errors
/// The first line that is not as it says.
pub fn play(text: &str) -> Result<(), String> {
    let mut drawing = Drawing::default();
    let mut lines: Vec<(usize, String)> = Vec::new();
    let indents = text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indents.min().unwrap_or_default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.get(indent..).unwrap_or_default();
        let line = line.split(" # ").next().unwrap_or_default().trim_end();
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') && !last.is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push((number, line.trim().to_owned())),
        }
    }
    for (number, line) in lines.iter().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        drawing.line(line).map_err(|error| format!("line {number}: {line}\n  {error}"))?;
    }
    Ok(())
}

#[derive(Default)]
pub struct Drawing {
    nodes: Vec<Value>,
    edges: Vec<Value>,
    limits: Limits,
    pins: BTreeMap<String, Pin>,
    by_hand: bool,
    run: Option<Run>,
    seen: Vec<Value>,
}

struct Run {
    graph: Graph,
    state: State,
    now: i64,
    ran: Vec<String>,
    skipped: Vec<String>,
    asked: Vec<String>,
    cancelled: Vec<String>,
    outputs: BTreeMap<String, Value>,
    end: Option<End>,
    open: Vec<(EffectId, Request)>,
    waits: Vec<EffectId>,
}

impl Drawing {
    pub fn json(&self) -> Value {
        json!({"nodes": self.nodes, "edges": self.edges, "viewport": {"x": 0, "y": 0, "zoom": 1}})
    }

    pub fn line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
        if line.contains("->") && !line.contains('{') {
            return self.arrows(line);
        }
        if TYPES.iter().any(|start| rest.starts_with(start)) {
            return self.node(word, rest);
        }
        match word {
            "off" => {
                let node = self.nodes.iter_mut().find(|node| node["id"] == rest).ok_or("no such node")?;
                node["data"]["disabled"] = true.into();
                Ok(())
            }
            "pin" => {
                let (id, output) = rest.split_once(' ').ok_or("which output?")?;
                self.pins.insert(id.into(), Pin { handle: None, output: parsed(output)? });
                Ok(())
            }
            "again" => self.again(rest),
            "limits" => {
                self.limits = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                Ok(())
            }
            "by" => {
                self.by_hand = true;
                Ok(())
            }
            "seen" => {
                self.seen.push(parsed(rest)?);
                Ok(())
            }
            "given" => self.given(rest),
            _ => self.script(word, rest),
        }
    }

    fn node(&mut self, id: &str, rest: &str) -> Result<(), String> {
        let (kind, config) = rest.split_once(char::is_whitespace).unwrap_or((rest, "{}"));
        let config = parsed(config)?;
        let position = json!({"x": 0, "y": 100 * self.nodes.len()});
        self.nodes.push(json!({"id": id, "type": kind, "position": position, "data": {"label": id, "config": config}}));
        Ok(())
    }

    fn arrows(&mut self, line: &str) -> Result<(), String> {
        let (mut sources, mut targets, mut handle): (Vec<String>, Vec<String>, Option<String>) = Default::default();
        for word in line.split_whitespace().chain(["->"]) {
            if word.ends_with("->") {
                let next = word.trim_start_matches('-').trim_end_matches('>').trim_end_matches('-');
                for source in &sources {
                    for target in &targets {
                        let id = format!("e{}", self.edges.len());
                        self.edges.push(json!({"id": id, "source": source, "target": target, "sourceHandle": handle}));
                    }
                }
                sources = std::mem::take(&mut targets);
                handle = (!next.is_empty()).then(|| next.to_owned());
            } else {
                targets.push(word.trim_end_matches(',').to_owned());
            }
        }
        Ok(())
    }

    fn given(&mut self, rest: &str) -> Result<(), String> {
        let graph = Graph::parse(&self.json(), &self.limits).map_err(|error| error.to_string())?;
        let mut trigger = parsed(if rest.is_empty() { "{}" } else { rest })?;
        let mut records = serde_json::Map::new();
        for name in ["lead", "contact", "conversation", "appointment"] {
            if let Some(record) = trigger.as_object_mut().and_then(|trigger| trigger.remove(name)) {
                records.insert(name.into(), record);
            }
        }
        let begin = Begin {
            run: "run".into(),
            flow: "drawn".into(),
            trigger,
            records,
            pins: self.pins.clone(),
            ..Begin::default()
        };
        self.begin(graph, begin);
        Ok(())
    }

    /// The last run, once more from one of its nodes.
    fn again(&mut self, from: &str) -> Result<(), String> {
        let run = self.run.take().ok_or("nothing was given yet")?;
        let pins = run.state.pins(&run.graph, from).ok_or("not from there")?;
        let variables = run.state.variables().as_object().cloned().unwrap_or_default();
        let begin = Begin { run: "again".into(), flow: "drawn".into(), pins, variables, ..Begin::default() };
        self.begin(run.graph, begin);
        Ok(())
    }

    fn begin(&mut self, graph: Graph, begin: Begin) {
        let (state, actions) = State::start(&graph, begin, START);
        let mut run = Run {
            graph,
            state,
            now: START,
            ran: Vec::new(),
            skipped: Vec::new(),
            asked: Vec::new(),
            cancelled: Vec::new(),
            outputs: BTreeMap::new(),
            end: None,
            open: Vec::new(),
            waits: Vec::new(),
        };
        run.take(actions, self.by_hand, &self.seen);
        self.run = Some(run);
    }

    fn script(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let (by_hand, seen) = (self.by_hand, self.seen.clone());
        let run = self.run.as_mut().ok_or("nothing was given yet")?;
        let input = match word {
            "after" => {
                run.pass(rest, by_hand, &seen)?;
                None
            }
            "event" => {
                let id = run.waits.first().cloned().ok_or("nothing waits")?;
                Some(Input::Events { id, events: vec![parsed(rest)?] })
            }
            "signal" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, "true"));
                Some(Input::Signal { name: name.into(), value: parsed(value)? })
            }
            "cancel" => Some(Input::Cancel { reason: rest.into() }),
            "answer" | "fail" => {
                let (name, what) = rest.split_once(' ').unwrap_or((rest, "{}"));
                let at = run.open.iter().position(|(id, _)| named(id) == name).ok_or("it was not asked for")?;
                let (id, _) = run.open.remove(at);
                let reply = match word {
                    "answer" => Reply::Done(parsed(what)?),
                    _ => Reply::Failed { message: what.into(), again: true },
                };
                Some(Input::Answer { id, reply })
            }
            _ => return run.expect(word, rest),
        };
        if let Some(input) = input {
            run.give(input, by_hand, &seen);
        }
        Ok(())
    }
}

impl Run {
    /// Everything that is given is given twice, to a state that was kept and read again: neither may make a difference.
    fn give(&mut self, input: Input, by_hand: bool, seen: &[Value]) {
        let kept = serde_json::to_string(&self.state).unwrap();
        let mut again: State = serde_json::from_str(&kept).unwrap();
        let actions = self.state.handle(&self.graph, input.clone(), self.now);
        assert_eq!(again.handle(&self.graph, input.clone(), self.now), actions);
        assert_eq!(again, self.state);
        if matches!(input, Input::Answer { .. } | Input::Events { .. }) {
            assert_eq!(again.handle(&self.graph, input, self.now), []);
            assert_eq!(again, self.state);
        }
        self.take(actions, by_hand, seen);
    }

    fn take(&mut self, actions: Vec<Action>, by_hand: bool, seen: &[Value]) {
        let mut inputs = Vec::new();
        for action in actions {
            match action {
                Action::Do(effect) => {
                    self.asked.push(named(&effect.id));
                    match by_hand {
                        true => self.open.push((effect.id, effect.request)),
                        false => inputs.push(Input::Answer {
                            id: effect.id,
                            reply: Reply::Done(json!({"status": 200, "ok": true})),
                        }),
                    }
                }
                Action::Watch { id, .. } => {
                    self.waits.push(id.clone());
                    if !seen.is_empty() {
                        inputs.push(Input::Events { id, events: seen.to_vec() });
                    }
                }
                Action::Record(record) => {
                    let path: Vec<String> = record.path.iter().map(u32::to_string).collect();
                    let mut name = record.node.clone();
                    if !path.is_empty() {
                        let _ = write!(name, "/{}", path.join("."));
                    }
                    match record.outcome {
                        Outcome::Success | Outcome::Disabled | Outcome::Turn => self.ran.push(name.clone()),
                        Outcome::Pinned => self.ran.push(format!("{name}=")),
                        Outcome::Error => self.ran.push(format!("{name}!")),
                        Outcome::Retried => self.ran.push(format!("{name}~")),
                        Outcome::Skipped => self.skipped.push(name.clone()),
                        Outcome::Cancelled => self.cancelled.push(name.clone()),
                        Outcome::Waiting => {}
                    }
                    self.outputs.insert(name, record.output);
                }
                Action::Cancel(id) => {
                    self.waits.retain(|known| *known != id);
                    self.open.retain(|(known, _)| *known != id);
                }
                Action::Continue => inputs.push(Input::Tick),
                Action::End(end) => self.end = Some(end),
                Action::Emit { .. } | Action::Ask { .. } | Action::Start { .. } => {}
            }
        }
        for input in inputs {
            self.give(input, by_hand, seen);
        }
    }

    /// Wakes the run whenever something is due.
    fn pass(&mut self, span: &str, by_hand: bool, seen: &[Value]) -> Result<(), String> {
        let span: Duration = retry::parse_duration(span).map_err(|error| error.to_string())?;
        let end = self.now + i64::try_from(span.as_micros()).unwrap();
        while let Some(due) = self.state.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.give(Input::Tick, by_hand, seen);
        }
        self.now = end;
        Ok(())
    }

    fn expect(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let list = |found: &mut Vec<String>| {
            let wanted: Vec<&str> = rest.split_whitespace().collect();
            let found = std::mem::take(found);
            if found == wanted { Ok(()) } else { Err(format!("but: {}", found.join(" "))) }
        };
        let same = |found: &Value, wanted: &str| {
            let wanted = parsed(wanted)?;
            if filter::equal(found, &wanted) { Ok(()) } else { Err(format!("but: {found}")) }
        };
        match word {
            "runs" => list(&mut self.ran),
            "skips" => list(&mut self.skipped),
            "asks" => list(&mut self.asked),
            "cancels" => list(&mut self.cancelled),
            "variables" => same(self.state.variables(), rest),
            "output" => {
                let (name, wanted) = rest.split_once(' ').ok_or("output of what?")?;
                same(self.outputs.get(name).unwrap_or(&Value::Null), wanted)
            }
            "ends" => {
                let found = match &self.end {
                    None => "open".to_owned(),
                    Some(End::Completed { .. }) => "completed".to_owned(),
                    Some(End::Failed { message, .. }) => format!("failed {message}"),
                    Some(End::Cancelled { reason }) => format!("cancelled {reason}"),
                };
                if found == rest { Ok(()) } else { Err(format!("but: {found}")) }
            }
            _ => Err("what is this?".into()),
        }
    }
}

fn named(id: &EffectId) -> String {
    let path: Vec<String> = id.path.iter().map(u32::to_string).collect();
    if path.is_empty() { id.node.clone() } else { format!("{}/{}", id.node, path.join(".")) }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}
