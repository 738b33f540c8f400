//! Fuzz target: no graph makes the reading, the check or a run panic or last.

use flow::{Action, Begin, Graph, Input, Limits, Reply, State, check};
use fuzzing::{at_once, texts};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A line each: what editors export, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

fn triggers() -> Vec<Value> {
    vec![
        json!({
            "new": {"score": 90, "email": "ada@example.com", "name": "Ada"},
            "list": [1, "x", null],
            "when": "2026-01-02T00:00:00Z",
        }),
        json!({"new": [], "list": "x".repeat(5000), "when": 7}),
        Value::Null,
    ]
}

proptest! {
    #[test]
    fn a_graph_is_read_checked_and_run(text in texts(CORPUS)) {
        at_once(&text, || {
            let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
            let Ok(graph) = Graph::parse(&value, &Limits::default()) else { return Ok(()) };
            check(&graph);
            for trigger in triggers() {
                let begin = Begin { run: "run".into(), trigger, ..Begin::default() };
                let (mut state, mut actions) = State::start(&graph, begin, 0);
                for turn in 0..50 {
                    let asked = actions.iter().find_map(|action| match action {
                        Action::Do(effect) => Some(effect.id.clone()),
                        _ => None,
                    });
                    let input = match asked {
                        Some(id) => Input::Answer { id, reply: Reply::Done(json!({"status": 200, "rows": [{"id": turn}]})) },
                        None => Input::Tick,
                    };
                    actions = state.handle(&graph, input, state.due().unwrap_or_default());
                }
            }
            Ok(())
        })?;
    }
}
