//! A compiled model; [`crate::Book`] puts models together.

use std::collections::BTreeSet;

use filter::{Document, Filter, Path};
use serde_json::Value;

use crate::{ModelDefinition, Points, RuleDefinition, ScoreError};

const MAX_RULES: usize = 500;
/// Beyond it a probability is 0 or 1 in every digit.
const MAX_LOG_ODDS: f64 = 100.0;
const RESERVED: [&str; 5] = ["base", "cap", "floor", "decay", "group"];

#[derive(Debug)]
pub struct Model {
    pub name: String,
    pub base: f64,
    pub is_logistic: bool,
    pub floor: Points,
    pub cap: Points,
    /// The highest first.
    pub tiers: Vec<(Points, String)>,
    pub groups: Vec<(String, Points)>,
    pub decay: Option<Decay>,
    pub rules: Vec<Rule>,
}

#[derive(Debug)]
pub struct Decay {
    pub moment: Path,
    pub half_life: f64,
}

#[derive(Debug)]
pub struct Rule {
    pub name: String,
    pub filter: Option<Filter>,
    pub points: f64,
    pub scale: Option<Scale>,
    /// Place of another model in the book.
    pub part: Option<usize>,
    pub group: Option<usize>,
    pub reason: Option<String>,
}

#[derive(Debug)]
pub struct Scale {
    pub value: Path,
    pub from: f64,
    pub to: f64,
}

impl Scale {
    /// The number and its share of the way, from 0 to 1; `None` without a number. A text that reads as one is one.
    pub fn share<D: Document + ?Sized>(&self, facts: &D) -> Option<(f64, f64)> {
        let number = match facts.at(&self.value)? {
            Value::Number(number) => filter::double(number),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite())?,
            _ => return None,
        };
        Some((number, ((number - self.from) / (self.to - self.from)).clamp(0.0, 1.0)))
    }
}

impl Model {
    /// Parts are looked up by `part`, which gets a model's name.
    pub fn compile(
        definition: &ModelDefinition,
        part: impl Fn(&str) -> Option<usize>,
        known: &[String],
    ) -> Result<Model, ScoreError> {
        let model = || definition.name.clone();
        check_name("model", &definition.name)?;
        let is_logistic = match definition.link.as_deref() {
            None | Some("linear") => false,
            Some("logistic") => true,
            Some(link) => return Err(ScoreError::Link { model: model(), link: link.to_string() }),
        };
        if definition.rules.len() > MAX_RULES {
            return Err(ScoreError::TooManyRules { model: model(), rules: definition.rules.len() });
        }
        let exact = |what: &str, number: f64| {
            Points::exact(number).ok_or_else(|| ScoreError::Number { model: model(), what: what.to_string(), number })
        };
        let weight = |what: String, number: f64| match is_logistic {
            true if number.abs() <= MAX_LOG_ODDS => Ok(number),
            true => Err(ScoreError::Number { model: model(), what, number }),
            false => exact(&what, number).map(|points| points.0 as f64 / 100.0),
        };
        let (floor, cap) = (exact("floor", definition.floor)?, exact("cap", definition.cap)?);
        if floor >= cap {
            return Err(ScoreError::FloorAboveCap { model: model() });
        }
        if is_logistic && !definition.groups.is_empty() {
            return Err(ScoreError::InLogistic { model: model(), rule: String::new(), what: "groups" });
        }
        let mut groups = Vec::new();
        for (name, maximum) in &definition.groups {
            check_name("group", name)?;
            if *maximum <= 0.0 {
                return Err(ScoreError::GroupMaximum { model: model(), group: name.clone(), maximum: *maximum });
            }
            groups.push((name.clone(), exact("maximum of a group", *maximum)?));
        }
        let mut rules: Vec<Rule> = Vec::new();
        for rule in &definition.rules {
            check_name("rule", &rule.name)?;
            if rules.iter().any(|other| other.name == rule.name) {
                return Err(ScoreError::TwoRules { model: model(), rule: rule.name.clone() });
            }
            let points = weight(format!("points of rule \"{}\"", rule.name), rule.points)?;
            rules.push(Rule::compile(definition, rule, points, is_logistic, &groups, &part, known)?);
        }
        Ok(Model {
            name: model(),
            base: weight("base".into(), definition.base)?,
            is_logistic,
            floor,
            cap,
            tiers: tiers(definition, floor, cap)?,
            groups,
            decay: decay(definition)?,
            rules,
        })
    }

    /// Every score has one, unless the model has none.
    pub fn tier(&self, score: Points) -> Option<&str> {
        self.tiers.iter().find(|(at, _)| score >= *at).map(|(_, name)| name.as_str())
    }

