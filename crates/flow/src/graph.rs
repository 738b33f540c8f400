//! A flow's graph, read and ready to run.

mod node;
mod read;
mod wiring;

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use crate::finding::shown;
use crate::source::Ids;
use crate::{Finding, Limits, Trigger, check, names};

pub(crate) use node::Node;
pub(crate) use wiring::Edge;

/// What an editor made, checked. What is wrong with it is [`check`](crate::check)'s to say; one with errors does not
/// run.
#[derive(Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    ids: Ids,
    aliases: HashMap<String, u32>,
    limits: Limits,
    /// The node that a run begins at, and what it says.
    start: Option<(u32, Trigger)>,
    findings: Vec<Finding>,
}

/// Why a JSON value is no graph at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphError {
    NotAnObject,
    NoList { name: &'static str },
    TooMany { name: &'static str, got: usize, most: usize },
}

impl Graph {
    /// Reads `{"nodes": […], "edges": […]}` as React Flow exports it; what is layout is overlooked. A node's settings
    /// are
    /// `data.config`, or `data` where there is no `config`.
    ///
    /// # Errors
    /// It is no graph, or too large. All else that may be wrong is a finding.
    pub fn parse(json: &Value, limits: &Limits) -> Result<Graph, GraphError> {
        let mut graph = read::graph(json, limits)?;
        let findings = wiring::connect(&mut graph, json);
        graph.findings.extend(findings);
        let found = names::check(&graph).into_iter().chain(check::connections(&graph)).collect::<Vec<_>>();
        graph.findings.extend(found);
        Ok(graph)
    }

    /// What it starts at.
    pub fn trigger(&self) -> Option<&Trigger> {
        self.start.as_ref().map(|(_, trigger)| trigger)
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The ids of all nodes, in the order of the graph.
    pub fn node_ids(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.id.as_str())
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(crate) fn start(&self) -> Option<u32> {
        self.start.as_ref().map(|(node, _)| *node)
    }

    pub(crate) fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (u32, &Node)> {
        (0..).zip(&self.nodes)
    }

    pub(crate) fn edge(&self, number: u32) -> &Edge {
        &self.edges[number as usize]
    }

    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        self.ids.get(id).copied()
    }

    pub(crate) fn node_of_alias(&self, alias: &str) -> Option<u32> {
        self.aliases.get(alias).copied()
    }

    /// Whether an edge leads into its source's body.
    pub(crate) fn is_body(&self, edge: &Edge) -> bool {
        wiring::is_body(self.node(edge.source), edge.port)
    }

    /// Whether a run that leaves `node` by `port` takes this edge of it.
    pub(crate) fn takes(&self, node: u32, port: u16, edge: &Edge) -> bool {
        edge.port == port || edge.port == 0 && self.node(node).any_event(port)
    }
}

impl GraphError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            GraphError::TooMany { .. } => "Divide the flow: action-flow starts another one.".into(),
            _ => "As React Flow's toObject() makes it: {\"nodes\": [...], \"edges\": [...]}.".into(),
        }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::NotAnObject => f.write_str("a graph is a JSON object"),
            GraphError::NoList { name } => write!(f, "the graph's \"{}\" is not an array", shown(name)),
            GraphError::TooMany { name, got, most } => {
                write!(f, "the graph has {got} {name}, at most {most} are allowed")
            }
        }
    }
}

impl std::error::Error for GraphError {}
