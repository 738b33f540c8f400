//! From JSON to nodes.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Graph, GraphError, Node};
use crate::finding::shown;
use crate::kind::Kind;
use crate::settings::{Fields, trigger};
use crate::source::Ids;
use crate::{Finding, Limits};

/// The nodes, without their edges.
pub fn graph(json: &Value, limits: &Limits) -> Result<Graph, GraphError> {
    let listed = list(json, "nodes", Limits::NODES)?;
    list(json, "edges", Limits::EDGES)?;
    let mut findings = Vec::new();
    let mut ids = Ids::new();
    let mut drafts: Vec<(&str, String, &Map<String, Value>)> = Vec::with_capacity(listed.len());
    let nothing = Map::new();
    for (position, item) in (1..).zip(listed) {
        let Some(id) = item.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            findings.push(Finding::error(
                None,
                format!("node {position} has no id"),
                "Each node has an \"id\", a text.",
            ));
            continue;
        };
        let data = item.get("data").and_then(Value::as_object).unwrap_or(&nothing);
        let name = type_of(item, data);
        if Kind::is_ornament(&name) {
            continue;
        }
        if ids.insert(id.to_owned(), drafts.len() as u32).is_some() {
            findings.push(Finding::error(Some(id), "two nodes have this id", "Give each node an id of its own."));
            ids.insert(id.to_owned(), drafts.iter().position(|(known, ..)| *known == id).unwrap_or_default() as u32);
            continue;
        }
        drafts.push((id, name, data));
    }
    let mut nodes = Vec::with_capacity(drafts.len());
    let mut start = None;
    for (number, &(id, ref name, data)) in (0..).zip(&drafts) {
        let (node, found) = Node::new(id, number, name, data, &ids, limits);
        findings.extend(found);
        findings.extend(type_findings(&node));
        if node.kind.is_trigger() {
            let config = data.get("config").and_then(Value::as_object).unwrap_or(data);
            match (&start, trigger(node.kind, &Fields::new(config, true))) {
                (None, Ok(says)) => start = Some((number, says)),
                (None, Err(_)) => {}
                (Some((first, _)), _) => {
                    let first = drafts.get(*first as usize).map(|(id, ..)| *id).unwrap_or_default();
                    let message = format!("a second trigger: node \"{}\" is one already", shown(first));
                    findings.push(Finding::error(
                        Some(id),
                        message,
                        "Make a flow for each; action-flow starts the part that they share.",
                    ));
                }
            }
        }
        nodes.push(node);
    }
    if !nodes.iter().any(|node| node.kind.is_trigger()) {
        let hint = "Add a trigger-event, trigger-schedule, trigger-manual or trigger-ai-tool node.";
        findings.push(Finding::error(None, "the flow has no trigger", hint));
    }
    let aliases: HashMap<String, u32> = (0..).zip(&nodes).map(|(number, node)| (node.alias.clone(), number)).collect();
    Ok(Graph { nodes, edges: Vec::new(), ids, aliases, limits: limits.clone(), start, findings })
}

pub fn list<'a>(json: &'a Value, name: &'static str, most: usize) -> Result<&'a [Value], GraphError> {
    let object = json.as_object().ok_or(GraphError::NotAnObject)?;
    let list = match object.get(name) {
        Some(Value::Array(list)) => list.as_slice(),
        None | Some(Value::Null) if name == "edges" => &[],
        _ => return Err(GraphError::NoList { name }),
    };
    match list.len() {
        got if got > most => Err(GraphError::TooMany { name, got, most }),
        _ => Ok(list),
    }
}

/// Editors with nodes of their own look keep the type in `data`.
fn type_of(item: &Value, data: &Map<String, Value>) -> String {
    let own = item.get("type").and_then(Value::as_str).unwrap_or_default();
    let kept = ["nodeType", "type", "node_type"].iter().filter_map(|name| data.get(*name)).find_map(Value::as_str);
    match kept.filter(|kept| Kind::of(own) == Kind::Unknown && Kind::of(kept) != Kind::Unknown) {
        Some(kept) => kept.to_owned(),
        None => own.to_owned(),
    }
}

fn type_findings(node: &Node) -> Option<Finding> {
    if node.kind != Kind::Unknown {
        return None;
    }
    let known: Vec<&str> = Kind::names().collect();
    Some(Finding::error(
        Some(&node.id),
        format!("there is no type of node \"{}\"", shown(&node.name)),
        format!("Types are {}; action-… of your own have a handler.", known.join(", ")),
    ))
}
