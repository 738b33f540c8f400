use report::Report;

/// The longest event type and the longest pattern, in bytes.
pub(crate) const MAX_BYTES: usize = 200;

/// First parts of the types that the engine alone records. Nobody else's event has one of them, and a pattern has to begin
/// with one to take the engine's own events.
pub const RESERVED: [&str; 6] = ["endpoint", "delivery", "http", "job", "flow", "engine"];

/// Whether an event type, an entity or a pattern begins with a part of [`RESERVED`].
pub fn is_reserved(text: &str) -> bool {
    let first = text.split('.').next().unwrap_or_default();
    RESERVED.contains(&first)
}

/// Whether `text` names a type of event: parts of letters and digits of any script, `_` and `-` with dots between, 1 to 200
/// bytes.
///
/// # Errors
/// What is wrong with it.
pub fn check_event_type(text: &str) -> Result<(), EventTypeError> {
    if text.is_empty() {
        return Err(EventTypeError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(EventTypeError::TooLong { bytes: text.len() });
    }
    for part in text.split('.') {
        if part.is_empty() {
            return Err(EventTypeError::EmptyPart { text: text.to_owned() });
        }
        if let Some(character) = bad_character(part) {
            return Err(EventTypeError::BadCharacter { text: text.to_owned(), character });
        }
    }
    Ok(())
}

/// Why a text names no type of event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventTypeError {
    #[error("event type is empty")]
    Empty,
    #[error("event type is too long: {bytes} bytes, at most {MAX_BYTES} are allowed")]
    TooLong { bytes: usize },
    #[error("event type \"{text}\" has an empty part")]
    EmptyPart { text: String },
    #[error("event type \"{text}\" contains {character:?}")]
    BadCharacter { text: String, character: char },
}

impl Report for EventTypeError {
    fn hint(&self) -> Option<String> {
        Some("Use letters, digits, _ and - with dots between the parts, such as \"lead.created\".".into())
    }
}

/// The longest word that [`event_word`] makes, in bytes.
const LONGEST_WORD: usize = 120;

/// A text as one part of an event type, as far as there is room: what may not stand there becomes `_`. Words of different
/// letters stay different, whatever their script.
pub fn event_word(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_WORD);
    text[..end].chars().map(|c| if is_allowed(c) { c } else { '_' }).collect()
}

pub(crate) fn bad_character(part: &str) -> Option<char> {
    part.chars().find(|c| !is_allowed(*c))
}

/// Letters, digits, the marks that belong to them, and signs; no space, no control, nothing that cannot be seen or that changes
/// the direction of writing. Of ASCII letters, digits, `_` and `-`.
fn is_allowed(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    }
    let unseen = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..);
    !(unseen || c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones() {
        for text in ["lead.created", "booking.flights.booked", "a", "A-1_b.9", "léad.予約", "ครั้ง.✅", &"x".repeat(200)]
        {
            assert_eq!(check_event_type(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn reserved_is_the_first_part() {
        for text in ["job.failed", "http.request", "endpoint", "delivery.*", "flow.a.b", "engine.x"] {
            assert!(is_reserved(text), "{text}");
        }
        for text in ["jobs.created", "lead.job", "my_endpoint.added", "Job.failed", "*", ""] {
            assert!(!is_reserved(text), "{text}");
        }
    }

    #[test]
    fn words_of_any_script_stay_different() {
        assert_eq!(event_word("確認"), "確認");
        assert_eq!(event_word("取消"), "取消");
        assert_eq!(event_word("in Arbeit. Ü\n"), "in_Arbeit__Ü_");
        assert_eq!(event_word(""), "");
        for text in ["確認", "a b", "*.*", "\u{202e}", &"語".repeat(100), &"x".repeat(300)] {
            assert_eq!(check_event_type(&event_word(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn bad_ones() {
        let message = |text: &str| check_event_type(text).unwrap_err().to_string();
        assert_eq!(message(""), "event type is empty");
        assert_eq!(message("lead..created"), "event type \"lead..created\" has an empty part");
        assert_eq!(message(".lead"), "event type \".lead\" has an empty part");
        assert_eq!(message("lead."), "event type \"lead.\" has an empty part");
        assert_eq!(message("lead.*"), "event type \"lead.*\" contains '*'");
        assert_eq!(message("lead created"), "event type \"lead created\" contains ' '");
        assert_eq!(message("a\u{202e}b"), "event type \"a\u{202e}b\" contains '\\u{202e}'");
        assert_eq!(message("a\u{3000}b"), "event type \"a\u{3000}b\" contains '\\u{3000}'");
        assert_eq!(message("a\n"), "event type \"a\n\" contains '\\n'");
        assert_eq!(message(&"x".repeat(201)), "event type is too long: 201 bytes, at most 200 are allowed");
    }
}
