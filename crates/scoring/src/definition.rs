use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A model as it is written down. Numbers are points, but for a logistic model, where base and points of rules are log-odds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ModelDefinition {
    pub name: String,
    /// `linear`: the sum is the score; `logistic`: the score is 100 times the probability.
    pub link: Option<String>,
    pub base: f64,
    pub floor: f64,
    pub cap: f64,
    /// Where each tier begins.
    pub tiers: BTreeMap<String, f64>,
    /// The most that the rules of a group give together.
    pub groups: BTreeMap<String, f64>,
    pub decay_moment: Option<String>,
    /// In seconds.
    pub half_life: Option<f64>,
    pub rules: Vec<RuleDefinition>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct RuleDefinition {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    pub points: f64,
    /// Path of a number that the points are scaled by: none at `value_from`, all at `value_to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(rename = "from", skip_serializing_if = "Option::is_none")]
    pub value_from: Option<f64>,
    #[serde(rename = "to", skip_serializing_if = "Option::is_none")]
    pub value_to: Option<f64>,
    /// Another model: the points are the weight of its score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    #[serde(rename = "group", skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
