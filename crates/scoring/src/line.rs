use crate::Points;

/// One line of an explanation; the points of all lines add up to the score.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// A rule, after the part that it is of: `intent.price`; or base, cap, floor, decay, `group.<name>`.
    pub rule: &'a str,
    pub points: Points,
    pub why: Why<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Why<'a> {
    Base,
    /// The rule's own reason.
    Rule(Option<&'a str>),
    /// A number of the facts, and between which two it is scaled.
    Scaled {
        reason: Option<&'a str>,
        number: f64,
        from: f64,
        to: f64,
    },
    Group {
        name: &'a str,
        maximum: Points,
    },
    Cap(Points),
    Floor(Points),
    /// Age in seconds.
    Decay {
        age: f64,
        half_life: f64,
    },
}

impl Line<'_> {
    pub fn reason(&self) -> String {
        let days = |seconds: f64| (seconds / 864.0).round() / 100.0;
        let own = |reason: &Option<&str>| match reason {
            Some(reason) => (*reason).to_string(),
            None => self.rule.rsplit('.').next().unwrap_or_default().replace(['_', '-'], " "),
        };
        match &self.why {
            Why::Base => "what everyone begins with".to_string(),
            Why::Rule(reason) => own(reason),
            Why::Scaled { reason, number, from, to } => {
                format!("{}: {}, between {} and {}", own(reason), shown(*number), shown(*from), shown(*to))
            }
            Why::Group { name, maximum } => format!("{name} gives {maximum} at most"),
            Why::Cap(cap) => format!("{cap} at most"),
            Why::Floor(floor) => format!("{floor} at least"),
            Why::Decay { age, half_life } => {
                format!("{} days old; half is left after {} days", days(*age), days(*half_life))
            }
        }
    }
}

/// Without a hundred digits.
fn shown(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") }
}
