//! The bound on connections, and fairness under it.

use std::time::{Duration, Instant};

use courier::{Config, FailureKind, Request};

use crate::common::{Office, loopback, plain_receiver, post};

#[test]
fn requests_wait_when_all_connections_are_busy() {
    let receiver = plain_receiver();
    let office = Office::open(Config { max_connections: 4, ..loopback() });
    let begun = Instant::now();
    office.courier.send((0..12).map(|id| post(id, &receiver.url("/delay/300"))).collect());
    office.until("four busy", |courier| courier.stats().connections == 4 && courier.stats().waiting == 8);
    let receipts = office.receipts(12);
    assert!(begun.elapsed() >= Duration::from_millis(900));
    // waiting does not count: neither in the duration nor against the timeout
    assert!(receipts.iter().all(|receipt| receipt.duration < Duration::from_millis(850)), "{receipts:?}");
    assert_eq!(office.courier.stats().connections, 4);
}

#[test]
fn requests_of_a_group_wait_for_each_other_in_their_order() {
    let receiver = plain_receiver();
    let office = Office::open(loopback());
    let of = |group, at_once, id| Request { group, at_once, ..post(id, &receiver.url("/delay/200")) };
    let begun = Instant::now();
    let mut batch: Vec<_> = (0..6).map(|id| of(1, 2, id)).collect();
    batch.extend((10..13).map(|id| of(2, 0, id)));
    office.courier.send(batch);
    office.until("three under way", |courier| courier.stats().connections == 3 && courier.stats().waiting == 6);
    let receipts = office.receipts(9);
    assert!(begun.elapsed() >= Duration::from_millis(600));
    // waiting does not count here either
    assert!(receipts.iter().all(|receipt| receipt.duration < Duration::from_millis(390)), "{receipts:?}");
    let rounds: Vec<u64> = receipts.iter().filter(|receipt| receipt.id < 10).map(|receipt| receipt.id / 2).collect();
    assert_eq!(rounds, [0, 0, 1, 1, 2, 2]);
    let alone: Vec<u64> = receipts.iter().filter(|receipt| receipt.id >= 10).map(|receipt| receipt.id).collect();
    assert_eq!(alone, [10, 11, 12]);
    assert_eq!(office.courier.stats().connections, 3, "the connections were used again");
}

#[test]
fn a_group_goes_on_after_failures_and_with_another_limit() {
    let receiver = plain_receiver();
    let office = Office::open(loopback());
    let of = |at_once, id, path: &str| Request { group: 7, at_once, ..post(id, &receiver.url(path)) };
    let mut batch: Vec<_> = (0..4).map(|id| of(1, id, "/reset")).collect();
    batch.extend((4..8).map(|id| of(1, id, "/ok")));
    batch.extend((8..12).map(|id| of(4, id, "/ok")));
    let receipts = office.send_all(batch);
    assert!(receipts.iter().all(|receipt| receipt.result.is_ok() == (receipt.id >= 4)), "{receipts:?}");
    assert_eq!(office.courier.stats().waiting, 0);
}

#[test]
fn what_is_not_under_way_can_be_called_back() {
    let receiver = plain_receiver();
    let office = Office::open(Config { max_connections: 3, ..loopback() });
    let of = |group, at_once, id| Request { group, at_once, ..post(id, &receiver.url("/delay/300")) };
    // Two under way, two wait for their group; of the others one is under way and two wait for a connection.
    let mut batch: Vec<_> = (0..4).map(|id| of(1, 2, id)).collect();
    batch.extend((10..13).map(|id| of(2, 3, id)));
    office.courier.send(batch);
    office.until("three under way", |courier| courier.stats().connections == 3 && courier.stats().waiting == 4);
    office.courier.recall(2);
    office.courier.recall(1);
    office.courier.recall(3);
    let receipts = office.receipts(7);
    let (done, recalled): (Vec<_>, Vec<_>) = receipts.iter().partition(|receipt| receipt.result.is_ok());
    assert!(recalled.iter().all(|r| r.result.as_ref().unwrap_err().kind == FailureKind::Recalled), "{receipts:?}");
    assert_eq!(recalled.iter().map(|receipt| receipt.id).collect::<Vec<_>>(), [11, 12, 2, 3]);
    assert_eq!(done.len(), 3);
    assert_eq!(office.courier.stats().waiting, 0);
    // The groups go on, with their limits.
    let receipts = office.send_all((20..24).map(|id| of(1, 1, id)).chain([of(2, 1, 30)]).collect());
    assert!(receipts.iter().all(|receipt| receipt.result.is_ok()), "{receipts:?}");
    let alone: Vec<u64> = receipts.iter().map(|receipt| receipt.id).filter(|id| *id < 30).collect();
    assert_eq!(alone, [20, 21, 22, 23]);
}

#[test]
fn a_slow_receiver_does_not_shut_out_the_others() {
    let (slow, fast) = (plain_receiver(), plain_receiver());
    let office = Office::open(Config { max_connections: 2, ..loopback() });
    let mut batch: Vec<_> = (0..20).map(|id| post(id, &slow.url("/delay/150"))).collect();
    batch.push(post(100, &fast.url("/ok")));
    let receipts = office.send_all(batch);
    let place = receipts.iter().position(|receipt| receipt.id == 100).unwrap();
    assert!(place <= 4, "came as number {place}");
}

#[test]
fn idle_connections_make_room_for_other_receivers() {
    let receivers: Vec<_> = (0..6).map(|_| plain_receiver()).collect();
    let office = Office::open(Config { max_connections: 2, ..loopback() });
    for round in 0..3 {
        for receiver in &receivers {
            assert_eq!(office.response(post(round, &receiver.url("/ok"))).status, 200);
        }
    }
    assert!(office.courier.stats().connections <= 2);
}

#[test]
fn a_full_backlog_of_many_receivers_is_worked_off() {
    let receivers: Vec<_> = (0..5).map(|_| plain_receiver()).collect();
    let office = Office::open(Config { max_connections: 3, ..loopback() });
    let batch = (0..1000).map(|id| post(id, &receivers[id as usize % 5].url("/ok"))).collect();
    let mut ids: Vec<u64> = office.send_all(batch).iter().map(|receipt| receipt.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..1000).collect::<Vec<_>>());
    assert_eq!(office.courier.stats().waiting, 0);
}

#[test]
fn more_connections_help_at_once_and_fewer_after_a_while() {
    let receiver = plain_receiver();
    let office = Office::open(Config { max_connections: 1, ..loopback() });
    office.courier.send((0..40).map(|id| post(id, &receiver.url("/delay/200"))).collect());
    office.courier.reconfigure(Config { max_connections: 20, ..loopback() });
    office.until("twenty busy", |courier| courier.stats().connections == 20);
    office.courier.reconfigure(Config { max_connections: 2, ..loopback() });
    office.until("two left", |courier| courier.stats().connections <= 2);
    assert!(office.receipts(40).iter().all(|receipt| receipt.result.is_ok()));
}
