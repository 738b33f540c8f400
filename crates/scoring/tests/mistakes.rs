//! Every mistake in a model is found when it is compiled, and said with model, rule and remedy.

use report::Report;
use scoring::{Book, ModelDefinition, Points};
use serde_json::{Value, json};

fn compile(models: Value) -> Result<Book, scoring::ScoreError> {
    let models: Vec<ModelDefinition> = serde_json::from_value(models).unwrap();
    Book::compile(&models)
}

fn mistake(model: Value) -> (String, String, String) {
    let mut whole = json!({"name": "m", "cap": 100});
    whole.as_object_mut().unwrap().extend(model.as_object().unwrap().clone());
    let error = compile(json!([whole])).unwrap_err();
    (error.to_string(), error.detail().unwrap_or_default(), error.hint().unwrap_or_default())
}

fn rule(rule: Value) -> (String, String, String) {
    let mut whole = json!({"name": "r", "points": 1});
    whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    mistake(json!({"groups": {"g": 10}, "rules": [whole]}))
}

#[test]
fn of_models() {
    for (model, message) in [
        (json!({"name": "My Model"}), "\"My Model\" is not a valid name for a model"),
        (json!({"link": "probit"}), "link \"probit\" is unknown"),
        (json!({"floor": 100}), "the floor is not below the cap"),
        (json!({"tiers": {"hot": 120, "cold": 0}}), "tier \"hot\" begins at 120, outside of floor and cap"),
        (json!({"tiers": {"a": 50, "b": 50, "c": 0}}), "tiers \"a\" and \"b\" begin at the same score"),
        (json!({"tiers": {"hot": 50, "cold": 10}}), "scores below tier \"cold\" would have no tier"),
        (json!({"groups": {"g": 0}}), "group \"g\" has the maximum 0"),
        (json!({"decay_moment": "created_at"}), "decay needs a moment and a half life"),
        (json!({"decay_moment": "created_at", "half_life": 0}), "a half life is longer than 0"),
        (json!({"decay_moment": "a..b", "half_life": 5}), "path \"a..b\" has an empty key"),
        (json!({"base": 0.001}), "base: 0.001 is out of range or too precise"),
        (json!({"cap": 1e9}), "cap: 1000000000 is out of range or too precise"),
        (json!({"link": "logistic", "base": 200}), "base: 200 is out of range or too precise"),
        (json!({"link": "logistic", "groups": {"g": 1}}), "a logistic model has no groups"),
        (json!({"rules": [{"name": "a"}, {"name": "a"}]}), "two rules are called \"a\""),
        (json!({"rules": vec![json!({"name": "a"}); 501]}), "501 rules are too many for a model"),
    ] {
        let (found, _, hint) = mistake(model);
        assert_eq!(found, message);
        assert!(!hint.is_empty(), "{message}");
    }
}

#[test]
fn of_rules() {
    for (wrong, message) in [
        (json!({"name": "cap"}), "\"cap\" is not a valid name for a rule"),
        (json!({"filter": {"a": {"$above": 1}}}), "unknown operator $above at \"a\""),
        (json!({"points": 1e7}), "points of rule \"r\": 10000000 is out of range or too precise"),
        (json!({"value": "a"}), "points scaled by a value need two different numbers"),
        (json!({"value": "a", "from": 1, "to": 1}), "points scaled by a value need two different numbers"),
        (json!({"to": 1}), "value_from and value_to stand without a value"),
        (json!({"value": "", "from": 0, "to": 1}), "path \"\" has an empty key"),
        (json!({"part": "m", "value": "a", "from": 0, "to": 1}), "a rule has both a model and a value"),
        (json!({"group": "h"}), "group \"h\" is unknown"),
        (json!({"part": "n"}), "model \"n\" is unknown"),
        (json!({"part": "m"}), "models are parts of each other: m -> m"),
    ] {
        let (found, detail, hint) = rule(wrong);
        assert_eq!(found, message);
        assert!(!hint.is_empty(), "{message}");
        assert!(detail.is_empty() || detail.contains("odel \"m\""), "{detail}");
    }
    assert_eq!(rule(json!({"group": "h"})).2, "Its groups are g.");
    assert_eq!(rule(json!({"part": "n"})).1, "Rule \"r\" of model \"m\".");
}

#[test]
fn of_models_with_parts() {
    let chain = |last: &str| {
        let mut models: Vec<Value> = (0..9)
            .map(|n| json!({"name": format!("m{n}"), "cap": 9, "rules": [{"name": "r", "points": 1, "part": format!("m{}", n + 1)}]}))
            .collect();
        models.push(json!({"name": "m9", "cap": 9, "rules": [{"name": "r", "points": 1, "filter": {}}]}));
        models[8]["rules"][0]["part"] = json!(last);
        compile(Value::from(models)).unwrap_err().to_string()
    };
    assert_eq!(chain("m7"), "models are parts of parts too deeply: m0 -> m1 -> m2 -> m3 -> m4 -> m5 -> m6 -> m7 -> m8");
    let cycle = compile(json!([
        {"name": "a", "cap": 9, "rules": [{"name": "r", "points": 1, "part": "b"}]},
        {"name": "b", "cap": 9, "rules": [{"name": "r", "points": 1, "part": "a"}]},
    ]));
    assert_eq!(cycle.unwrap_err().to_string(), "models are parts of each other: a -> b -> a");
}

#[test]
fn an_explanation_in_words() {
    let book = compile(json!([
        {"name": "all", "cap": 50, "floor": 0, "base": 5, "decay_moment": "at", "half_life": 86400, "groups": {"g": 12},
         "rules": [
            {"name": "has_phone", "points": 10, "filter": {"phone": {"$exists": true}}, "group": "g"},
            {"name": "size", "points": 20, "value": "size", "from": 0, "to": 10, "group": "g", "reason": "a large one"},
            {"name": "other", "points": 0.5, "part": "other"}]},
        {"name": "other", "cap": 100, "rules": [{"name": "yes", "points": 100, "filter": {"phone": "1"}, "reason": "it is 1"}]},
    ]))
    .unwrap();
    let facts = json!({"phone": "1", "size": "5", "at": "2025-12-31T00:00:00Z"});
    let score = book.score(book.place("all").unwrap(), &facts, 1_767_225_600.0);
    let lines: Vec<(String, String, String)> =
        score.lines().iter().map(|line| (line.rule.to_string(), line.points.to_string(), line.reason())).collect();
    let expected = [
        ("base", "5", "what everyone begins with"),
        ("has_phone", "10", "has phone"),
        ("size", "10", "a large one: 5, between 0 and 10"),
        ("other.yes", "50", "it is 1"),
        ("group.g", "-8", "g gives 12 at most"),
        ("cap", "-17", "50 at most"),
        ("decay", "-25", "1 days old; half is left after 1 days"),
    ];
    assert_eq!(lines, expected.map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())));
    assert_eq!(score.score, Points(2500));
}
