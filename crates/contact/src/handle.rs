use crate::ContactError;
use crate::contact_error::shown;
use crate::email::is_invisible;

const LONGEST: usize = 100;

/// Sites whose profiles are `site/name`; `profile.php?id=` of Facebook apart.
const SITES: [&str; 12] = [
    "instagram.com",
    "instagr.am",
    "ig.me",
    "facebook.com",
    "m.facebook.com",
    "web.facebook.com",
    "fb.com",
    "fb.me",
    "m.me",
    "messenger.com",
    "t.me",
    "telegram.me",
];

/// The name of a profile on Instagram, Messenger or Telegram: without @ and address, in lower case. A number stays what it is.
/// `None` for nothing.
pub fn normalize_handle(text: &str) -> Result<Option<String>, ContactError> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c));
    if trimmed.is_empty() {
        return Ok(None);
    }
    let error = |reason| ContactError::Handle { value: shown(text), reason };
    let name = without_address(trimmed).map_err(error)?;
    let name = name.trim_start_matches('@').trim_end_matches('/').to_lowercase();
    if name.is_empty() {
        return Err(error("no name is in it"));
    }
    if name.len() > LONGEST {
        return Err(error("it is longer than 100 characters"));
    }
    if name.chars().any(|c| c.is_whitespace() || c.is_control() || is_invisible(c) || "/\\?#&<>\"'`".contains(c)) {
        return Err(error("a character in it may not be there"));
    }
    Ok(Some(name))
}

fn without_address(text: &str) -> Result<&str, &'static str> {
    let lower = text.to_ascii_lowercase();
    let start =
        ["https://", "http://"].iter().find(|scheme| lower.starts_with(**scheme)).map_or(0, |scheme| scheme.len());
    let host_end = text[start..].find('/').map_or(text.len(), |slash| start + slash);
    let host = &lower[start..host_end];
    let is_site = SITES.contains(&host.strip_prefix("www.").unwrap_or(host));
    if !is_site || host_end == text.len() {
        // A bare host is no profile, and an address of another site is none of these networks'.
        return if start > 0 || is_site { Err("it is not the address of a profile") } else { Ok(text) };
    }
    let path = &text[host_end + 1..];
    if let Some(query) = path.strip_prefix("profile.php?") {
        return query.split('&').find_map(|part| part.strip_prefix("id=")).ok_or("it is not the address of a profile");
    }
    let path = path.strip_prefix("m/").or_else(|| path.strip_prefix("t/")).unwrap_or(path);
    Ok(path.split(['?', '#', '/']).next().unwrap_or_default())
}
