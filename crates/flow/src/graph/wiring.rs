//! Edges: where they leave, where they lead, and what order that makes.

use serde_json::Value;

use super::Graph;
use super::read::list;
use crate::finding::shown;
use crate::kind::{BODY, ERROR, Kind, MAIN, TIMEOUT};
use crate::{Finding, Limits};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub source: u32,
    /// Of the source's ways out.
    pub port: u16,
    pub target: u32,
}

/// What editors call the only way out of a node.
const USUAL: [&str; 8] = ["out", "output", "source", "default", "success", "main", "next", "bottom"];

/// Connects the nodes, and orders them. What is found wrong leaves the edge out.
pub fn connect(graph: &mut Graph, json: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for item in list(json, "edges", Limits::EDGES).unwrap_or_default() {
        match edge(graph, item) {
            Ok(edge) => {
                let number = graph.edges.len() as u32;
                let source = &mut graph.nodes[edge.source as usize];
                source.outgoing.push(number);
                if matches!(source.kind, Kind::Wait | Kind::Approval) && source.ports[usize::from(edge.port)] == TIMEOUT
                {
                    source.saw_timeout_edge();
                }
                graph.nodes[edge.target as usize].incoming.push(number);
                graph.edges.push(edge);
            }
            Err(finding) => findings.push(finding),
        }
    }
    let order = order(graph);
    if order.len() < graph.nodes.len() {
        findings.push(cycle(graph, &order));
        return findings;
    }
    for (rank, node) in (0..).zip(&order) {
        graph.nodes[*node as usize].rank = rank;
    }
    regions(graph, &order, &mut findings);
    findings
}

fn edge(graph: &Graph, item: &Value) -> Result<Edge, Finding> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let (source, target) = (text("source"), text("target"));
    let hint = "Delete the edge, or lead it to a node that is there.";
    let find = |id: &str| match graph.number(id) {
        Some(number) => Ok(number),
        None => {
            let message = format!(
                "an edge from \"{}\" to \"{}\": there is no node \"{}\"",
                shown(source),
                shown(target),
                shown(id)
            );
            Err(Finding::error(None, message, hint))
        }
    };
    let (from, to) = (find(source)?, find(target)?);
    if from == to {
        return Err(Finding::error(
            Some(source),
            "an edge leads back to its own node",
            "A loop is a logic-loop node with a body.",
        ));
    }
    if graph.node(to).kind.is_trigger() {
        let hint = "A trigger is where a run begins; to start this flow again, use action-flow.";
        return Err(Finding::error(Some(target), "an edge leads to a trigger", hint));
    }
    let handle = text("sourceHandle");
    Ok(Edge { source: from, port: port(graph, from, handle)?, target: to })
}

fn port(graph: &Graph, source: u32, handle: &str) -> Result<u16, Finding> {
    let node = graph.node(source);
    if handle == MAIN {
        return match node.kind.must_choose() {
            false => Ok(0),
            true => {
                let ways: Vec<&str> = node.ports.iter().map(String::as_str).filter(|port| *port != ERROR).collect();
                let message = "an edge does not say by which way it leaves";
                Err(Finding::error(
                    Some(&node.id),
                    message,
                    format!("Its \"sourceHandle\" is one of: {}.", ways.join(", ")),
                ))
            }
        };
    }
    if let Some(port) = node.port(handle) {
        return Ok(port);
    }
    if node.ports[0] == MAIN && (USUAL.contains(&handle) || handle == node.id) {
        return Ok(0);
    }
    let ways: Vec<&str> = node.ports.iter().map(|port| if port.is_empty() { "none" } else { port.as_str() }).collect();
    let message = format!("an edge leaves by \"{}\", which this node does not have", shown(handle));
    Err(Finding::error(Some(&node.id), message, format!("Its handles are: {}.", ways.join(", "))))
}

/// Each node after all that lead to it; those on a cycle and behind one are missing.
fn order(graph: &Graph) -> Vec<u32> {
    let mut left: Vec<usize> = graph.nodes.iter().map(|node| node.incoming.len()).collect();
    let mut order: Vec<u32> = (0..).zip(&left).filter(|(_, left)| **left == 0).map(|(node, _)| node).collect();
    let mut at = 0;
    while let Some(node) = order.get(at).copied() {
        for edge in &graph.nodes[node as usize].outgoing {
            let target = graph.edges[*edge as usize].target;
            left[target as usize] -= 1;
            if left[target as usize] == 0 {
                order.push(target);
            }
        }
        at += 1;
    }
    order
}

/// Goes back along edges among the nodes that have no order, until one comes again.
fn cycle(graph: &Graph, order: &[u32]) -> Finding {
    let mut is_ordered = vec![false; graph.nodes.len()];
    order.iter().for_each(|node| is_ordered[*node as usize] = true);
    let mut seen: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut way: Vec<u32> = Vec::new();
    let mut at = is_ordered.iter().position(|ordered| !ordered).unwrap_or_default() as u32;
    while seen[at as usize].is_none() {
        seen[at as usize] = Some(way.len());
        way.push(at);
        let before = graph.nodes[at as usize].incoming.iter().map(|edge| graph.edges[*edge as usize].source);
        match before.into_iter().find(|source| !is_ordered[*source as usize]) {
            Some(source) => at = source,
            None => break,
        }
    }
    let from = seen[at as usize].unwrap_or_default();
    let mut round: Vec<u32> = way[from..].iter().rev().copied().collect();
    let first = round.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(at, _)| at);
    round.rotate_left(first);
    let mut ids: Vec<&str> = round.iter().take(10).map(|node| graph.node(*node).id.as_str()).collect();
    ids.extend(ids.first().copied());
    let first = ids.first().copied().unwrap_or_default().to_owned();
    Finding::error(
        Some(&first),
        format!("the edges make a cycle: {}", shown(&ids.join(" → "))),
        "To repeat something, use logic-loop: its body ends by itself and needs no edge back.",
    )
}

/// Which loop's body each node is in: where the edges that lead to it come from.
fn regions(graph: &mut Graph, order: &[u32], findings: &mut Vec<Finding>) {
    let mut depths = vec![0_usize; graph.nodes.len()];
    for node in order {
        let mut region: Option<Option<u32>> = None;
        let mut mixed = false;
        for edge in &graph.nodes[*node as usize].incoming {
            let edge = graph.edges[*edge as usize];
            let source = &graph.nodes[edge.source as usize];
            let inside = if is_body(source, edge.port) { Some(edge.source) } else { source.region };
            match region {
                None => region = Some(inside),
                Some(known) => mixed |= known != inside,
            }
        }
        let region = region.flatten();
        let depth = region.map_or(0, |around| depths[around as usize] + 1);
        depths[*node as usize] = depth;
        let id = graph.nodes[*node as usize].id.clone();
        if mixed {
            findings.push(Finding::error(
                Some(&id),
                "edges lead here from inside and from outside a loop's body",
                "What follows the loop leaves it by its \"done\" handle; only what is repeated hangs on \"body\".",
            ));
        }
        if depth > Limits::DEPTH {
            let message = format!("loops are nested more than {} deep", Limits::DEPTH);
            findings.push(Finding::error(Some(&id), message, "Let the inner loops be a flow of their own."));
            return;
        }
        graph.nodes[*node as usize].region = region;
    }
}

/// Whether an edge by this port leads into a loop's body.
pub fn is_body(node: &super::Node, port: u16) -> bool {
    node.kind == Kind::Loop && node.ports[usize::from(port)] == BODY
}
