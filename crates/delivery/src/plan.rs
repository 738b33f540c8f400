//! What an endpoint is to get, and how: its settings, as far as they decide about what is sent when.

use std::time::Duration;

use filter::{Filter, Pattern};
use retry::Policy;
use serde_json::Value;

use crate::event::{Event, Op};
use crate::log::Snapshot;

/// Attempts on one host of direct requests at a time.
pub const HOST_AT_ONCE: usize = 64;
/// Events that events led to: deeper ones go to nobody.
const DEEPEST: i16 = 8;

/// An endpoint's settings.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: i64,
    pub name: String,
    pub active: bool,
    pub patterns: Vec<Pattern>,
    /// Patterns that name the engine's own events on purpose.
    pub service_patterns: Vec<Pattern>,
    pub filter: Option<Filter>,
    pub policy: Policy,
    pub max_in_flight: usize,
    /// Per second.
    pub rate: Option<f64>,
    pub ordered: bool,
    pub tenant: Option<String>,
    /// What was committed before is not for it.
    pub created: Option<Snapshot>,
    pub failing_since: Option<i64>,
    pub failures: i32,
}

impl Plan {
    /// For a host that direct requests go to.
    pub(crate) fn host() -> Plan {
        Plan {
            id: 0,
            name: String::new(),
            active: true,
            patterns: Vec::new(),
            service_patterns: Vec::new(),
            filter: None,
            policy: Policy::new([1, 5, 30].map(Duration::from_secs).to_vec()),
            max_in_flight: HOST_AT_ONCE,
            rate: None,
            ordered: false,
            tenant: None,
            created: None,
            failing_since: None,
            failures: 0,
        }
    }

    /// Does one of its patterns take this type of event? `service`: the engine's own events, which a lone `*` does not take.
    pub(crate) fn takes(&self, kind: &str, service: bool) -> bool {
        let patterns = if service { &self.service_patterns } else { &self.patterns };
        patterns.iter().any(|pattern| pattern.matches(kind))
    }

    /// Is this event, whose type it takes, for this endpoint? The same decisions as frontdesk_internal.routing().
    pub(crate) fn concerns(&self, event: &Event, document: &mut Option<Value>) -> bool {
        if self.created.as_ref().is_some_and(|created| created.sees(event.xid)) || event.depth > DEEPEST {
            return false;
        }
        if self.tenant.is_some() && self.tenant != event.tenant {
            return false;
        }
        let service = event.op == Op::Service;
        // What could not be read may be what the filter is after.
        if event.unread.is_some() || !service && self.filter.is_none() {
            return true;
        }
        let document = document.get_or_insert_with(|| event.document());
        if service && document["new"]["endpoint"] == self.name.as_str() {
            return false;
        }
        self.filter.as_ref().is_none_or(|filter| filter.matches(document))
    }

    /// Both: type and content. For a reader that reads for this endpoint alone.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        match event.target {
            Some(target) => target == self.id,
            None => {
                event.op != Op::Request
                    && self.takes(&event.kind, event.op == Op::Service)
                    && self.concerns(event, &mut None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pattern: &str) -> Plan {
        let patterns = vec![Pattern::parse(pattern).unwrap()];
        Plan { id: 1, name: "crm".into(), patterns: patterns.clone(), service_patterns: patterns, ..Plan::host() }
    }

    fn event(kind: &str) -> Event {
        Event { kind: kind.into(), xid: 9, ..Event::default() }
    }

    #[test]
    fn it_wants_what_its_patterns_take_its_tenant_owns_and_its_filter_matches() {
        let plain = plan("lead.*");
        assert!(plain.wants(&event("lead.created")));
        assert!(!plain.wants(&event("booking.created")));
        let of = |tenant: &str| Event { tenant: Some(tenant.into()), ..event("lead.created") };
        let owned = Plan { tenant: Some("a".into()), ..plan("lead.*") };
        assert!(owned.wants(&of("a")) && !owned.wants(&of("b")) && !owned.wants(&event("lead.created")));
        let filter = Filter::parse(&serde_json::json!({"new.score": {"$gt": 5}})).ok();
        let scored = |score| Event { record: Some(format!("{{\"score\": {score}}}")), ..event("lead.created") };
        let filtered = Plan { filter, ..plan("lead.*") };
        assert!(filtered.wants(&scored(6)) && !filtered.wants(&scored(5)));
        let unread = Event { unread: Some("too large".into()), ..event("lead.created") };
        assert!(filtered.wants(&unread), "it may be what the filter is after");
    }

    #[test]
    fn what_was_committed_before_it_was_added_is_not_for_it() {
        let late = Plan { created: Snapshot::parse("10:10:"), ..plan("lead.*") };
        assert!(!late.wants(&event("lead.created")));
        assert!(late.wants(&Event { xid: 10, ..event("lead.created") }));
    }

    #[test]
    fn events_for_one_endpoint_are_for_no_other() {
        let to = |target| Event { target: Some(target), ..event("anything") };
        assert!(plan("lead.*").wants(&to(1)));
        assert!(!plan("*").wants(&to(2)));
    }

    #[test]
    fn nobody_is_told_of_their_own_failures_and_no_chain_is_endless() {
        let service = |name: &str| Event {
            op: Op::Service,
            record: Some(format!("{{\"endpoint\": \"{name}\"}}")),
            ..event("endpoint.failing")
        };
        assert!(plan("endpoint.*").wants(&service("other")));
        assert!(!plan("endpoint.*").wants(&service("crm")));
        assert!(!plan("lead.*").wants(&Event { depth: 9, ..event("lead.created") }));
    }
}
