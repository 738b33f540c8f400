//! Everything at once: whatever receivers do, each request gets one receipt and nothing is left behind.

use std::time::Duration;

use courier::Config;

use crate::common::{Office, loopback, plain_receiver, post};

const PATHS: &[&str] = &[
    "/ok",
    "/ok",
    "/delay/3",
    "/status/500",
    "/reset",
    "/reset/headers",
    "/close",
    "/garbage",
    "/big/300000",
    "/hang",
    "/drip/1",
];

#[test]
fn each_request_gets_one_receipt() {
    let receivers: Vec<_> = (0..5).map(|_| plain_receiver()).collect();
    let config = |max_connections| Config { max_connections, max_response_bytes: 100_000, ..loopback() };
    let office = Office::open(config(7));
    // a fixed sequence, so that a failure can be repeated
    let mut state = 42u64;
    let mut dice = move |sides: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % sides
    };
    let total = 1500;
    for id in 0..total {
        let mut request = post(id, &receivers[dice(5)].url(PATHS[dice(PATHS.len())]));
        request.timeout = Duration::from_millis(40);
        office.courier.send(vec![request]);
        if id % 300 == 0 {
            office.courier.reconfigure(config(3 + dice(20)));
        }
    }
    let mut ids: Vec<u64> = office.receipts(total as usize).iter().map(|receipt| receipt.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..total).collect::<Vec<_>>());
    office.until("all settled", |courier| {
        let stats = courier.stats();
        (stats.open, stats.waiting) == (0, 0) && stats.idle == stats.connections
    });
    assert!(office.courier.is_alive());
    assert!(office.courier.shutdown(Duration::ZERO).is_empty());
}
