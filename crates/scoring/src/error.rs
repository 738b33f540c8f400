use std::fmt;

use filter::FilterError;

use crate::Points;

/// Why a set of models is none. `model` and `rule` are names.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreError {
    Name { what: &'static str, name: String },
    TwoRules { model: String, rule: String },
    TooManyRules { model: String, rules: usize },
    Link { model: String, link: String },
    FloorAboveCap { model: String },
    TierOutside { model: String, tier: String, at: f64 },
    EqualTiers { model: String, tiers: [String; 2] },
    NoLowestTier { model: String, lowest: String },
    GroupMaximum { model: String, group: String, maximum: f64 },
    Decay { model: String },
    HalfLife { model: String },
    Number { model: String, what: String, number: f64 },
    Filter { model: String, rule: String, error: Box<FilterError> },
    Path { model: String, rule: String, path: String },
    Scale { model: String, rule: String },
    ScaleWithoutValue { model: String, rule: String },
    PartAndValue { model: String, rule: String },
    InLogistic { model: String, rule: String, what: &'static str },
    UnknownGroup { model: String, rule: String, group: String, known: Vec<String> },
    UnknownPart { model: String, rule: String, part: String, known: Vec<String> },
    Cycle { models: Vec<String> },
    TooDeep { models: Vec<String> },
}

impl ScoreError {
    /// Which model, and which of its rules.
    pub fn detail(&self) -> Option<String> {
        use ScoreError::*;
        Some(match self {
            Name { .. } | Cycle { .. } | TooDeep { .. } => return None,
            TwoRules { model, rule }
            | Filter { model, rule, .. }
            | Path { model, rule, .. }
            | Scale { model, rule }
            | ScaleWithoutValue { model, rule }
            | PartAndValue { model, rule }
            | InLogistic { model, rule, .. }
            | UnknownGroup { model, rule, .. }
            | UnknownPart { model, rule, .. } => format!("Rule \"{rule}\" of model \"{model}\"."),
            TooManyRules { model, .. }
            | Link { model, .. }
            | FloorAboveCap { model }
            | TierOutside { model, .. }
            | EqualTiers { model, .. }
            | NoLowestTier { model, .. }
            | GroupMaximum { model, .. }
            | Decay { model }
            | HalfLife { model }
            | Number { model, .. } => format!("Model \"{model}\"."),
        })
    }

    /// What the user can do about it.
    pub fn hint(&self) -> String {
        use ScoreError::*;
        match self {
            Name { .. } => "Lower-case letters, digits, _ and -, beginning with a letter, at most 63; base, cap, floor, decay and group are taken.".into(),
            TwoRules { .. } => "Give each rule a name of its own.".into(),
            TooManyRules { .. } => "Put some of them into a model of their own, and make that a part of this one.".into(),
            Link { .. } => "linear (the sum is the score) or logistic (the score is 100 times a probability).".into(),
            FloorAboveCap { .. } => "Every score lies between floor and cap.".into(),
            TierOutside { .. } => "A tier begins between floor and cap; no score would reach this one.".into(),
            EqualTiers { .. } => "Each tier begins at a score of its own, as in {\"hot\": 70, \"warm\": 40, \"cold\": 0}.".into(),
            NoLowestTier { .. } => "The lowest tier begins at the floor, so that every score has one.".into(),
            GroupMaximum { .. } => "The maximum of a group is more than 0; leave a group without limit out.".into(),
            Decay { .. } => "Give both: the path of a moment among the facts, such as created_at, and after what time half of the score is left.".into(),
            HalfLife { .. } => "As in '30 days'.".into(),
            Number { .. } => format!("At most {} with two decimals; log-odds of a logistic model at most 100.", Points::MAX),
            Filter { error, .. } => error.hint().unwrap_or_default(),
            Path { .. } => "A path is one or more keys with a dot between each two, such as \"custom_attributes.employees\".".into(),
            Scale { .. } => "Give value, value_from and value_to: no points at the first number, all at the second.".into(),
            ScaleWithoutValue { .. } => "They scale the points by a number among the facts: name it in value.".into(),
            PartAndValue { .. } => "A rule is one of both: the score of another model, or a number among the facts.".into(),
            InLogistic { .. } => "Rules of a logistic model have a filter or a value, and points in log-odds.".into(),
            UnknownGroup { known, .. } if known.is_empty() => "Give the model groups, as in {\"budget\": 20}.".into(),
            UnknownGroup { known, .. } => format!("Its groups are {}.", known.join(", ")),
            UnknownPart { known, .. } => format!("There are {}.", known.join(", ")),
            Cycle { .. } => "A model cannot be a part of itself.".into(),
            TooDeep { .. } => "Let models have the innermost ones as parts directly.".into(),
        }
    }
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ScoreError::*;
        match self {
            Name { what, name } => {
                write!(f, "\"{}\" is not a valid name for a {what}", name.chars().take(100).collect::<String>())
            }
            TwoRules { rule, .. } => write!(f, "two rules are called \"{rule}\""),
            TooManyRules { rules, .. } => write!(f, "{rules} rules are too many for a model"),
            Link { link, .. } => write!(f, "link \"{link}\" is unknown"),
            FloorAboveCap { .. } => write!(f, "the floor is not below the cap"),
            TierOutside { tier, at, .. } => write!(f, "tier \"{tier}\" begins at {at}, outside of floor and cap"),
            EqualTiers { tiers: [one, other], .. } => {
                write!(f, "tiers \"{one}\" and \"{other}\" begin at the same score")
            }
            NoLowestTier { lowest, .. } => write!(f, "scores below tier \"{lowest}\" would have no tier"),
            GroupMaximum { group, maximum, .. } => write!(f, "group \"{group}\" has the maximum {maximum}"),
            Decay { .. } => write!(f, "decay needs a moment and a half life"),
            HalfLife { .. } => write!(f, "a half life is longer than 0"),
            Number { what, number, .. } => write!(f, "{what}: {number} is out of range or too precise"),
            Filter { error, .. } => error.fmt(f),
            Path { path, .. } => write!(f, "path \"{path}\" has an empty key"),
            Scale { .. } => write!(f, "points scaled by a value need two different numbers"),
            ScaleWithoutValue { .. } => write!(f, "value_from and value_to stand without a value"),
            PartAndValue { .. } => write!(f, "a rule has both a model and a value"),
            InLogistic { what, .. } => write!(f, "a logistic model has no {what}"),
            UnknownGroup { group, .. } => write!(f, "group \"{group}\" is unknown"),
            UnknownPart { part, .. } => write!(f, "model \"{part}\" is unknown"),
            Cycle { models } => write!(f, "models are parts of each other: {}", models.join(" -> ")),
            TooDeep { models } => write!(f, "models are parts of parts too deeply: {}", models.join(" -> ")),
        }
    }
}

impl std::error::Error for ScoreError {}
