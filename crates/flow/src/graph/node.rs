//! A node, with all that can be known of it before a run.

use filter::Filter;
use serde_json::{Map, Value};

use crate::effect::mark;
use crate::kind::{ERROR, Kind};
use crate::settings::{self, Care, Fields, Join};
use crate::shape::{Shape, ShapeError};
use crate::source::{Ids, alias};
use crate::view::takes_secrets;
use crate::{Finding, Limits, condition};
use report::Report;

#[derive(Debug)]
pub(crate) struct Node {
    pub id: String,
    /// As templates name it.
    pub alias: String,
    /// Its type.
    pub name: String,
    pub kind: Kind,
    pub disabled: bool,
    pub care: Care,
    pub join: Join,
    pub settings: Shape,
    /// Made anew for each item (a map) or when an iteration is over (a loop).
    pub inner: Option<Shape>,
    /// Of conditions without templates.
    pub filter: Option<Filter>,
    /// An object of marks, where it uses secrets.
    pub secrets: Value,
    /// The ways out; the first is the usual one, the last is that of errors.
    pub ports: Vec<String>,
    /// Edges.
    pub outgoing: Vec<u32>,
    pub incoming: Vec<u32>,
    /// The loop in whose body it is.
    pub region: Option<u32>,
    /// Its place in an order in which every edge leads onwards.
    pub rank: u32,
    has_timeout: bool,
}

impl Node {
    pub fn new(
        id: &str,
        number: u32,
        name: &str,
        data: &Map<String, Value>,
        ids: &Ids,
        limits: &Limits,
    ) -> (Node, Vec<Finding>) {
        let kind = Kind::of(name);
        let bare;
        let config = match data.get("config").and_then(Value::as_object) {
            Some(config) => config,
            None => {
                bare = without_looks(data);
                &bare
            }
        };
        let (prepared, rest) = settings::prepared(kind, config);
        let mut findings = Vec::new();
        if let Err(mistake) = settings::check(kind, name, &prepared, limits) {
            findings.push(Finding::error(Some(id), mistake.message, mistake.hint));
        }
        if kind == Kind::Map && rest.is_none() {
            findings.push(Finding::error(
                Some(id),
                "\"each\" is missing",
                "As in {\"each\": {\"name\": \"{{ item.name }}\"}}.",
            ));
        }
        let fields = Fields::new(&prepared, true);
        let care =
            Care::read(kind, &fields, limits).or_else(|_| Care::read(kind, &Fields::new(&Map::new(), true), limits));
        let care = care.unwrap_or(Care {
            retries: 0,
            first_wait: std::time::Duration::ZERO,
            doubles: false,
            timeout: 1,
            goes_on: false,
        });
        let join = if kind == Kind::Merge { settings::join(&fields).unwrap_or(Join::Arrived) } else { Join::Arrived };
        let ports = ports(kind, &fields, limits);
        let is_off = |map: &Map<String, Value>| {
            map.get("disabled") == Some(&Value::Bool(true)) || map.get("enabled") == Some(&Value::Bool(false))
        };
        let disabled = is_off(data) || is_off(config);
        // What a trigger says is about the event, not for the run.
        let empty = Map::new();
        let made = if kind.is_trigger() { &empty } else { &prepared };
        let (settings, filter) = (shape(&made.clone().into(), ids, id, &mut findings), static_filter(kind, &prepared));
        let inner = rest.map(|rest| shape(&rest, ids, id, &mut findings));
        let secrets = secrets(kind, &settings);
        let node = Node {
            id: id.to_owned(),
            alias: alias(id, number).into_owned(),
            name: name.to_owned(),
            kind,
            disabled,
            care,
            join,
            settings,
            inner,
            filter,
            secrets,
            ports,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            region: None,
            rank: 0,
            has_timeout: false,
        };
        (node, findings)
    }

    pub fn error_port(&self) -> u16 {
        (self.ports.len() - 1) as u16
    }

    pub fn port(&self, name: &str) -> Option<u16> {
        self.ports.iter().position(|port| port == name).map(|at| at as u16)
    }

    /// How a step's record names the way that it was left by.
    pub fn handle(&self, port: u16) -> Option<String> {
        self.ports.get(usize::from(port)).filter(|name| !name.is_empty()).cloned()
    }

    pub fn saw_timeout_edge(&mut self) {
        self.has_timeout = true;
    }

    pub fn has_timeout_edge(&self) -> bool {
        self.has_timeout
    }

    /// Whether the plain way out of a wait is taken, too: for every event, and for a time-out that no other edge is
    /// for.
    pub fn any_event(&self, port: u16) -> bool {
        self.kind == Kind::Wait && port != self.error_port() && (port != 1 || !self.has_timeout)
    }

    /// Names of secrets in its templates.
    pub fn secret_names(&self) -> Vec<String> {
        self.secrets.as_object().map(|marks| marks.keys().cloned().collect()).unwrap_or_default()
    }

    /// All paths that its templates look at.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.settings.names().iter().chain(self.inner.iter().flat_map(|inner| inner.names()))
    }
}

/// What an editor shows is no setting.
const LOOKS: [&str; 7] = ["label", "icon", "color", "nodeType", "node_type", "disabled", "enabled"];

fn without_looks(data: &Map<String, Value>) -> Map<String, Value> {
    data.iter()
        .filter(|(name, _)| !LOOKS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn ports(kind: Kind, fields: &Fields<'_>, limits: &Limits) -> Vec<String> {
    let mut ports: Vec<String> = kind.handles().iter().map(|handle| (*handle).to_owned()).collect();
    match kind {
        Kind::Switch => {
            if let Ok(cases) = settings::cases(fields) {
                ports.extend(cases.cases.into_iter().map(|(name, _)| name));
            }
        }
        Kind::Wait => {
            if let Ok((events, _)) = settings::watched(fields, limits) {
                ports.extend(events.into_iter().map(|event| event.name));
            }
        }
        _ => {}
    }
    ports.push(ERROR.to_owned());
    ports
}

fn shape(value: &Value, ids: &Ids, id: &str, findings: &mut Vec<Finding>) -> Shape {
    Shape::parse(value, ids).unwrap_or_else(|ShapeError { place, error }| {
        let place = place.trim_start_matches('/').replace('/', ".");
        let message = if place.is_empty() { error.to_string() } else { format!("\"{place}\": {error}") };
        findings.push(Finding::error(Some(id), message, error.hint().unwrap_or_default()));
        Shape::empty()
    })
}

fn static_filter(kind: Kind, settings: &Map<String, Value>) -> Option<Filter> {
    if !matches!(kind, Kind::Condition | Kind::Filter) {
        return None;
    }
    let filter = condition::filter(settings).ok()?;
    (!settings::has_template(&filter)).then(|| Filter::parse(&filter).ok())?
}

/// Marks for the secrets that are named: only a dotted name is one.
fn secrets(kind: Kind, settings: &Shape) -> Value {
    if !takes_secrets(kind) {
        return Value::Null;
    }
    let names = settings.names().iter().filter_map(|name| name.strip_prefix("secrets."));
    let marks: Map<String, Value> = names.map(|name| (name.to_owned(), mark(name).into())).collect();
    if marks.is_empty() { Value::Null } else { marks.into() }
}
