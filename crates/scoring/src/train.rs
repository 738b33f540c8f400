//! A model learned from what became of earlier cases: logistic regression with a ridge penalty.
//!
//! Written here and not taken from a crate: fitting is a hundred lines of Newton's method on at most 64 columns, while the
//! crates for it bring an array library and an optimiser of tens of crates each, and neither held-out figures nor rules.

mod features;
mod fit;
mod measure;

use report::Code;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::{ModelDefinition, RuleDefinition};
use features::{Feature, features};
pub use measure::Measured;

/// What was known, and what came of it.
pub struct Sample {
    pub facts: Value,
    pub won: bool,
}

/// Of each outcome.
const LEAST: usize = 30;
/// Every row is predicted by a model that was fitted without its fold.
const FOLDS: usize = 5;

#[derive(Debug, Serialize)]
pub struct Trained {
    /// Points are log-odds, rounded to four decimals.
    pub model: ModelDefinition,
    pub report: Report,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub rows: usize,
    pub positive: usize,
    pub negative: usize,
    pub features: usize,
    #[serde(flatten)]
    pub held_out: Measured,
}

#[derive(Debug, PartialEq, Eq, Error)]
pub enum TrainError {
    #[error("there is too little history to learn from")]
    TooFew { positive: usize, negative: usize },
    #[error("nothing among the facts tells the cases apart")]
    NoFeatures,
}

impl report::Report for TrainError {
    fn code(&self) -> Code {
        Code::ObjectNotInPrerequisiteState
    }

    fn detail(&self) -> Option<String> {
        match self {
            TrainError::TooFew { positive, negative } => {
                Some(format!("{positive} with a positive and {negative} with a negative outcome."))
            }
            TrainError::NoFeatures => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            TrainError::TooFew { .. } => {
                format!("At least {LEAST} of each are needed; name more outcomes, or wait for them.")
            }
            TrainError::NoFeatures => "Record more about each, such as its source.".into(),
        })
    }
}

/// # Errors
/// Too few rows of an outcome, or facts that are the same in all.
pub fn train(name: &str, samples: &[Sample]) -> Result<Trained, TrainError> {
    let positive = samples.iter().filter(|sample| sample.won).count();
    let negative = samples.len() - positive;
    if positive < LEAST || negative < LEAST {
        return Err(TrainError::TooFew { positive, negative });
    }
    let features = features(samples);
    if features.is_empty() {
        return Err(TrainError::NoFeatures);
    }
    let rows: Vec<Vec<f64>> =
        samples.iter().map(|sample| features.iter().map(|feature| feature.of(&sample.facts)).collect()).collect();
    let won: Vec<bool> = samples.iter().map(|sample| sample.won).collect();
    let weights = fit::fit(&rows, &won, |_| true);
    let folds = folds(&won);
    let report = Report {
        rows: samples.len(),
        positive,
        negative,
        features: features.len(),
        held_out: measure::measure(&predicted(&rows, &won, &folds), &won, &folds),
    };
    Ok(Trained { model: definition(name, features, &weights), report })
}

/// The rows of each outcome are dealt out by multiples of the golden ratio: every fold has its share of both, and what
/// comes again every so many rows does not end in one.
fn folds(won: &[bool]) -> Vec<usize> {
    let mut dealt = [0_u32; 2];
    let turn = |won: &bool| {
        let turn = &mut dealt[usize::from(*won)];
        *turn += 1;
        ((f64::from(*turn) * 0.618_033_988_749_895).fract() * FOLDS as f64) as usize
    };
    won.iter().map(turn).collect()
}

/// The probability of each row, by a model that has not seen it.
fn predicted(rows: &[Vec<f64>], won: &[bool], folds: &[usize]) -> Vec<f64> {
    let mut probabilities = vec![0.0; rows.len()];
    for fold in 0..FOLDS {
        let weights = fit::fit(rows, won, |row| folds[row] != fold);
        for row in (0..rows.len()).filter(|row| folds[*row] == fold) {
            probabilities[row] = fit::probability(&weights, &rows[row]);
        }
    }
    probabilities
}

/// `weights`: the intercept, then one for each feature.
fn definition(name: &str, features: Vec<Feature>, weights: &[f64]) -> ModelDefinition {
    let rounded = |weight: f64| (weight * 1e4).round() / 1e4;
    let mut rules: Vec<RuleDefinition> = features
        .into_iter()
        .zip(&weights[1..])
        .map(|(feature, weight)| RuleDefinition { points: rounded(*weight), ..feature.rule })
        .collect();
    // What matters most is read first.
    rules.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()));
    ModelDefinition {
        name: name.to_string(),
        link: Some("logistic".into()),
        base: rounded(weights[0]),
        cap: 100.0,
        tiers: [("hot", 60.0), ("warm", 30.0), ("cold", 0.0)].map(|(tier, at)| (tier.to_string(), at)).into(),
        rules,
        ..ModelDefinition::default()
    }
}
