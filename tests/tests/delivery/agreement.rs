//! What explain_event() says of an event is what the engine does with it: the two decide apart, in SQL and in Rust.

use serde_json::{Value, json};
use tests::Desk;

/// Numbers that only look random: the same in every run with the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

const TYPES: [&str; 9] = [
    "lead.created",
    "lead.updated",
    "lead.score.changed",
    "leads.created",
    "booking.created",
    "booking.party.cancelled",
    "a",
    "a.b",
    "a.b.c.d",
];

const PATTERNS: [&str; 14] = [
    "*",
    "**",
    "lead.*",
    "lead.**",
    "*.created",
    "*.*",
    "lead.*.changed",
    "booking.*.cancelled",
    "a.**",
    "a",
    "*.b.*",
    "endpoint.*",
    "delivery.**",
    "endpoint.paused",
];

const TENANTS: [&str; 2] = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"];

fn filter(dice: &mut Dice) -> Value {
    let values = [json!(1), json!(1.0), json!("1"), json!(null), json!(true), json!("lead.created"), json!(1e20)];
    let fields = ["new.score", "new.state", "new.tags", "new", "old", "type", "op", "key", "tenant", "new.deep.er"];
    let field = *dice.one(&fields);
    let value = dice.one(&values).clone();
    match dice.below(8) {
        0 => json!({field: value}),
        1 => json!({field: {"$ne": value}}),
        2 => json!({field: {"$gt": dice.below(5)}}),
        3 => json!({field: {"$exists": dice.below(2) == 0}}),
        4 => json!({field: {"$in": [value, 3, "open"]}}),
        5 => json!({"$or": [{field: value}, {"new.score": {"$lte": 2}}]}),
        6 => json!({"$not": {field: {"$nin": [value]}}}),
        _ => json!({field: {"$starts_with": "l"}}),
    }
}

fn record(dice: &mut Dice) -> Value {
    let scores = [json!(0), json!(1), json!(1.0), json!(3), json!("1"), json!(null), json!(1e20)];
    match dice.below(4) {
        0 => json!({"score": dice.one(&scores)}),
        1 => json!({"score": dice.one(&scores), "state": dice.one(&["open", "lost", "lead"]), "tags": ["lead", 1]}),
        2 => json!({"deep": {"er": dice.one(&scores)}, "state": null}),
        _ => json!({}),
    }
}

fn add_endpoints(desk: &Desk, dice: &mut Dice, wave: &str, count: usize) {
    for n in 0..count {
        let patterns: Vec<&str> = (0..=dice.below(2)).map(|_| *dice.one(&PATTERNS)).collect();
        let mut more = format!("'{{{}}}'", patterns.join(","));
        if dice.below(2) == 0 {
            more += &format!(", filter => '{}'", filter(dice));
        }
        if dice.below(3) == 0 {
            more += &format!(", tenant => '{}'", dice.one(&TENANTS));
        }
        desk.endpoint(&format!("{wave}{n}"), &format!("/{wave}{n}"), &more);
    }
}

fn add_events(desk: &Desk, dice: &mut Dice, count: usize) {
    for _ in 0..count {
        let tenant = match dice.below(3) {
            0 => "null".to_string(),
            _ => format!("'{}'", dice.one(&TENANTS)),
        };
        desk.run(&format!(
            "select frontdesk.emit('{}', '{}', {}, {tenant})",
            dice.one(&TYPES),
            record(dice),
            dice.one(&["null", "'k'", "'lead.created'"])
        ));
    }
}

/// Of every pair of an event and an endpoint: whether it was delivered, and why it is none of this endpoint's.
const PAIRS: &str =
    "(select e.id as event, e.type, x.endpoint, x.outcome = 'delivered' as delivered, r.outcome as verdict
    from frontdesk.event e cross join lateral frontdesk.explain_event(e.id) x
    join frontdesk_internal.endpoint n on n.name = x.endpoint cross join lateral frontdesk_internal.routing(e, n) r) pair";

#[test]
fn explain_event_and_the_engine_decide_alike() {
    let desk = Desk::with_leads();
    let mut dice = Dice(20_260_101);
    add_endpoints(&desk, &mut dice, "early", 40);
    add_events(&desk, &mut dice, 100);
    desk.run("insert into lead select n, 'x', 'open' from generate_series(1, 5) n; update lead set state = 'lost' where id < 3; delete from lead where id = 1");
    // The engine's own events, and a chain of events that is too long.
    desk.run("select frontdesk.pause_endpoint('early0'); select frontdesk.resume_endpoint('early0')");
    desk.run("set frontdesk.depth = 9; select frontdesk.emit('lead.created'); reset frontdesk.depth");
    add_endpoints(&desk, &mut dice, "late", 20);
    add_events(&desk, &mut dice, 60);

    desk.endpoint("fence", "/fence", "'{fence.up}'");
    desk.fence("/fence");
    desk.wait(
        "(select lag_events = 0 and in_flight = 0 and queued = 0 and endpoints_behind = 0 and retrying = 0 \
         from frontdesk.status())",
    );
    let apart: Vec<String> = desk.list(&format!(
        "select format('%s %s to %s: delivered %s, verdict %s', event, type, endpoint, delivered, verdict) \
         from {PAIRS} where delivered is distinct from (verdict is null) order by 1"
    ));
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    let verdicts: Vec<String> =
        desk.list(&format!("select distinct coalesce(verdict, 'delivered') from {PAIRS} order by 1"));
    for wanted in ["delivered", "filter did not match", "made later", "not routed", "pattern did not match"] {
        assert!(verdicts.iter().any(|verdict| verdict == wanted), "no pair is \"{wanted}\": {verdicts:?}");
    }
    assert!(desk.count(&format!("{PAIRS} where delivered")) > 500);
}
