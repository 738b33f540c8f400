//! Questions and orders over HTTP.

use receiver::{Arrival, Options, Receiver, Record, Stats};

use crate::client::{ask, body, post};

fn controlled() -> Receiver {
    Receiver::spawn(Options { control: true, keep_ids: true, ..Options::default() }).unwrap()
}

#[test]
fn what_was_counted_can_be_asked_and_forgotten() {
    let receiver = controlled();
    post(&receiver, "/ok", "a");
    post(&receiver, "/x", "b");
    let get = |path: &str| ask(receiver.address(), "GET", path, &[], "").1;
    let stats: Stats = serde_json::from_str(body(&get("/_control/stats"))).unwrap();
    assert_eq!((stats.total.requests, stats.paths["/x"].ids), (2, 1));
    let ids: Vec<Arrival> = serde_json::from_str(body(&get("/_control/ids?path=/x"))).unwrap();
    assert_eq!(ids[0].id, "b");
    let last: Vec<Record> = serde_json::from_str(body(&get("/_control/last?n=1"))).unwrap();
    assert_eq!((last.len(), last[0].path.as_str()), (1, "/x"));
    assert_eq!(ask(receiver.address(), "POST", "/_control/reset", &[], "").0, 200);
    assert_eq!(receiver.stats().total.requests, 0);
}

#[test]
fn a_toggle_is_set_and_outlives_a_reset() {
    let receiver = controlled();
    let put = |path: &str| ask(receiver.address(), "PUT", path, &[], "").0;
    assert_eq!(post(&receiver, "/toggle/shop", "1"), 200);
    assert_eq!(put("/_control/toggle/shop/503"), 200);
    receiver.reset();
    assert_eq!(post(&receiver, "/toggle/shop", "2"), 503);
    assert_eq!(post(&receiver, "/toggle/other", "3"), 200);
    receiver.toggle("shop", 204);
    assert_eq!(post(&receiver, "/toggle/shop", "4"), 204);
    assert_eq!(put("/_control/toggle/shop/no"), 400);
    assert_eq!(put("/_control/toggle/shop/0"), 200);
    assert_eq!(put("/_control/nonsense"), 404);
}

#[test]
fn without_control_the_paths_are_ordinary() {
    let receiver = crate::client::receiver();
    assert_eq!(post(&receiver, "/_control/reset", "a"), 200);
    assert_eq!(receiver.stats().total.requests, 1);
}

#[test]
fn every_port_counts_together_and_the_plain_one_is_asked_without_tls() {
    let options = Options { control: true, plain_door: true, more_ports: 3, ..Options::default() };
    let receiver = Receiver::spawn(options).unwrap();
    assert_eq!(receiver.more().len(), 3);
    for address in receiver.more() {
        assert_eq!(ask(*address, "POST", "/ok", &[("webhook-id", &address.to_string())], "{}").0, 200);
    }
    let door = receiver.plain_door().unwrap();
    let stats: Stats = serde_json::from_str(body(&ask(door, "GET", "/_control/stats", &[], "").1)).unwrap();
    assert_eq!(stats.total.ids, 3);
}
