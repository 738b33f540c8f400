//! What parsing refuses, and what it says.

use filter::{Filter, FilterError};
use report::Report;
use serde_json::{Value, json};

fn error(filter: Value) -> FilterError {
    Filter::parse(&filter).expect_err(&filter.to_string())
}

fn message(filter: Value) -> String {
    error(filter).to_string()
}

#[test]
fn shape() {
    assert_eq!(message(json!([])), "a filter is a JSON object, not an array");
    assert_eq!(message(json!(null)), "a filter is a JSON object, not null");
    assert_eq!(message(json!({"$and": {"a": 1}})), "$and needs an array, not an object");
    assert_eq!(message(json!({"$or": []})), "$or is empty");
    assert_eq!(message(json!({"$or": [1]})), "$or takes filters, which are JSON objects, not a number");
    assert_eq!(message(json!({"$not": [{"a": 1}]})), "$not takes filters, which are JSON objects, not an array");
}

#[test]
fn unknown_operators_list_the_known() {
    let error = self::error(json!({"$nor": [{"a": 1}]}));
    assert_eq!(error.to_string(), "unknown operator $nor in place of a path");
    assert!(error.hint().unwrap().contains("$and, $or, $not"));

    let error = self::error(json!({"a.b": {"$like": "x"}}));
    assert_eq!(error.to_string(), "unknown operator $like at \"a.b\"");
    let hint = error.hint().unwrap();
    for operator in [
        "$eq",
        "$ne",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$in",
        "$nin",
        "$exists",
        "$contains",
        "$starts_with",
        "$ends_with",
        "$regex",
        "$not",
    ] {
        assert!(hint.contains(operator), "{operator}");
    }
}

#[test]
fn operands() {
    assert_eq!(message(json!({"a": {"$gt": null}})), "$gt at \"a\" needs a number or a text, not null");
    assert_eq!(message(json!({"a": {"$lte": [1]}})), "$lte at \"a\" needs a number or a text, not an array");
    assert_eq!(message(json!({"a": {"$in": "x"}})), "$in at \"a\" needs an array, not a text");
    assert_eq!(message(json!({"a": {"$nin": {}}})), "$nin at \"a\" needs an array, not an empty object");
    assert_eq!(message(json!({"a": {"$exists": 1}})), "$exists at \"a\" needs true or false, not a number");
    assert_eq!(message(json!({"a": {"$starts_with": 1}})), "$starts_with at \"a\" needs a text, not a number");
    assert_eq!(message(json!({"a": {"$ends_with": null}})), "$ends_with at \"a\" needs a text, not null");
    assert_eq!(message(json!({"a": {"$regex": {}}})), "$regex at \"a\" needs a text, not an empty object");
    assert_eq!(message(json!({"a": {"$not": 5}})), "$not at \"a\" needs an object of operators, not a number");
    assert_eq!(message(json!({"a": {"$not": {}}})), "$not at \"a\" needs an object of operators, not an empty object");
}

#[test]
fn paths() {
    for path in ["", ".", "a.", ".a", "a..b"] {
        assert_eq!(message(json!({path: 1})), format!("path \"{path}\" has an empty key"));
    }
}

#[test]
fn operators_beside_or_inside_plain_values() {
    assert_eq!(message(json!({"a": {"$gt": 1, "b": 2}})), "\"a\" has operators and the plain key \"b\" side by side");
    let error = self::error(json!({"new": {"amount": {"$gt": 1}}}));
    assert_eq!(error.to_string(), "operator $gt stands inside the plain value of \"new\", at \"amount\"");
    assert!(error.hint().unwrap().contains("\"new.amount\""));
    assert_eq!(
        message(json!({"a": [{"b": {"$in": [1]}}]})),
        "operator $in stands inside the plain value of \"a\", at \"0.b\""
    );
}

#[test]
fn expressions() {
    assert_eq!(message(json!({"a": {"$regex": "("}})), "$regex at \"a\": unclosed group");
    assert_eq!(
        message(json!({"a": {"$regex": "(?=x)"}})),
        "$regex at \"a\": look-around, including look-ahead and look-behind, is not supported"
    );
    assert_eq!(message(json!({"a": {"$regex": "\\w{1000}{1000}"}})), "$regex at \"a\": the expression is too large");
    let many: Vec<Value> = (0..17).map(|_| json!({"a": {"$regex": "x"}})).collect();
    assert_eq!(message(json!({"$or": many[..]})), "the filter has more than 16 $regex");
    assert!(Filter::parse(&json!({"$or": many[..16]})).is_ok());
}

#[test]
fn size() {
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"$not": inner}));
    assert!(Filter::parse(&nested(16)).is_ok());
    assert_eq!(message(nested(17)), "the filter nests deeper than 16 levels");
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(message(json!({"a": deep})), "the filter nests deeper than 16 levels");

    // The filter, the operators and the list are values too.
    let list = |length: usize| json!({"a": {"$in": vec![1; length]}});
    assert!(Filter::parse(&list(997)).is_ok());
    assert_eq!(message(list(998)), "the filter has more than 1000 values");
}

#[test]
fn every_error_has_a_hint() {
    for filter in [
        json!(1),
        json!({"$or": [1]}),
        json!({"$or": []}),
        json!({"$nor": []}),
        json!({"a": {"$x": 1}}),
        json!({"a": {"$gt": null}}),
        json!({"a": {"$in": 1}}),
        json!({"a": {"$not": 1}}),
        json!({"": 1}),
        json!({"a": {"$gt": 1, "b": 1}}),
        json!({"a": {"b": {"$gt": 1}}}),
        json!({"a": {"$regex": "("}}),
    ] {
        assert!(error(filter.clone()).hint().is_some(), "{filter}");
    }
}
