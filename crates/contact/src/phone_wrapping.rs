//! What people and programs put around phone numbers.

use std::borrow::Cow;

use crate::email::is_invisible;

/// Longer than any number with all that people write around it.
const LONGEST: usize = 200;

/// Servers whose users are phone numbers: `5215512340077@s.whatsapp.net`.
const CHATS: [&str; 2] = ["@s.whatsapp.net", "@c.us"];

/// Pages that open a chat with a number.
const PAGES: [&str; 4] = ["wa.me/", "whatsapp.com/", "whatsapp://", "signal.me/"];

pub(crate) enum Wrapped<'a> {
    Nothing,
    /// Digits without +, where only numbers with a country code can be.
    International(String),
    /// As somebody wrote it, with a + in the one spelling of it when it has one.
    Written(Cow<'a, str>),
}

pub(crate) fn unwrap(text: &str) -> Result<Wrapped<'_>, &'static str> {
    let seen = seen(text);
    if seen.is_empty() {
        return Ok(Wrapped::Nothing);
    }
    if seen.len() > LONGEST {
        return Err("it is too long");
    }
    let lower = seen.to_ascii_lowercase();
    let inside = chat(&lower).or_else(|| page(&lower)).or_else(|| lower.strip_prefix("whatsapp:"));
    if let Some(inside) = inside.map(str::trim)
        && !inside.starts_with('+')
        && inside.chars().all(|c| c.is_ascii_digit() || " -.()".contains(c))
    {
        let digits: String = inside.chars().filter(char::is_ascii_digit).collect();
        return match digits.is_empty() {
            true => Err("it is not written as one"),
            false => Ok(Wrapped::International(digits)),
        };
    }
    let written = match inside {
        Some(inside) => Cow::Owned(inside.trim().to_owned()),
        None => seen,
    };
    // RFC 3966 has parameters that belong to the number; the library reads those.
    Ok(Wrapped::Written(if lower.starts_with("tel:") && lower.contains(';') { written } else { from_plus(written) }))
}

fn chat(lower: &str) -> Option<&str> {
    let user = CHATS.iter().find_map(|chat| lower.strip_suffix(chat))?;
    // One device of several is told by a number after a colon.
    Some(user.split(':').next().unwrap_or(user))
}

fn page(lower: &str) -> Option<&str> {
    let (_, rest) = PAGES.iter().find_map(|page| lower.split_once(page))?;
    let rest = match rest.split_once("phone=") {
        Some((_, number)) => number,
        None => rest,
    };
    let number = rest.trim_start_matches("#p/").split(['?', '&', '#', '/']).next().unwrap_or_default();
    Some(number.strip_prefix("%2b").unwrap_or(number))
}

/// Words and a colon before a + are no part of the number.
fn from_plus(written: Cow<'_, str>) -> Cow<'_, str> {
    match written.find(['+', '＋']) {
        None | Some(0) if !written.starts_with('＋') => written,
        found => {
            let (before, from) = written.split_at(found.unwrap_or(0));
            if before.chars().any(|c| c.is_numeric()) {
                return written;
            }
            let digits = from.trim_start_matches(['+', '＋', ' ']);
            Cow::Owned(format!("+{digits}"))
        }
    }
}

/// Without the marks of direction that address books wrap numbers in, and without what else is not seen.
fn seen(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if !trimmed.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Cow::Borrowed(trimmed);
    }
    let seen: String =
        trimmed.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Cow::Owned(seen.trim().to_owned())
}
