//! What is counted and kept.

use receiver::{Options, Receiver};
use serde_json::json;

use crate::client::{ask, post, receiver};

#[test]
fn requests_ids_and_repeats_are_counted_per_path() {
    let receiver = receiver();
    for (path, id) in [("/ok", "a"), ("/ok", "b"), ("/ok", "a"), ("/ok/other", "a"), ("/fail-first/1/t", "a")] {
        post(&receiver, path, id);
    }
    post(&receiver, "/fail-first/1/t", "a");
    let stats = receiver.stats();
    let ok = stats.paths["/ok"];
    assert_eq!((ok.requests, ok.accepted, ok.ids, ok.repeats, ok.needless), (3, 3, 2, 1, 1));
    // a retry after a failure is a repeat, but not a needless one
    let failed = stats.paths["/fail-first/1/t"];
    assert_eq!((failed.requests, failed.accepted, failed.ids, failed.repeats, failed.needless), (2, 1, 1, 1, 0));
    assert_eq!((stats.total.requests, stats.total.ids, stats.total.accepted_ids), (6, 4, 4));
    assert_eq!(stats.total.body_bytes, 12);
    assert!(stats.first_unix_us > 0 && stats.first_unix_us <= stats.last_unix_us);
    receiver.reset();
    assert_eq!(receiver.stats(), receiver::Stats::default());
}

#[test]
fn queries_do_not_make_new_paths_and_no_id_is_no_id() {
    let receiver = receiver();
    for query in 0..3 {
        assert_eq!(ask(receiver.address(), "POST", &format!("/ok?n={query}"), &[], "").0, 200);
    }
    let stats = receiver.stats();
    assert_eq!((stats.paths.len(), stats.paths["/ok"].requests, stats.total.ids), (1, 3, 0));
}

#[test]
fn arrivals_are_kept_in_order_when_asked_for() {
    let receiver = Receiver::spawn(Options { keep_ids: true, ..Options::default() }).unwrap();
    let send = |path: &str, id: &str, body: &str| ask(receiver.address(), "POST", path, &[("webhook-id", id)], body);
    send("/ok", "msg_2", r#"{"type":"x","data":{"id":2}}"#);
    send("/ok", "msg_1", r#"{"data":1}"#);
    send("/status/500", "msg_3", "not json");
    send("/ok", "msg_4", &format!(r#"{{"data":"{}"}}"#, "x".repeat(600)));
    let arrivals = receiver.arrivals(Some("/ok"));
    let ids: Vec<&str> = arrivals.iter().map(|arrival| arrival.id.as_str()).collect();
    assert_eq!(ids, ["msg_2", "msg_1", "msg_4"]);
    assert_eq!(arrivals[0].data, Some(json!({"id": 2})));
    assert_eq!(arrivals[1].data, Some(json!(1)));
    assert_eq!(arrivals[2].data, None);
    let failed = receiver.arrivals(Some("/status/500")).remove(0);
    assert_eq!((failed.status, failed.data), (500, None));
    assert_eq!(receiver.arrivals(None).len(), 4);
    assert!(receiver.arrivals(Some("/nothing")).is_empty());
}

#[test]
fn the_last_requests_are_at_hand() {
    let receiver = receiver();
    for id in 0..150 {
        post(&receiver, "/ok", &id.to_string());
    }
    let last = receiver.last(2);
    assert_eq!(last.iter().map(|record| record.id.as_deref().unwrap()).collect::<Vec<_>>(), ["148", "149"]);
    assert_eq!(receiver.last(1000).len(), 100);
}

#[test]
fn records_are_written_as_lines() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{}.jsonl", std::process::id()));
    let receiver = Receiver::spawn(Options { record: Some(path.clone()), ..Options::default() }).unwrap();
    post(&receiver, "/ok", "a");
    post(&receiver, "/status/500", "b");
    let text = std::fs::read_to_string(&path).unwrap();
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(
        (&records[0]["webhook-id"], &records[0]["path"], &records[0]["body"]),
        (&json!("a"), &json!("/ok"), &json!("{}"))
    );
    assert_eq!(records[1]["verified"], json!(null));
}

#[test]
fn several_threads_count_into_one() {
    let receiver = Receiver::spawn(Options { threads: 3, ..Options::default() }).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let receiver = &receiver;
            scope.spawn(move || {
                for n in 0..50 {
                    post(receiver, "/ok", &format!("{thread}-{n}"));
                }
            });
        }
    });
    assert_eq!((receiver.stats().total.requests, receiver.stats().total.ids), (200, 200));
}
