//! What templates and conditions refer to: namespaces, nodes, secrets.

use crate::Finding;
use crate::finding::shown;
use crate::graph::{Graph, Node};
use crate::kind::Kind;
use crate::view::{NAMES, takes_secrets};

pub(crate) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, node) in graph.nodes() {
        for name in node.names() {
            let segments: Vec<&str> = name.split('.').collect();
            findings.extend(name_finding(graph, number, node, &segments));
        }
        let paths = node.filter.iter().flat_map(|filter| filter.paths());
        for path in paths {
            let segments: Vec<&str> = path.segments().iter().map(|segment| segment.name.as_str()).collect();
            let is_item = node.kind == Kind::Filter && !NAMES.contains(&segments[0]);
            let unknown = segments[0] == "node" && segments.get(1).is_none_or(|id| graph.number(id).is_none());
            if unknown {
                findings.push(no_node(node, segments.get(1).copied().unwrap_or_default()));
            } else if segments[0] != "node" && !is_item {
                findings.extend(name_finding(graph, number, node, &segments));
            }
        }
    }
    findings
}

fn name_finding(graph: &Graph, number: u32, node: &Node, segments: &[&str]) -> Option<Finding> {
    let first = segments[0];
    match first {
        "node" => {
            let alias = segments.get(1)?;
            match graph.node_of_alias(alias) {
                None => Some(no_node(node, alias)),
                Some(other) => reference(graph, number, node, other),
            }
        }
        "secrets" if !takes_secrets(node.kind) => Some(Finding::error(
            Some(&node.id),
            "secrets are for action-http nodes only",
            "What is filled in elsewhere would be kept with the run.",
        )),
        "secrets" if segments.len() != 2 => {
            Some(Finding::error(Some(&node.id), "a secret is named by its name alone", "As in {{ secrets.API_KEY }}."))
        }
        "item" | "index" if !has_item(node) => Some(Finding::error(
            Some(&node.id),
            format!("there is no \"{first}\" here"),
            "It is what a loop's body, transform-map and transform-filter go through.",
        )),
        known if NAMES.contains(&known) => None,
        unknown => Some(Finding::error(
            Some(&node.id),
            format!("nothing is called \"{}\"", shown(unknown)),
            format!("Values begin with one of: {}.", NAMES.join(", ")),
        )),
    }
}

fn no_node(node: &Node, id: &str) -> Finding {
    let hint = "Write node.<id>.<field>, with the id of a node that comes before.";
    Finding::error(Some(&node.id), format!("there is no node \"{}\" to take a value from", shown(id)), hint)
}

fn has_item(node: &Node) -> bool {
    node.region.is_some() || matches!(node.kind, Kind::Map | Kind::Filter | Kind::Loop)
}

/// A value of a node that comes later, or of another loop's body, is never there.
fn reference(graph: &Graph, number: u32, node: &Node, other: u32) -> Option<Finding> {
    let named = graph.node(other);
    let around = |node: u32| std::iter::successors(Some(node), |inner| graph.node(*inner).region);
    // What a loop makes of an iteration is made inside its body.
    let is_inner = node.kind == Kind::Loop && node.inner.is_some();
    if named.kind.is_trigger() || is_inner && named.region == Some(number) {
        return None;
    }
    let is_inside = named.region.is_none_or(|region| around(number).skip(1).any(|outer| outer == region));
    if named.rank < node.rank && is_inside {
        return None;
    }
    Some(Finding::warning(
        Some(&node.id),
        format!("node \"{}\" has no output here: it does not come before", shown(&named.id)),
        "Connect it so that it comes before; from a loop's body, take the loop's \"results\".",
    ))
}
