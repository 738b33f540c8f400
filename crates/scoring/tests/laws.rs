//! What holds for every model and all facts.

use proptest::prelude::*;
use scoring::{Book, Facts, ModelDefinition, Points, RuleDefinition};
use serde_json::{Value, json};

const NOW: f64 = 1_767_225_600.0;

fn fact() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-50_i32..200).prop_map(Value::from),
        (-50.0..200.0_f64).prop_map(Value::from),
        "[0-9]{0,3}".prop_map(Value::from),
        Just(json!("2025-12-01T00:00:00Z")),
    ]
}

fn facts() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]", fact(), 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn points() -> impl Strategy<Value = f64> {
    (-4000_i32..8000).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn rule(place: usize) -> impl Strategy<Value = RuleDefinition> {
    let filter = prop_oneof![
        Just(None),
        Just(Some(json!({"a": {"$exists": true}}))),
        Just(Some(json!({"b": {"$gt": 20}}))),
        Just(Some(json!({"$not": {"c": {"$in": [null, "", true]}}}))),
    ];
    let value = prop_oneof![Just(None), "[abc]".prop_map(Some)];
    (filter, value, points(), prop::option::of(Just("g".to_string()))).prop_map(
        move |(filter, value, points, group_name)| RuleDefinition {
            name: format!("r{place}"),
            filter,
            points,
            value_from: value.as_ref().map(|_| 10.0),
            value_to: value.as_ref().map(|_| 90.5),
            value,
            group_name,
            ..RuleDefinition::default()
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<RuleDefinition>> {
    (rule(0), rule(1), rule(2), rule(3), rule(4)).prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e])
}

fn model(name: &str, rules: Vec<RuleDefinition>, base: f64, cap: f64, half_life: Option<f64>) -> ModelDefinition {
    ModelDefinition {
        name: name.into(),
        base,
        cap,
        tiers: [("high", cap), ("middle", cap / 2.0), ("low", 0.0)]
            .map(|(n, at)| (n.into(), (at * 100.0).round() / 100.0))
            .into(),
        groups: [("g".to_string(), 25.5)].into(),
        decay_moment: half_life.map(|_| "a".into()),
        half_life,
        rules,
        ..ModelDefinition::default()
    }
}

fn whole(
    inner: Vec<RuleDefinition>,
    outer: Vec<RuleDefinition>,
    cap: f64,
    weight: f64,
    half_life: Option<f64>,
) -> Book {
    let part = |name: &str, model: &str, points: f64| RuleDefinition {
        name: name.into(),
        part: Some(model.into()),
        points,
        ..RuleDefinition::default()
    };
    let mut rules = outer;
    rules.push(part("inner", "inner", weight));
    rules.push(part("chance", "chance", 0.33));
    let log_odds = |rules: &[RuleDefinition]| {
        rules
            .iter()
            .map(|rule| RuleDefinition { points: rule.points / 20.0, group_name: None, ..rule.clone() })
            .collect()
    };
    let chance = ModelDefinition {
        name: "chance".into(),
        link: Some("logistic".into()),
        base: -1.25,
        cap: 100.0,
        rules: log_odds(&inner),
        ..ModelDefinition::default()
    };
    Book::compile(&[model("inner", inner, 3.5, 60.0, None), model("outer", rules, -5.0, cap, half_life), chance])
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_lines_add_up_to_the_score_which_has_a_tier(
        inner in rules(), outer in rules(), facts in facts(), cap in 1_u32..200, weight in -300_i32..300,
        half_life in prop::option::of(1e3..1e7_f64),
    ) {
        let book = whole(inner, outer, f64::from(cap), f64::from(weight) / 100.0, half_life);
        let place = book.place("outer").unwrap();
        let score = book.score(place, &facts, NOW);
        let sum = score.lines().iter().fold(Points::ZERO, |sum, line| sum + line.points);
        prop_assert_eq!(sum, score.score);
        prop_assert!(score.score >= Points::ZERO && score.score <= Points(i64::from(cap) * 100));
        prop_assert!(score.tier.is_some());
        prop_assert_eq!(score.score, book.points(place, &facts, NOW));
        let kept: serde_json::Map<String, Value> = serde_json::from_str(&score.breakdown()).unwrap();
        let sum: f64 = kept.values().filter_map(Value::as_f64).sum();
        prop_assert!((sum * 100.0 - score.score.0 as f64).abs() < 1e-6);
    }

    #[test]
    fn a_higher_cap_never_gives_less(
        inner in rules(), outer in rules(), facts in facts(), cap in 1_u32..200, more in 0_u32..50, half_life in prop::option::of(1e3..1e7_f64),
    ) {
        let score = |cap: u32| {
            let book = whole(inner.clone(), outer.clone(), f64::from(cap), 0.5, half_life);
            book.points(book.place("outer").unwrap(), &facts, NOW)
        };
        prop_assert!(score(cap) <= score(cap + more));
    }

    #[test]
    fn more_points_for_a_rule_never_give_less(
        outer in rules(), facts in facts(), which in 0_usize..5, more in 0_i32..5000,
    ) {
        let score = |more: i32| {
            let mut rules = outer.clone();
            rules[which].points += f64::from(more) / 100.0;
            let book = Book::compile(&[model("m", rules, 0.0, 100.0, None)]).unwrap();
            book.points(0, &facts, NOW)
        };
        prop_assert!(score(0) <= score(more));
    }

    #[test]
    fn age_never_gives_more(outer in rules(), facts in facts(), age in 0_u32..10_000_000, more in 0_u32..10_000_000) {
        let book = Book::compile(&[model("m", outer, 0.0, 100.0, Some(1e6))]).unwrap();
        prop_assert!(book.points(0, &facts, NOW + f64::from(age)) >= book.points(0, &facts, NOW + f64::from(age) + f64::from(more)));
    }

    #[test]
    fn a_row_scores_as_its_json(inner in rules(), outer in rules(), facts in facts()) {
        let book = whole(inner, outer, 100.0, 0.7, Some(1e6));
        let place = book.place("outer").unwrap();
        let values = book.columns(place).iter().map(|name| facts.get(name).cloned()).collect();
        prop_assert_eq!(book.score(place, &facts, NOW), book.score(place, &Facts::new(book.columns(place), values), NOW));
    }
}
