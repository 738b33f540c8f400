//! What the operators mean, by example. Each line is a filter, a document, and whether it passes.

use filter::Filter;
use serde_json::{Value, json};

fn check(cases: impl IntoIterator<Item = (Value, Value, bool)>) {
    for (filter, document, expected) in cases {
        let parsed = Filter::parse(&filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(parsed.matches(&document), expected, "{filter} on {document}");
    }
}

#[test]
fn an_object_is_all_of_its_keys() {
    check([
        (json!({}), json!({"a": 1}), true),
        (json!({}), json!(null), true),
        (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 2, "c": 3}), true),
        (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3}), false),
        (json!({"a": {"$gt": 1, "$lt": 3}}), json!({"a": 2}), true),
        (json!({"a": {"$gt": 1, "$lt": 3}}), json!({"a": 3}), false),
    ]);
}

#[test]
fn logic() {
    check([
        (json!({"$and": [{"a": 1}, {"b": 2}]}), json!({"a": 1, "b": 2}), true),
        (json!({"$and": [{"a": 1}, {"b": 2}]}), json!({"a": 1}), false),
        (json!({"$or": [{"a": 1}, {"b": 2}]}), json!({"b": 2}), true),
        (json!({"$or": [{"a": 1}, {"b": 2}]}), json!({}), false),
        (json!({"$not": {"a": 1, "b": 2}}), json!({"a": 1}), true),
        (json!({"$not": {"a": 1}}), json!({"a": 1}), false),
        (json!({"c": 0, "$or": [{"a": 1}, {"b": 2}]}), json!({"b": 2, "c": 0}), true),
        (json!({"a": {"$not": {"$gt": 5}}}), json!({"a": 5}), true),
        (json!({"a": {"$not": {"$gt": 5}}}), json!({"a": 6}), false),
        (json!({"a": {"$not": {"$gt": 5}}}), json!({}), true),
        (json!({"a": {"$not": {"$gt": 1, "$lt": 3}}}), json!({"a": 7}), true),
        (json!({"a": {"$not": {"$not": {"$eq": 1}}}}), json!({"a": 1}), true),
    ]);
}

#[test]
fn equality() {
    check([
        (json!({"a": 1}), json!({"a": 1.0}), true),
        (json!({"a": "1"}), json!({"a": 1}), false),
        (json!({"a": [1, 2]}), json!({"a": [1, 2.0]}), true),
        (json!({"a": [1, 2]}), json!({"a": [2, 1]}), false),
        (json!({"a": 1}), json!({"a": [1]}), false),
        (json!({"a": {"x": 1, "y": 2}}), json!({"a": {"y": 2, "x": 1}}), true),
        (json!({"a": {"x": 1}}), json!({"a": {"x": 1, "y": 2}}), false),
        (json!({"a": {}}), json!({"a": {}}), true),
        (json!({"a": {}}), json!({"a": 1}), false),
        (json!({"a": {"$eq": {"$gt": 1}}}), json!({"a": {"$gt": 1}}), true),
        (json!({"a": {"$ne": 1}}), json!({"a": 2}), true),
        (json!({"a": {"$ne": 1}}), json!({"a": 1.0}), false),
        (json!({"a": {"$in": [1, "x", null]}}), json!({"a": "x"}), true),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": "y"}), false),
        (json!({"a": {"$in": [[1]]}}), json!({"a": [1]}), true),
        (json!({"a": {"$in": []}}), json!({"a": 1}), false),
        (json!({"a": {"$nin": [1, 2]}}), json!({"a": 3}), true),
        (json!({"a": {"$nin": [1, 2]}}), json!({"a": 2}), false),
        (json!({"a": {"$nin": []}}), json!({}), true),
    ]);
}

#[test]
fn what_is_missing_counts_as_null_for_equality_alone() {
    let missing = json!({"b": 1});
    let null = json!({"a": null});
    for document in [missing, null] {
        let is_there = document.get("a").is_some();
        check([
            (json!({"a": null}), document.clone(), true),
            (json!({"a": {"$ne": null}}), document.clone(), false),
            (json!({"a": {"$ne": 1}}), document.clone(), true),
            (json!({"a": {"$in": [null]}}), document.clone(), true),
            (json!({"a": {"$in": [1]}}), document.clone(), false),
            (json!({"a": {"$nin": [1]}}), document.clone(), true),
            (json!({"a": {"$exists": true}}), document.clone(), is_there),
            (json!({"a": {"$exists": false}}), document.clone(), !is_there),
            (json!({"a": {"$gte": 0}}), document.clone(), false),
            (json!({"a": {"$lt": "z"}}), document.clone(), false),
            (json!({"a": {"$contains": ""}}), document.clone(), false),
            (json!({"a": {"$starts_with": ""}}), document.clone(), false),
            (json!({"a": {"$ends_with": ""}}), document.clone(), false),
            (json!({"a": {"$regex": ""}}), document, false),
        ]);
    }
}

