use std::fmt;

use report::Report;

use crate::event_type::{MAX_BYTES, bad_character};

/// Which events, by their type. `*` is any one part, `**` or a `*` at the end one or more parts:
/// `lead.*`, `booking.*.cancelled`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
    /// Whether one or more parts of any name follow.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Named(String),
    Any,
}

impl Pattern {
    /// # Errors
    /// An empty part, `*` beside other characters, `**` before the end, a character no type has, more than 200 bytes.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        let mut parts: Vec<&str> = text.split('.').collect();
        let open = matches!(parts.last(), Some(&("*" | "**")));
        if open {
            parts.pop();
        }
        let parts = parts.into_iter().map(|part| self::part(text, part));
        Ok(Pattern { parts: parts.collect::<Result<_, _>>()?, open })
    }

    pub fn matches(&self, event_type: &str) -> bool {
        let mut given = event_type.split('.');
        for part in &self.parts {
            let Some(given) = given.next() else {
                return false;
            };
            if matches!(part, Part::Named(name) if name != given) {
                return false;
            }
        }
        given.next().is_some() == self.open
    }
}

/// As it was written, except that `**` is `*`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.parts.iter().map(|part| match part {
            Part::Named(name) => name.as_str(),
            Part::Any => "*",
        });
        let parts: Vec<&str> = named.chain(self.open.then_some("*")).collect();
        f.write_str(&parts.join("."))
    }
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("event pattern is empty")]
    Empty,
    #[error("event pattern is too long: {bytes} bytes, at most {MAX_BYTES} are allowed")]
    TooLong { bytes: usize },
    #[error("event pattern \"{text}\" has an empty part")]
    EmptyPart { text: String },
    #[error("event pattern \"{text}\" has * beside other characters in \"{part}\"")]
    PartialStar { text: String, part: String },
    #[error("event pattern \"{text}\" has ** before its end")]
    EarlyRest { text: String },
    #[error("event pattern \"{text}\" contains {character:?}")]
    BadCharacter { text: String, character: char },
}

impl Report for PatternError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            PatternError::PartialStar { .. } => {
                "* stands for a whole part between dots, such as \"lead.*\" or \"booking.*.cancelled\"."
            }
            PatternError::EarlyRest { .. } => "Use * for one part; ** goes to the end.",
            _ => "Write dotted names, * for any part, such as \"lead.created\", \"lead.*\" or \"*\".",
        };
        Some(hint.into())
    }
}

fn part(text: &str, part: &str) -> Result<Part, PatternError> {
    let text = || text.to_owned();
    match part {
        "" => Err(PatternError::EmptyPart { text: text() }),
        "*" => Ok(Part::Any),
        "**" => Err(PatternError::EarlyRest { text: text() }),
        _ => match bad_character(part) {
            None => Ok(Part::Named(part.to_owned())),
            Some('*') => Err(PatternError::PartialStar { text: text(), part: part.to_owned() }),
            Some(character) => Err(PatternError::BadCharacter { text: text(), character }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, event_type: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(event_type)
    }

    #[test]
    fn names() {
        assert!(matches("lead.created", "lead.created"));
        assert!(!matches("lead.created", "lead"));
        assert!(!matches("lead.created", "lead.created.twice"));
        assert!(!matches("lead.created", "lead.Created"));
        assert!(!matches("lead", "leads"));
    }

    #[test]
    fn one_part() {
        assert!(matches("booking.*.cancelled", "booking.flights.cancelled"));
        assert!(!matches("booking.*.cancelled", "booking.cancelled"));
        assert!(!matches("booking.*.cancelled", "booking.a.b.cancelled"));
        assert!(matches("*.created", "lead.created"));
        assert!(!matches("*.created", "a.lead.created"));
    }

    #[test]
    fn any_rest() {
        for pattern in ["lead.*", "lead.**"] {
            assert!(matches(pattern, "lead.created"));
            assert!(matches(pattern, "lead.a.b.c"));
            assert!(!matches(pattern, "lead"));
            assert!(!matches(pattern, "leads.created"));
        }
        assert!(matches("*.*", "a.b.c"));
        assert!(!matches("*.*", "a"));
    }

    #[test]
    fn everything() {
        for pattern in ["*", "**"] {
            assert!(matches(pattern, "lead"));
            assert!(matches(pattern, "a.b.c"));
        }
    }

    #[test]
    fn bad_ones() {
        let message = |text: &str| Pattern::parse(text).unwrap_err().to_string();
        assert_eq!(message(""), "event pattern is empty");
        assert_eq!(message("lead..*"), "event pattern \"lead..*\" has an empty part");
        assert_eq!(message("lead."), "event pattern \"lead.\" has an empty part");
        assert_eq!(message("lead.cre*"), "event pattern \"lead.cre*\" has * beside other characters in \"cre*\"");
        assert_eq!(message("***"), "event pattern \"***\" has * beside other characters in \"***\"");
        assert_eq!(message("a.**.b"), "event pattern \"a.**.b\" has ** before its end");
        assert_eq!(message("a b"), "event pattern \"a b\" contains ' '");
        assert_eq!(message(&"x".repeat(201)), "event pattern is too long: 201 bytes, at most 200 are allowed");
    }

    proptest! {
        #[test]
        fn never_panics(pattern in "[a*. é]{0,12}", event_type in "\\PC*") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                pattern.matches(&event_type);
            }
        }

        /// A type matches itself, and every pattern made of it by putting `*` for parts.
        #[test]
        fn a_type_matches_what_is_made_of_it(parts in prop::collection::vec(("[a-z]{1,5}", any::<bool>()), 1..6)) {
            let event_type: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
            let pattern: Vec<&str> = parts.iter().map(|(name, star)| if *star { "*" } else { name.as_str() }).collect();
            let pattern = pattern.join(".");
            prop_assert!(matches(&event_type.join("."), &event_type.join(".")));
            prop_assert!(matches(&pattern, &event_type.join(".")));
            prop_assert_eq!(Pattern::parse(&pattern).unwrap().to_string(), pattern);
        }
    }
}
