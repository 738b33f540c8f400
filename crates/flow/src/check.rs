//! What is wrong with a graph, as far as the graph alone shows it.

use std::collections::HashMap;

use filter::Pattern;
use serde_json::Value;

use crate::graph::{Graph, Node};
use crate::kind::Kind;
use crate::settings::{Ends, Fields, Join, stop};
use crate::{Finding, Limits, Trigger};

/// How far back ways are followed to see whether two of them exclude each other.
const BACK: usize = 100;

/// Everything, in the order of the graph. A graph with an error does not run.
pub fn check(graph: &Graph) -> Vec<Finding> {
    graph.findings().to_vec()
}

/// As [`check`], of what may not even be a graph.
pub fn check_json(json: &Value, limits: &Limits) -> Vec<Finding> {
    match Graph::parse(json, limits) {
        Ok(graph) => check(&graph),
        Err(error) => vec![Finding::error(None, error.to_string(), error.hint())],
    }
}

/// What the edges and the nodes together show.
pub(crate) fn connections(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    let reached = reached(graph);
    for (number, node) in graph.nodes() {
        if !reached[number as usize] && !node.kind.is_trigger() && graph.start().is_some() {
            let hint = "It never runs: connect it, or delete it.";
            findings.push(Finding::warning(Some(&node.id), "no way leads here from the trigger", hint));
        }
        match node.kind {
            Kind::Loop if !node.outgoing.iter().any(|edge| graph.is_body(graph.edge(*edge))) => {
                let hint = "Lead an edge from its \"body\" handle to what is to be repeated.";
                findings.push(Finding::warning(Some(&node.id), "a loop repeats nothing", hint));
            }
            Kind::Merge => findings.extend(merge(graph, node)),
            Kind::Stop if node.region.is_none() && ends_a_loop(node) => {
                let hint = "Outside a loop it ends the run.";
                findings.push(Finding::warning(Some(&node.id), "there is no loop for this stop to end", hint));
            }
            _ => {}
        }
        findings.extend(feeds_itself(graph, node));
    }
    findings
}

fn reached(graph: &Graph) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes().count()];
    let mut open: Vec<u32> = graph.start().into_iter().collect();
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut reached[node as usize], true) {
            continue;
        }
        open.extend(graph.node(node).outgoing.iter().map(|edge| graph.edge(*edge).target));
    }
    reached
}

fn ends_a_loop(node: &Node) -> bool {
    let settings = node.settings.plain().and_then(Value::as_object);
    settings.is_some_and(|map| matches!(stop(&Fields::new(map, true)), Ok((Ends::Loop | Ends::Iteration, _))))
}

fn merge(graph: &Graph, node: &Node) -> Option<Finding> {
    let ways = node.incoming.len();
    match node.join {
        Join::First(wanted) if wanted as usize > ways => Some(Finding::error(
            Some(&node.id),
            format!("a merge waits for {wanted} ways, and {ways} lead to it"),
            "It would never run: lower its \"count\".",
        )),
        Join::All if excludes(graph, node) => Some(Finding::warning(
            Some(&node.id),
            "a merge waits for two ways of which only one can be taken",
            "It never runs. With the mode \"arrived\" it waits for those that are taken.",
        )),
        _ => None,
    }
}

/// Whether two ways to a node begin at different ends of one decision.
fn excludes(graph: &Graph, node: &Node) -> bool {
    let mut decisions: HashMap<u32, u16> = HashMap::new();
    for edge in &node.incoming {
        let mut edge = *graph.edge(*edge);
        for _ in 0..BACK {
            let source = graph.node(edge.source);
            if matches!(source.kind, Kind::Condition | Kind::Switch | Kind::Approval)
                && *decisions.entry(edge.source).or_insert(edge.port) != edge.port
            {
                return true;
            }
            match source.incoming.as_slice() {
                [only] => edge = *graph.edge(*only),
                _ => break,
            }
        }
    }
    false
}

/// A node whose event starts the same flow again.
fn feeds_itself(graph: &Graph, node: &Node) -> Option<Finding> {
    let Some(Trigger::Event { patterns, .. }) = graph.trigger() else { return None };
    let emitted = match node.kind {
        Kind::Emit => node.settings.plain().and_then(Value::as_object).and_then(|map| {
            let named =
                ["event", "event_type", "eventType", "type", "name"].iter().find_map(|name| map.get(*name)?.as_str());
            named.map(|name| vec![name])
        })?,
        Kind::Business => match node.name.as_str() {
            "action-update-lead" => vec!["lead.updated"],
            "action-create-booking" => vec!["appointment.created", "booking.created"],
            "action-send-message" => vec!["message.sent"],
            _ => return None,
        },
        _ => return None,
    };
    let patterns = patterns.iter().filter_map(|pattern| Pattern::parse(pattern).ok());
    let mut matching =
        patterns.flat_map(|pattern| emitted.iter().filter(move |kind| pattern.matches(kind)).collect::<Vec<_>>());
    let kind = matching.next()?;
    Some(Finding::warning(
        Some(&node.id),
        format!("this node makes \"{kind}\", which this flow starts on"),
        "A flow does not start on its own writes unless it says so; a narrower trigger makes sure.",
    ))
}
