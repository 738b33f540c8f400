//! Models learned from history: known weights are found again, and noise is called noise.

use scoring::{Book, Sample, TrainError, train};
use serde_json::json;

/// The same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Won with log-odds -1 + 2 (has phone) + 1.5 (source is referral) - 1 (source is ad).
fn history(rows: usize) -> Vec<Sample> {
    let mut dice = Dice(7);
    (0..rows)
        .map(|_| {
            let phone = dice.roll() < 0.5;
            let source = ["referral", "ad", "web"][(dice.roll() * 3.0) as usize];
            let budget = (dice.roll() * 1000.0).round();
            let log_odds = -1.0
                + if phone { 2.0 } else { 0.0 }
                + match source {
                    "referral" => 1.5,
                    "ad" => -1.0,
                    _ => 0.0,
                };
            let won = dice.roll() < 1.0 / (1.0 + f64::exp(-log_odds));
            let facts = json!({
                "name": format!("client {}", dice.roll()), "phone": phone.then_some("+14155550123"), "source": source,
                "custom_attributes": {"budget": budget, "a.b": 1, "": 2}, "$odd": true, "always": "here",
            });
            Sample { facts, won }
        })
        .collect()
}

#[test]
fn known_weights_are_found_again() {
    let trained = train("learned", &history(5000)).unwrap();
    let weight = |name: &str| {
        let rule = trained.model.rules.iter().find(|rule| rule.name == name);
        rule.unwrap_or_else(|| panic!("{name} in {:?}", trained.model.rules)).points
    };
    assert!((weight("phone") - 2.0).abs() < 0.25);
    assert!((weight("source_referral") - weight("source_ad") - 2.5).abs() < 0.35);
    assert!(weight("custom_attributes_budget_size").abs() < 0.3);
    assert!(trained.model.rules.iter().all(|rule| !["name", "always"].contains(&rule.name.as_str())));
    let held_out = &trained.report.held_out;
    assert!((0.75..0.85).contains(&held_out.auc), "{held_out:?}");
    assert!(held_out.calibration_error < 0.04, "{held_out:?}");
}

#[test]
fn a_learned_model_scores_and_explains() {
    let trained = train("learned", &history(1000)).unwrap();
    let book = Book::compile(std::slice::from_ref(&trained.model)).unwrap();
    let good = book.score(0, &json!({"phone": "+1", "source": "referral"}), 0.0);
    let bad = book.score(0, &json!({"source": "ad"}), 0.0);
    assert!(good.score.0 > 8000 && bad.score.0 < 3000, "{good:?} {bad:?}");
    assert_eq!(good.tier, Some("hot"));
    assert!(good.lines().iter().any(|line| line.reason() == "has phone"), "{good:?}");
    assert_eq!(good.lines().iter().map(|line| line.points.0).sum::<i64>(), good.score.0);
}

#[test]
fn chance_is_called_chance() {
    let mut dice = Dice(3);
    let samples: Vec<Sample> = (0..1000)
        .map(|_| Sample { facts: json!({"a": dice.roll() < 0.5, "b": dice.roll()}), won: dice.roll() < 0.5 })
        .collect();
    let auc = train("chance", &samples).unwrap().report.held_out.auc;
    assert!((0.42..0.58).contains(&auc), "{auc}");
}

#[test]
fn too_little_is_refused() {
    let few: Vec<Sample> = (0..100).map(|n| Sample { facts: json!({"a": n % 2 == 0}), won: n < 29 }).collect();
    assert_eq!(train("m", &few).unwrap_err(), TrainError::TooFew { positive: 29, negative: 71 });
    let same: Vec<Sample> = (0..100).map(|n| Sample { facts: json!({"a": "x"}), won: n < 50 }).collect();
    assert_eq!(train("m", &same).unwrap_err(), TrainError::NoFeatures);
}