    /// The first keys of every path that the model itself looks at.
    pub fn columns(&self) -> BTreeSet<String> {
        let filters = self.rules.iter().filter_map(|rule| rule.filter.as_ref()).flat_map(Filter::paths);
        let values = self.rules.iter().filter_map(|rule| rule.scale.as_ref()).map(|scale| &scale.value);
        let moment = self.decay.as_ref().map(|decay| &decay.moment);
        filters
            .chain(values)
            .chain(moment)
            .filter_map(|path| path.segments().first())
            .map(|key| key.name.clone())
            .collect()
    }
}

impl Rule {
    fn compile(
        definition: &ModelDefinition,
        rule: &RuleDefinition,
        points: f64,
        is_logistic: bool,
        groups: &[(String, Points)],
        part: &impl Fn(&str) -> Option<usize>,
        known: &[String],
    ) -> Result<Rule, ScoreError> {
        let (model, name) = (|| definition.name.clone(), || rule.name.clone());
        let filter = rule.filter.as_ref().map(Filter::parse).transpose();
        let filter =
            filter.map_err(|error| ScoreError::Filter { model: model(), rule: name(), error: Box::new(error) })?;
        let scale = match (&rule.value, rule.value_from, rule.value_to) {
            (None, None, None) => None,
            (None, ..) => return Err(ScoreError::ScaleWithoutValue { model: model(), rule: name() }),
            (Some(_), ..) if rule.part.is_some() => {
                return Err(ScoreError::PartAndValue { model: model(), rule: name() });
            }
            (Some(value), Some(from), Some(to)) if from != to && (to - from).is_finite() => {
                let path = Path::parse(value);
                let bad = || ScoreError::Path { model: model(), rule: name(), path: value.clone() };
                Some(Scale { value: path.ok_or_else(bad)?, from, to })
            }
            _ => return Err(ScoreError::Scale { model: model(), rule: name() }),
        };
        let unknown = |part: &String| ScoreError::UnknownPart {
            model: model(),
            rule: name(),
            part: part.clone(),
            known: known.to_vec(),
        };
        let part = rule.part.as_ref().map(|other| part(other).ok_or_else(|| unknown(other))).transpose()?;
        if is_logistic && part.is_some() {
            return Err(ScoreError::InLogistic { model: model(), rule: name(), what: "parts" });
        }
        let names = || groups.iter().map(|(name, _)| name.clone()).collect();
        let find = |group: &String| {
            groups.iter().position(|(name, _)| name == group).ok_or_else(|| ScoreError::UnknownGroup {
                model: model(),
                rule: name(),
                group: group.clone(),
                known: names(),
            })
        };
        let group = rule.group_name.as_ref().map(find).transpose()?;
        Ok(Rule { name: name(), filter, points, scale, part, group, reason: rule.reason.clone() })
    }
}

fn tiers(definition: &ModelDefinition, floor: Points, cap: Points) -> Result<Vec<(Points, String)>, ScoreError> {
    let model = || definition.name.clone();
    let mut tiers: Vec<(Points, String)> = Vec::new();
    for (name, at) in &definition.tiers {
        check_name("tier", name)?;
        let outside = || ScoreError::TierOutside { model: model(), tier: name.clone(), at: *at };
        let points = Points::exact(*at).filter(|points| (floor..=cap).contains(points)).ok_or_else(outside)?;
        tiers.push((points, name.clone()));
    }
    tiers.sort_by(|a, b| b.cmp(a));
    if let Some(pair) = tiers.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(ScoreError::EqualTiers { model: model(), tiers: [pair[1].1.clone(), pair[0].1.clone()] });
    }
    match tiers.last() {
        Some((at, lowest)) if *at > floor => Err(ScoreError::NoLowestTier { model: model(), lowest: lowest.clone() }),
        _ => Ok(tiers),
    }
}

fn decay(definition: &ModelDefinition) -> Result<Option<Decay>, ScoreError> {
    let model = || definition.name.clone();
    match (&definition.decay_moment, definition.half_life) {
        (None, None) => Ok(None),
        (Some(_), Some(half_life)) if half_life <= 0.0 || !half_life.is_finite() => {
            Err(ScoreError::HalfLife { model: model() })
        }
        (Some(moment), Some(half_life)) => {
            let bad = || ScoreError::Path { model: model(), rule: "decay".into(), path: moment.clone() };
            Ok(Some(Decay { moment: Path::parse(moment).ok_or_else(bad)?, half_life }))
        }
        _ => Err(ScoreError::Decay { model: model() }),
    }
}

/// Names are keys of breakdowns, where a dot stands between a part and its rule.
fn check_name(what: &'static str, name: &str) -> Result<(), ScoreError> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if !first || !rest || name.len() > 63 || what == "rule" && RESERVED.contains(&name) {
        return Err(ScoreError::Name { what, name: name.to_string() });
    }
    Ok(())
}
