use serde_json::{Map, Value};

/// The headers of a request, in their order.
#[derive(Clone, Copy)]
pub struct Headers<'a>(pub &'a [(String, String)]);

impl<'a> Headers<'a> {
    /// Value of the first header of that name, compared without case.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// So many headers are kept, of so many bytes together.
const MOST: usize = 50;
const LONGEST: usize = 8 << 10;

/// In names of headers that prove who sent it: they are not kept.
const CREDENTIALS: [&str; 6] = ["authorization", "cookie", "token", "secret", "signature", "key"];

/// What is kept of the headers: names in lower case, without credentials.
pub fn kept(headers: &[(String, String)]) -> Map<String, Value> {
    let mut room = LONGEST;
    let mut kept = Map::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let bytes = name.len() + value.len();
        let is_secret = name.starts_with(':') || CREDENTIALS.iter().any(|word| name.contains(word));
        // An id that a sender may repeat with the same key is no credential.
        if (is_secret && name != "idempotency-key") || bytes > room || kept.len() == MOST || kept.contains_key(&name) {
            continue;
        }
        room -= bytes;
        kept.insert(name, value.replace('\0', "\u{fffd}").into());
    }
    kept
}
