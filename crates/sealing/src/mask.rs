//! What came back without the secrets that were sent: a receiver may answer with what it was asked.

/// What stands for a secret.
pub const MASK: &[u8] = b"********";
/// A shorter part of a secret tells nothing, and may be any word.
const SHORTEST: usize = 4;
/// How much of a secret at the cut end of a text is taken for its beginning.
const BEGINNING: usize = 6;

/// The forms in which a header's value may come back: itself, without its scheme ("Bearer "), and either as JSON writes it.
pub fn forms(value: &str) -> Vec<Vec<u8>> {
    let token = value.split_once(' ').map(|(_, token)| token.trim());
    let mut forms: Vec<Vec<u8>> = Vec::new();
    for text in [Some(value), token].into_iter().flatten().filter(|text| text.len() >= SHORTEST) {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/");
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        for form in [text.to_owned(), quoted, escaped] {
            if !forms.iter().any(|known| known == form.as_bytes()) {
                forms.push(form.into_bytes());
            }
        }
    }
    // The longest first, so that no part of it is left behind.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms
}

/// `text` with each of the secrets replaced, and with the beginning of one that its end cut off. None: there is none in it.
pub fn mask(text: &[u8], secrets: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut masked: Option<Vec<u8>> = None;
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let before = masked.as_deref().unwrap_or(text);
        if let Some(after) = without(before, secret) {
            masked = Some(after);
        }
    }
    masked
}

fn without(text: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let whole = rest.starts_with(secret);
        if whole || rest.len() >= BEGINNING && rest.len() < secret.len() && secret.starts_with(rest) {
            kept.extend_from_slice(&text[from..at]);
            kept.extend_from_slice(MASK);
            at += if whole { secret.len() } else { rest.len() };
            from = at;
        } else {
            at += 1;
        }
    }
    if kept.is_empty() {
        return None;
    }
    kept.extend_from_slice(&text[from..]);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, value: &str) -> String {
        let bytes = mask(text.as_bytes(), &forms(value)).unwrap_or_else(|| text.as_bytes().to_vec());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_secret_is_found_with_and_without_its_scheme_and_as_json_writes_it() {
        assert_eq!(masked("you sent Bearer abc123!", "Bearer abc123"), "you sent ********!");
        assert_eq!(masked("abc123 and abc123", "Bearer abc123"), "******** and ********");
        assert_eq!(masked(r#"{"a":"x\"y/zw"}"#, r#"x"y/zw"#), r#"{"a":"********"}"#);
        assert_eq!(masked(r#"{"a":"x\"y\/zw"}"#, r#"x"y/zw"#), r#"{"a":"********"}"#);
        assert_eq!(masked("nothing of it", "Bearer abc123"), "nothing of it");
    }

    #[test]
    fn what_the_end_of_a_text_left_of_a_secret_is_masked_too() {
        assert_eq!(masked("token: 0123456", "0123456789"), "token: ********");
        assert_eq!(masked("token: 01", "0123456789"), "token: 01");
    }

    #[test]
    fn a_short_value_is_no_secret() {
        assert_eq!(masked("a yes is a yes", "yes"), "a yes is a yes");
    }
}
