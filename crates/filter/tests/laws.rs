//! What holds for every filter and every document.

use filter::{Filter, Node, Test, contains};
use proptest::prelude::*;
use report::Report;
use serde_json::{Value, json};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        (-6_i32..6).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

/// Few keys and values, so that documents and operands often meet.
fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab0]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["[ab]", "[01]", Just("-1".to_owned())], 1..4).prop_map(|parts| parts.join("."))
}

fn matches(filter: Value, document: &Value) -> bool {
    Filter::parse(&filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(document)
}

fn at(path: &str, operator: &str, operand: &Value) -> Value {
    json!({path: {operator: operand}})
}

/// JSON that looks like a filter, right or wrong.
fn attempt() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[ab.0]{0,4}",
        prop::sample::select(vec![
            "$and",
            "$or",
            "$not",
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
            "$what",
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![scalar(), "[a(\\[*+?{}1,\\\\]{0,6}".prop_map(Value::from)].prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_panics(filter in attempt(), document in value()) {
        match Filter::parse(&filter) {
            Ok(filter) => { filter.matches(&document); }
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                prop_assert!(error.hint().is_some());
            }
        }
    }

    #[test]
    fn the_negative_operators_are_the_opposites(path in path(), a in value(), b in value(), document in value()) {
        let list = json!([a, b]);
        prop_assert_eq!(matches(at(&path, "$ne", &a), &document), !matches(at(&path, "$eq", &a), &document));
        prop_assert_eq!(matches(at(&path, "$nin", &list), &document), !matches(at(&path, "$in", &list), &document));
        let either = json!({"$or": [at(&path, "$eq", &a), at(&path, "$eq", &b)]});
        prop_assert_eq!(matches(at(&path, "$in", &list), &document), matches(either, &document));
        let inside = json!({&path: {"$not": {"$eq": a}}});
        let outside = json!({"$not": {&path: {"$eq": a}}});
        prop_assert_eq!(matches(inside, &document), matches(outside, &document));
    }

    #[test]
    fn logic_is_logic(p in path(), q in path(), a in value(), b in value(), document in value()) {
        let (left, right) = (at(&p, "$eq", &a), at(&q, "$contains", &b));
        let (x, y) = (matches(left.clone(), &document), matches(right.clone(), &document));
        prop_assert_eq!(matches(json!({"$and": [left, right]}), &document), x && y);
        prop_assert_eq!(matches(json!({"$or": [left, right]}), &document), x || y);
        prop_assert_eq!(matches(json!({"$not": left}), &document), !x);
    }

    #[test]
    fn order_is_total_within_a_kind_and_absent_between(a in scalar(), b in scalar()) {
        let ordered = |value: &Value| value.is_number() || value.is_string();
        prop_assume!(ordered(&b));
        let document = json!({"x": a});
        let holds = |operator| matches(at("x", operator, &b), &document);
        let alike = (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
        prop_assert_eq!(u8::from(holds("$lt")) + u8::from(holds("$eq")) + u8::from(holds("$gt")), u8::from(alike));
        prop_assert_eq!(holds("$lte"), alike && !holds("$gt"));
        prop_assert_eq!(holds("$gte"), alike && !holds("$lt"));
    }

    #[test]
    fn a_value_equals_itself_wherever_it_stands(value in value()) {
        let document = json!({"a": [0, {"b": value}]});
        prop_assert!(matches(at("a.1.b", "$eq", &value), &document));
        prop_assert!(matches(at("a.-1.b", "$in", &json!([1, value])), &document));
        prop_assert!(matches(at("a.1.b", "$exists", &json!(true)), &document));
    }

    #[test]
    fn containers_contain_themselves_and_what_their_parts_contain(a in value(), b in value(), c in value()) {
        if a.is_array() || a.is_object() || a.is_string() {
            prop_assert!(contains(&a, &a));
        }
        if contains(&a, &b) && contains(&b, &c) && (b.is_array() == a.is_array()) {
            prop_assert!(contains(&a, &c) || c.is_object() != a.is_object());
        }
    }

    /// What the tree says of itself: no node that a second back-end would have to treat as a special case.
    #[test]
    fn the_tree_is_simple(filter in attempt()) {
        fn check(node: &Node) -> Result<(), TestCaseError> {
            match node {
                Node::All(nodes) => nodes.iter().try_for_each(check),
                Node::Any(nodes) => {
                    prop_assert!(!nodes.is_empty());
                    nodes.iter().try_for_each(check)
                }
                Node::Not(node) => check(node),
                Node::Is { path, test } => {
                    prop_assert!(!path.segments().is_empty());
                    if let Test::In(operands) = test {
                        prop_assert!(operands.len() <= Filter::MAX_VALUES);
                    }
                    Ok(())
                }
            }
        }
        if let Ok(filter) = Filter::parse(&filter) {
            check(filter.ast())?;
        }
    }
}