#[test]
fn order_is_of_numbers_and_of_texts() {
    check([
        (json!({"a": {"$gt": 1}}), json!({"a": 1}), false),
        (json!({"a": {"$gt": 1}}), json!({"a": 1.0001}), true),
        (json!({"a": {"$gte": 1}}), json!({"a": 1.0}), true),
        (json!({"a": {"$lt": 1}}), json!({"a": -5}), true),
        (json!({"a": {"$lt": 1}}), json!({"a": 1}), false),
        (json!({"a": {"$lte": 1}}), json!({"a": 1}), true),
        (json!({"a": {"$gt": 9_007_199_254_740_992_u64}}), json!({"a": 9_007_199_254_740_993_u64}), true),
        (json!({"a": {"$gt": "2026-01-01"}}), json!({"a": "2026-01-02T00:00:00"}), true),
        (json!({"a": {"$lt": "a"}}), json!({"a": "Z"}), true),
        (json!({"a": {"$lt": "z"}}), json!({"a": "é"}), false),
        (json!({"a": {"$gt": 1}}), json!({"a": "2"}), false),
        (json!({"a": {"$lt": "2"}}), json!({"a": 1}), false),
        (json!({"a": {"$gte": 0}}), json!({"a": true}), false),
        (json!({"a": {"$gte": 0}}), json!({"a": [1]}), false),
    ]);
}

#[test]
fn texts() {
    check([
        (json!({"a": {"$starts_with": "ab"}}), json!({"a": "abc"}), true),
        (json!({"a": {"$starts_with": "b"}}), json!({"a": "abc"}), false),
        (json!({"a": {"$ends_with": "bc"}}), json!({"a": "abc"}), true),
        (json!({"a": {"$ends_with": "b"}}), json!({"a": "abc"}), false),
        (json!({"a": {"$contains": "b"}}), json!({"a": "abc"}), true),
        (json!({"a": {"$regex": "b+c"}}), json!({"a": "abbbc"}), true),
        (json!({"a": {"$regex": "^b"}}), json!({"a": "ab"}), false),
        (json!({"a": {"$regex": "(?i)^AB$"}}), json!({"a": "ab"}), true),
        (json!({"a": {"$regex": "1"}}), json!({"a": 1}), false),
        (json!({"a": {"$starts_with": "1"}}), json!({"a": 12}), false),
    ]);
}

#[test]
fn containment() {
    check([
        (json!({"tags": {"$contains": "vip"}}), json!({"tags": ["new", "vip"]}), true),
        (json!({"tags": {"$contains": ["vip", "new"]}}), json!({"tags": ["new", "x", "vip"]}), true),
        (json!({"tags": {"$contains": ["vip", "old"]}}), json!({"tags": ["new", "vip"]}), false),
        (json!({"lines": {"$contains": {"sku": 7}}}), json!({"lines": [{"sku": 7, "n": 2}]}), true),
        (json!({"a": {"$contains": {"b": {"c": 1}}}}), json!({"a": {"b": {"c": 1, "d": 2}}}), true),
        (json!({"a": {"$contains": {"b": 1}}}), json!({"a": {"b": 2}}), false),
    ]);
}

#[test]
fn paths() {
    let document = json!({"new": {"address": {"city": "Bonn"}, "lines": [{"n": 1}, {"n": 2}], "0": "zero"}});
    check([
        (json!({"new.address.city": "Bonn"}), document.clone(), true),
        (json!({"new.address": {"city": "Bonn"}}), document.clone(), true),
        (json!({"new.lines.1.n": 2}), document.clone(), true),
        (json!({"new.lines.-1.n": 2}), document.clone(), true),
        (json!({"new.lines.2": {"$exists": true}}), document.clone(), false),
        (json!({"new.lines.n": {"$exists": true}}), document.clone(), false),
        (json!({"new.0": "zero"}), document.clone(), true),
        (json!({"new.address.city.x": {"$exists": false}}), document, true),
    ]);
}

#[test]
fn numbers_are_compared_as_they_are_written() {
    let read = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    check([
        (read(r#"{"a": {"$gt": 1234567890123456.78}}"#), read(r#"{"a": 1234567890123456.79}"#), true),
        (read(r#"{"a": 1234567890123456.78}"#), read(r#"{"a": 1234567890123456.79}"#), false),
        (read(r#"{"a": 12345678901234567890123}"#), read(r#"{"a": 12345678901234567890123.0}"#), true),
        (read(r#"{"a": {"$lt": 1e400}}"#), read(r#"{"a": 1e399}"#), true),
        (read(r#"{"a": 100}"#), read(r#"{"a": 100.00}"#), true),
    ]);
}
