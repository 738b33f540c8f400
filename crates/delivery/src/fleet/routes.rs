//! Which endpoints take which type of event, remembered.

use std::collections::HashMap;
use std::rc::Rc;

use crate::event::{Event, Op};

/// Ids of endpoints, in order.
pub(crate) type Route = Rc<[i64]>;

/// Types that are remembered; users may make up as many as they like.
const MOST: usize = 10_000;

/// Event type -> endpoints whose patterns take it; the engine's own events apart.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    of_users: HashMap<String, Route>,
    of_service: HashMap<String, Route>,
}

impl Routes {
    pub(crate) fn clear(&mut self) {
        self.of_users.clear();
        self.of_service.clear();
    }

    /// `takers`: those that take a type, when it is not known yet.
    pub(crate) fn find(&mut self, event: &Event, takers: impl FnOnce(&str, bool) -> Vec<i64>) -> Route {
        if let Some(target) = event.target {
            return Rc::new([target]);
        }
        let service = event.op == Op::Service;
        let routes = if service { &mut self.of_service } else { &mut self.of_users };
        if let Some(route) = routes.get(&event.kind) {
            return route.clone();
        }
        let mut ids = takers(&event.kind, service);
        ids.sort_unstable();
        let route: Route = ids.into();
        if routes.len() >= MOST {
            routes.clear();
        }
        routes.insert(event.kind.clone(), route.clone());
        route
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_asked_for_once() {
        let mut routes = Routes::default();
        let event = Event { kind: "a.b".into(), ..Event::default() };
        assert_eq!(*routes.find(&event, |kind, service| vec![2, kind.len() as i64, i64::from(service)]), [0, 2, 3]);
        assert_eq!(*routes.find(&event, |_, _| unreachable!()), [0, 2, 3]);
        let service = Event { op: Op::Service, kind: "a.b".into(), ..Event::default() };
        assert_eq!(*routes.find(&service, |_, service| vec![i64::from(service)]), [1]);
        routes.clear();
        assert!(routes.find(&event, |_, _| Vec::new()).is_empty());
        let to_one = Event { target: Some(7), ..Event::default() };
        assert_eq!(*routes.find(&to_one, |_, _| unreachable!()), [7]);
    }
}
