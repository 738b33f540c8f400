//! Templates that make JSON.

use proptest::prelude::*;
use serde_json::{Value, json};
use template::{Template, TemplateError};

fn render(source: &str, context: &Value) -> String {
    let template = Template::parse(source).unwrap();
    assert!(template.is_json());
    template.render(context, 100_000).unwrap()
}

#[test]
fn values_bring_their_quotes() {
    let context = json!({"name": "O\"Hara <b>'", "n": 1, "nested": {"a": [true, null]}});
    assert_eq!(
        render(r#"{"name": {{ name }}, "n": {{ n }}, "all": {{ nested }}, "none": {{ x.y.z }}}"#, &context),
        r#"{"name": "O\"Hara <b>'", "n": 1, "all": {"a":[true,null]}, "none": null}"#
    );
}

#[test]
fn inside_quotes_they_join_the_string() {
    let context = json!({"name": "O\"Hara\n", "n": 1, "list": ["a"], "null": null});
    assert_eq!(
        render(r#"{"text": "Dear {{ name }}: {{ n }} {{ list }}{{ null }}{{ x.y }}", "after": {{ n }}}"#, &context),
        r#"{"text": "Dear O\"Hara\n: 1 [\"a\"]", "after": 1}"#
    );
    assert_eq!(
        render(r#"{"text": "{% if n > 1 %}many{% else %}{{ name ~ '!' }}{% endif %}"}"#, &context),
        r#"{"text": "O\"Hara\n!"}"#
    );
}

#[test]
fn letters_of_several_bytes_do_not_shift_the_places() {
    assert_eq!(render(r#"{"é€": "ü😀 {{ v }} ß{{- v -}} "}"#, &json!({"v": "\"x"})), r#"{"é€": "ü😀 \"x ß\"x"}"#);
}

#[test]
fn loops() {
    assert_eq!(
        render(
            "[{% for i in items %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}]",
            &json!({"items": [1, "b"]})
        ),
        r#"[1,"b"]"#
    );
}

#[test]
fn what_is_no_json_is_not_sent() {
    let template = Template::parse("[{% for i in items %}{{ i }},{% endfor %}]").unwrap();
    let error = template.render(&json!({"items": [1, 2]}), 100).unwrap_err();
    assert_eq!(error.to_string(), "template made no valid JSON: expected value at line 1, column 6 of its output");
    let template = Template::parse("{\"a\": {{ a|safe }}}").unwrap();
    assert!(matches!(template.render(&json!({"a": "x"}), 100), Err(TemplateError::NotJson { .. })));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_arrives_as_it_was(value in any_json()) {
        let made: Value = serde_json::from_str(&render("{\"v\": {{ v }}}", &json!({"v": value}))).unwrap();
        prop_assert_eq!(&made["v"], &value);
    }

    #[test]
    fn every_text_arrives_inside_quotes(text: String) {
        let made: Value = serde_json::from_str(&render("{\"v\": \"<{{ v }}>\"}", &json!({"v": text}))).unwrap();
        prop_assert_eq!(&made["v"], &Value::from(format!("<{text}>")));
    }

    /// Whatever a row contains, plain references neither fail nor break the JSON.
    #[test]
    fn no_content_raises(value in any_json()) {
        render("{\"a\": {{ v.a.b }}, \"b\": \"{{ v[0] }}{{ v }}\", \"c\": {{ v|default('x') }}}", &json!({"v": value}));
    }

    #[test]
    fn no_source_panics(source in "[\\[{]?[ a-z{}%|.()'\"0-9\\-#]{0,40}", value in any_json()) {
        if let Ok(template) = Template::parse(&source) {
            let _ = template.render(&json!({"a": value}), 1000);
        }
    }
}

#[test]
fn numbers_stand_as_they_are_written_wherever_they_go() {
    let row =
        r#"{"amount":100.00,"big":1234567890123456.78,"exact":12345678901234567890123,"small":0.1000,"list":[1.50]}"#;
    let context: Value = serde_json::from_str(row).unwrap();
    assert_eq!(
        render(
            r#"{"a": {{ amount }}, "b": "{{ big }} of {{ exact }}", "c": {{ list }}, "d": [{% for i in list %}{{ i }}{% endfor %}]}"#,
            &context
        ),
        r#"{"a": 100.00, "b": "1234567890123456.78 of 12345678901234567890123", "c": [1.50], "d": [1.50]}"#
    );
    assert_eq!(render(r#"{"a": {{ amount * 2 }}, "b": {{ small|round(1) }}}"#, &context), r#"{"a": 200.0, "b": 0.1}"#);
}
