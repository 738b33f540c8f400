//! What tells cases apart, found in their facts: whether something is there, which of few values it has, how large it is.

use std::collections::{BTreeMap, BTreeSet};

use filter::Filter;
use serde_json::{Value, json};

use super::Sample;
use crate::RuleDefinition;
use crate::model::Scale;

/// More would cost more to fit than they explain.
const MOST: usize = 64;
const MOST_VALUES: usize = 12;
/// A text with more different values than this, and longer ones, are no categories.
const MOST_DISTINCT: usize = 200;
const LONGEST: usize = 60;

pub struct Feature {
    pub rule: RuleDefinition,
    filter: Filter,
    scale: Option<Scale>,
}

impl Feature {
    /// The very thing that scoring evaluates later, between 0 and 1.
    pub fn of(&self, facts: &Value) -> f64 {
        if !self.filter.matches(facts) {
            return 0.0;
        }
        self.scale.as_ref().map_or(1.0, |scale| scale.share(facts).map_or(0.0, |(_, share)| share))
    }
}

/// What the cases have at one path.
#[derive(Default)]
struct Seen {
    texts: BTreeMap<String, usize>,
    too_many: bool,
    filled: usize,
    numbers: Vec<f64>,
    is_true: usize,
}

pub fn features(samples: &[Sample]) -> Vec<Feature> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for sample in samples {
        look(&sample.facts, "", &mut seen);
    }
    let rows = samples.len();
    let least = (rows / 100).max(5);
    let tells = |count: usize| count >= least && count <= rows - least;
    let mut found: Vec<(usize, RuleDefinition)> = Vec::new();
    for (path, seen) in &mut seen {
        let shown = path.replace(['_', '.'], " ");
        if tells(seen.filled) {
            found.push((seen.filled, rule(path, "", json!({ path: {"$nin": [null, ""]} }), format!("has {shown}"))));
        }
        if !seen.too_many {
            let mut values: Vec<_> =
                seen.texts.iter().filter(|(_, count)| tells(**count) && **count < seen.filled).collect();
            values.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
            for (value, count) in values.into_iter().take(MOST_VALUES) {
                found.push((*count, rule(path, value, json!({ path: value }), format!("{shown} is {value}"))));
            }
        }
        if tells(seen.is_true) {
            found.push((seen.is_true, rule(path, "", json!({ path: true }), shown.clone())));
        }
        if seen.numbers.len() >= least {
            seen.numbers.sort_by(f64::total_cmp);
            let at = |share: usize| seen.numbers[(seen.numbers.len() - 1) * share / 100];
            let (from, to) = (at(5), at(95));
            if from < to {
                let rule = rule(path, "size", json!({}), shown.clone());
                let scaled =
                    RuleDefinition { value: Some(path.clone()), value_from: Some(from), value_to: Some(to), ..rule };
                found.push((seen.numbers.len() / 2, scaled));
            }
        }
    }
    // What divides the cases most evenly says most; without looking at the outcomes, or the held-out figures would flatter.
    found.sort_by_key(|(count, _)| count.abs_diff(rows / 2));
    found.truncate(MOST);
    let mut names = BTreeSet::new();
    found.into_iter().filter_map(|(_, rule)| compiled(unique(rule, &mut names))).collect()
}

/// Objects are looked into once: custom attributes are one level down.
fn look(facts: &Value, above: &str, seen: &mut BTreeMap<String, Seen>) {
    let Value::Object(facts) = facts else { return };
    for (key, value) in facts {
        if key.is_empty() || key.contains('.') || key.starts_with('$') || key.len() > LONGEST {
            continue;
        }
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            Value::Object(_) if above.is_empty() => look(value, &path, seen),
            Value::String(text) if !text.is_empty() => seen.entry(path).or_default().text(text),
            Value::Number(number) => {
                let seen = seen.entry(path).or_default();
                seen.filled += 1;
                seen.numbers.push(filter::double(number));
            }
            Value::Bool(is_true) => seen.entry(path).or_default().is_true += usize::from(*is_true),
            _ => {}
        }
    }
}

impl Seen {
    fn text(&mut self, text: &str) {
        self.filled += 1;
        if self.too_many || text.len() > LONGEST {
            self.too_many = true;
            return;
        }
        *self.texts.entry(text.to_string()).or_default() += 1;
        if self.texts.len() > MOST_DISTINCT {
            self.too_many = true;
            self.texts.clear();
        }
    }
}

fn rule(path: &str, value: &str, filter: Value, reason: String) -> RuleDefinition {
    let words = if value.is_empty() { path.to_string() } else { format!("{path}_{value}") };
    RuleDefinition { name: named(&words), filter: Some(filter), reason: Some(reason), ..RuleDefinition::default() }
}

/// As names of rules are: lower-case letters, digits, `_` and `-`.
fn named(words: &str) -> String {
    let plain: String = words
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '_' })
        .take(50)
        .collect();
    format!("{}{plain}", if plain.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "x" })
}

fn unique(rule: RuleDefinition, names: &mut BTreeSet<String>) -> RuleDefinition {
    let taken = ["base", "cap", "floor", "decay", "group"];
    let mut name = rule.name.clone();
    let mut number = 2;
    while taken.contains(&name.as_str()) || !names.insert(name.clone()) {
        name = format!("{}_{number}", rule.name);
        number += 1;
    }
    RuleDefinition { name, ..rule }
}

fn compiled(rule: RuleDefinition) -> Option<Feature> {
    let filter = Filter::parse(rule.filter.as_ref()?).ok()?;
    let scale = match (&rule.value, rule.value_from, rule.value_to) {
        (Some(value), Some(from), Some(to)) => Some(Scale { value: filter::Path::parse(value)?, from, to }),
        _ => None,
    };
    let rule = RuleDefinition { filter: rule.filter.filter(|filter| filter != &json!({})), ..rule };
    Some(Feature { rule, filter, scale })
}
