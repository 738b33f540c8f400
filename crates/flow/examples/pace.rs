//! How many runs a second: trigger, condition, variable, stop; and the same with one request that is answered.

use std::time::Instant;

use flow::{Action, Begin, Graph, Input, Limits, Reply, State};
use serde_json::{Value, json};

const RUNS: u32 = 20_000;

fn main() {
    let plain = json!({
        "nodes": [
            {"id": "t", "type": "trigger-event", "data": {"event": "lead.created"}},
            {"id": "c", "type": "logic-condition", "data": {"conditions": [
                {"field": "trigger.new.score", "operator": "gte", "value": "80"}]}},
            {"id": "v", "type": "transform-set-variable", "data": {"name": "text", "value": "Dear {{ trigger.new.name }}"}},
            {"id": "h", "type": "action-http", "data": {"url": "https://example.com/{{ trigger.new.id }}", "disabled": true}},
            {"id": "s", "type": "logic-stop", "data": {}}
        ],
        "edges": [
            {"source": "t", "target": "c"},
            {"source": "c", "target": "v", "sourceHandle": "true"},
            {"source": "v", "target": "h"},
            {"source": "h", "target": "s"}
        ]
    });
    let mut asking = plain.clone();
    asking["nodes"][3]["data"]["disabled"] = false.into();
    for (name, json) in [("plain", plain), ("with a request", asking)] {
        let started = Instant::now();
        let graph = Graph::parse(&json, &Limits::default()).unwrap_or_else(|error| unreachable!("{error}"));
        let read = started.elapsed();
        let started = Instant::now();
        let mut bytes = 0;
        for run in 0..RUNS {
            bytes += one(&graph, run);
        }
        let rate = f64::from(RUNS) / started.elapsed().as_secs_f64();
        println!("{name}: read in {read:?}, {rate:.0} runs/s, {} bytes of state each", bytes / RUNS as usize);
    }
}

/// The bytes of its state, as it is kept.
fn one(graph: &Graph, run: u32) -> usize {
    let new: Value = json!({"id": run, "name": "Ada Lovelace", "score": 90, "email": "ada@example.com", "source": "web",
        "notes": "would like to visit on a Tuesday or a Thursday, in the afternoon", "tags": ["vip", "new"]});
    let begin = Begin { run: run.to_string(), flow: "pace".into(), trigger: json!({"new": new}), ..Begin::default() };
    let (mut state, actions) = State::start(graph, begin, 0);
    let kept = serde_json::to_string(&state).map_or(0, |text| text.len());
    for action in actions {
        if let Action::Do(effect) = action {
            let reply = Reply::Done(json!({"status": 200, "body": "ok"}));
            state.handle(graph, Input::Answer { id: effect.id, reply }, 1);
        }
    }
    assert!(state.is_over());
    kept
}
