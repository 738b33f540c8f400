use crate::ContactError;
use crate::contact_error::shown;

/// RFC 5321, 4.5.3.1: octets of the part before the @, of the whole.
const LONGEST_LOCAL: usize = 64;
const LONGEST: usize = 254;

/// An e-mail address in lower case, out of what people paste: spaces around it, `mailto:`, `Ana <ana@example.com>`.
/// `None` for nothing. The address is one that mail can be sent to by what it says; quoted local parts and address literals
/// (`"a b"@[10.0.0.1]`) are refused, names in every script are not.
pub fn normalize_email(text: &str) -> Result<Option<String>, ContactError> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c));
    if trimmed.is_empty() {
        return Ok(None);
    }
    let address = without_name(trimmed);
    check(address).map_err(|reason| ContactError::Email { value: shown(text), reason })?;
    Ok(Some(one_spelling(&address.to_lowercase())))
}

/// `ana@xn--kln-sna.de` is `ana@köln.de`: what the DNS takes for one domain is one here (UTS 46).
fn one_spelling(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
    if domain.is_ascii() && !domain.contains("xn--") {
        return address.to_owned();
    }
    match idna::domain_to_unicode(domain) {
        (unicode, Ok(())) if check_domain(&unicode).is_ok() => format!("{local}@{unicode}"),
        _ => address.to_owned(),
    }
}

fn without_name(text: &str) -> &str {
    let text = match (text.rfind('<'), text.strip_suffix('>')) {
        (Some(open), Some(inner)) => &inner[open + 1..],
        _ => text,
    };
    match text.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &text[7..],
        _ => text,
    }
    .trim()
}

fn check(address: &str) -> Result<(), &'static str> {
    let (local, domain) = address.rsplit_once('@').ok_or("it has no @")?;
    if address.len() > LONGEST || local.len() > LONGEST_LOCAL {
        return Err("it is longer than addresses may be");
    }
    if local.is_empty() {
        return Err("nothing is before the @");
    }
    if local.chars().any(|c| c.is_whitespace() || c.is_control() || is_invisible(c) || "()<>[]\\,;:\"@".contains(c)) {
        return Err("a character before the @ may not be there");
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("a dot before the @ is misplaced");
    }
    check_domain(domain)
}

fn check_domain(domain: &str) -> Result<(), &'static str> {
    if domain.is_empty() {
        return Err("nothing is after the @");
    }
    let labels: Vec<&str> = domain.split('.').collect();
    if labels.len() < 2 || labels.iter().any(|label| label.is_empty()) {
        return Err("what follows the @ is not a domain");
    }
    let wrong = |label: &&str| {
        label.len() > 63
            || label.starts_with('-')
            || label.ends_with('-')
            || label
                .chars()
                .any(|c| c != '-' && if c.is_ascii() { !c.is_ascii_alphanumeric() } else { !is_letter_or_mark(c) })
    };
    if labels.iter().any(wrong) {
        return Err("what follows the @ is not a domain");
    }
    // A top level domain is never a number: this was an IP address or a version.
    if labels.last().is_some_and(|top| top.chars().all(|c| c.is_ascii_digit())) {
        return Err("what follows the @ is not a domain");
    }
    Ok(())
}

/// Beyond ASCII: letters, digits, and what combines with them, which has no class of its own in the standard library.
fn is_letter_or_mark(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !is_invisible(c)
}

/// Zero width spaces and joiners, byte order mark, marks of direction: they come by copying and change what is compared.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
}
