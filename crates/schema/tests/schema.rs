//! What fits and what is said where it does not.

use proptest::prelude::*;
use schema::Checker;
use serde_json::{Value, json};

fn mistakes(schema: Value, document: Value) -> Vec<(String, String)> {
    let checker = Checker::compile(&schema).unwrap();
    checker.mistakes(&document).into_iter().map(|mistake| (mistake.path, mistake.message)).collect()
}

fn refused(schema: Value) -> String {
    Checker::compile(&schema).unwrap_err().to_string()
}

fn booking() -> Value {
    json!({
        "type": "object",
        "properties": {
            "service": {"type": "string", "minLength": 1},
            "starts_at": {"type": "string", "format": "date-time"},
            "email": {"type": "string", "format": "email"},
            "minutes": {"type": "integer", "minimum": 5, "maximum": 480}
        },
        "required": ["service", "starts_at"],
        "additionalProperties": false
    })
}

#[test]
fn what_fits_has_no_mistakes() {
    let document =
        json!({"service": "cut", "starts_at": "2026-11-23T10:00:00+01:00", "email": "a@b.example", "minutes": 30});
    assert_eq!(mistakes(booking(), document), []);
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let found = mistakes(booking(), json!({"service": "", "starts_at": "tomorrow", "minutes": 4.5, "surprise": 1}));
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    for path in ["/service", "/starts_at", "/minutes", ""] {
        assert!(paths.contains(&path), "{path} in {found:?}");
    }
    assert!(found.iter().any(|(_, message)| message.contains("surprise")), "{found:?}");
    assert!(found.iter().any(|(_, message)| message.contains("date-time")), "{found:?}");
    let found = mistakes(booking(), json!({}));
    assert_eq!(found.len(), 2);
    assert!(found[0].1.contains("service") && found[0].1.contains("required"), "{found:?}");
    assert_eq!(mistakes(booking(), json!("hello")).len(), 1);
    assert_eq!(mistakes(booking(), Value::Null).len(), 1);
}

#[test]
fn a_long_document_is_not_repeated() {
    let found = mistakes(json!({"type": "integer"}), json!("ä".repeat(1 << 20)));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.chars().count() <= Checker::MAX_MESSAGE + 3);
    assert!(found[0].1.ends_with("is not of type \"integer\""), "{}", found[0].1);
    let many = json!(vec!["x"; 1000]);
    assert_eq!(mistakes(json!({"items": {"type": "integer"}}), many).len(), Checker::MAX_MISTAKES);
}

#[test]
fn what_is_no_schema_is_refused() {
    assert!(refused(json!({"type": "strange"})).contains("strange"));
    assert!(refused(json!({"properties": {"a": {"minimum": "x"}}})).contains("/properties/a/minimum"));
    refused(json!({"pattern": "("}));
    // Linear time has its price.
    refused(json!({"pattern": "(a)\\1"}));
    refused(json!(1));
}

#[test]
fn nothing_is_fetched() {
    for elsewhere in ["https://schemas.example.com/person.json", "file:///etc/passwd", "person.json"] {
        refused(json!({ "$ref": elsewhere }));
    }
    let own = json!({"$defs": {"id": {"type": "integer"}}, "$ref": "#/$defs/id"});
    assert_eq!(mistakes(own.clone(), json!(1)), []);
    assert_eq!(mistakes(own, json!("1")).len(), 1);
}

#[test]
fn a_pattern_takes_linear_time() {
    let started = std::time::Instant::now();
    let found = mistakes(json!({"pattern": "^(a+)+$"}), json!(format!("{}!", "a".repeat(50_000))));
    assert_eq!(found.len(), 1);
    assert!(started.elapsed().as_secs() < 5);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(".*", inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_it_fail(document in any_json()) {
        let checker = Checker::compile(&booking()).unwrap();
        let found = checker.mistakes(&document);
        prop_assert!(found.len() <= Checker::MAX_MISTAKES);
        prop_assert!(found.iter().all(|mistake| mistake.message.chars().count() <= Checker::MAX_MESSAGE + 3));
    }

    #[test]
    fn no_schema_makes_it_fail(schema in any_json(), document in any_json()) {
        if let Ok(checker) = Checker::compile(&schema) {
            checker.mistakes(&document);
        }
    }
}

#[test]
fn what_doubles_at_every_level_is_refused_at_once() {
    let level =
        |n: usize| json!({"allOf": [{"$ref": format!("#/$defs/a{}", n + 1)}, {"$ref": format!("#/$defs/a{}", n + 1)}]});
    let mut definitions: serde_json::Map<String, Value> = (0..60).map(|n| (format!("a{n}"), level(n))).collect();
    definitions.insert("a60".into(), json!({"type": "object"}));
    let doubling = json!({"$defs": definitions, "$ref": "#/$defs/a0"});
    let error = Checker::compile(&doubling).unwrap_err();
    assert_eq!(error.to_string(), "invalid JSON Schema: its references lead to more than 20000 schemas");
    let again = json!({"properties": {"n": {"$ref": "#"}}, "required": ["z"]});
    let within = json!({"anyOf": [again.clone(), again]});
    let error = Checker::compile(&within).unwrap_err();
    assert_eq!(error.to_string(), "invalid JSON Schema: it refers to itself more than once for the same value");
}

#[test]
fn trees_and_lists_that_contain_themselves_are_schemas() {
    let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"},
        "children": {"type": "array", "items": {"$ref": "#"}}}});
    let checker = Checker::compile(&tree).unwrap();
    assert!(checker.mistakes(&json!({"left": {"right": {}}, "children": [{"children": []}]})).is_empty());
    assert!(!checker.mistakes(&json!({"left": {"right": 1}})).is_empty());
}

#[test]
fn numbers_beyond_double_precision_are_numbers() {
    let large: Value = serde_json::from_str(&format!("1{}", "0".repeat(400))).unwrap();
    let tiny: Value = serde_json::from_str(&format!("0.{}1", "0".repeat(400))).unwrap();
    assert_eq!(mistakes(json!({"type": "integer", "minimum": 5}), large.clone()), []);
    assert_eq!(mistakes(json!({"type": "number", "minimum": 0, "maximum": 5}), tiny), []);
    assert_eq!(mistakes(json!({"maximum": 5}), large.clone()).len(), 1);
    assert_eq!(mistakes(json!({"maximum": large}), json!(5)), []);
    let cents: Value = serde_json::from_str("1234567890123456.78").unwrap();
    assert_eq!(mistakes(json!({"multipleOf": 0.01}), cents), []);
}

#[test]
fn no_number_is_too_large_or_too_small_for_a_keyword() {
    let digits = "0".repeat(400);
    let texts = [format!("1{digits}"), format!("-1{digits}"), format!("0.{digits}1"), "0.5".into(), "-0".into()];
    let numbers: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let keywords = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "const", "minLength"];
    for (keyword, limit) in keywords.iter().flat_map(|keyword| numbers.iter().map(move |limit| (*keyword, limit))) {
        if let Ok(checker) = Checker::compile(&json!({ keyword: limit, "enum": [limit, 7] })) {
            for document in numbers.iter().chain([&json!(7), &json!("text")]) {
                assert!(checker.mistakes(document).len() <= 2);
            }
        }
    }
}
