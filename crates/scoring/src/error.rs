use filter::FilterError;
use report::Report;
use thiserror::Error;

use crate::Points;

/// Why a set of models is none. `model` and `rule` are names.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ScoreError {
    #[error("\"{}\" is not a valid name for a {what}", .name.chars().take(100).collect::<String>())]
    Name { what: &'static str, name: String },
    #[error("two rules are called \"{rule}\"")]
    TwoRules { model: String, rule: String },
    #[error("{rules} rules are too many for a model")]
    TooManyRules { model: String, rules: usize },
    #[error("link \"{link}\" is unknown")]
    Link { model: String, link: String },
    #[error("the floor is not below the cap")]
    FloorAboveCap { model: String },
    #[error("tier \"{tier}\" begins at {at}, outside of floor and cap")]
    TierOutside { model: String, tier: String, at: f64 },
    #[error("tiers \"{}\" and \"{}\" begin at the same score", .tiers[0], .tiers[1])]
    EqualTiers { model: String, tiers: [String; 2] },
    #[error("scores below tier \"{lowest}\" would have no tier")]
    NoLowestTier { model: String, lowest: String },
    #[error("group \"{group}\" has the maximum {maximum}")]
    GroupMaximum { model: String, group: String, maximum: f64 },
    #[error("decay needs a moment and a half life")]
    Decay { model: String },
    #[error("a half life is longer than 0")]
    HalfLife { model: String },
    #[error("{what}: {number} is out of range or too precise")]
    Number { model: String, what: String, number: f64 },
    #[error("{error}")]
    Filter { model: String, rule: String, error: Box<FilterError> },
    #[error("path \"{path}\" has an empty key")]
    Path { model: String, rule: String, path: String },
    #[error("points scaled by a value need two different numbers")]
    Scale { model: String, rule: String },
    #[error("value_from and value_to stand without a value")]
    ScaleWithoutValue { model: String, rule: String },
    #[error("a rule has both a model and a value")]
    PartAndValue { model: String, rule: String },
    #[error("a logistic model has no {what}")]
    InLogistic { model: String, rule: String, what: &'static str },
    #[error("group \"{group}\" is unknown")]
    UnknownGroup { model: String, rule: String, group: String, known: Vec<String> },
    #[error("model \"{part}\" is unknown")]
    UnknownPart { model: String, rule: String, part: String, known: Vec<String> },
    #[error("models are parts of each other: {}", .models.join(" -> "))]
    Cycle { models: Vec<String> },
    #[error("models are parts of parts too deeply: {}", .models.join(" -> "))]
    TooDeep { models: Vec<String> },
}

impl Report for ScoreError {
    /// Which model, and which of its rules.
    fn detail(&self) -> Option<String> {
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

    fn hint(&self) -> Option<String> {
        use ScoreError::*;
        Some(match self {
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
            Filter { error, .. } => return error.hint(),
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
        })
    }
}
