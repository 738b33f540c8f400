use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::headers::Headers;
use crate::compare::{hex_equals, text_equals};
use crate::mac::{digest, hmac_sha1, hmac_sha256};

/// Base64 HMAC-SHA1 over the URL followed by every form parameter, name and value, sorted and without
/// separators. A body that is no form is covered by its SHA-256 in the query (`bodySHA256`), and then the
/// URL alone is signed (twilio.com/docs/usage/security, "Validating Signatures from Twilio"). Where
/// `X-Twilio-Webhooks-Signature-Settings` says HMAC_SHA256, that takes SHA-1's place.
pub fn verify(secret: &str, url: &str, headers: Headers<'_>, body: &[u8]) -> bool {
    let Some(signature) = headers.get("x-twilio-signature") else { return false };
    let parameters = match query_value(url, "bodySHA256") {
        Some(hash) if !hex_equals(hash, &Sha256::digest(body).into()) => return false,
        Some(_) => Vec::new(),
        None => form_parameters(body),
    };
    let settings = headers.get("x-twilio-webhooks-signature-settings").unwrap_or_default();
    let is_newer = settings.split(',').any(|setting| setting.trim() == "algorithm=HMAC_SHA256");
    spellings(url).iter().any(|url| {
        let signed = [url.as_bytes(), &parameters];
        let expected = match is_newer {
            true => STANDARD.encode(digest(&hmac_sha256(secret.as_bytes()), &signed)),
            false => STANDARD.encode(digest(&hmac_sha1(secret.as_bytes()), &signed)),
        };
        text_equals(signature.trim(), &expected)
    })
}

/// Twilio signs some calls with the port in the URL and some without, whatever was configured; its own
/// libraries accept both.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else {
        return all;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host_start = authority.rfind('@').map_or(0, |at| at + 1);
    // An IPv6 host is in brackets and full of colons.
    let after_brackets = authority.rfind(']').map_or(host_start, |at| at + 1);
    match authority[after_brackets..].rfind(':') {
        Some(colon) => {
            let without = &authority[..after_brackets + colon];
            all.push(format!("{scheme}://{without}{path}"));
        }
        None => {
            let port = if scheme == "https" { 443 } else { 80 };
            all.push(format!("{scheme}://{authority}:{port}{path}"));
        }
    }
    all
}

fn query_value<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let query = url.split_once('?')?.1;
    let query = query.split('#').next()?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Decoded names and values in order, each pair once, as Twilio's libraries concatenate them.
fn form_parameters(body: &[u8]) -> Vec<u8> {
    let pairs: BTreeSet<(Vec<u8>, Vec<u8>)> = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || form_decode(halves.next().unwrap_or_default());
            (half(), half())
        })
        .collect();
    pairs.into_iter().flat_map(|(name, value)| [name, value].concat()).collect()
}

/// application/x-www-form-urlencoded (WHATWG URL §5.1): `+` is a space, a broken `%` stands for itself.
fn form_decode(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| (byte as char).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            decoded.push((high << 4 | low) as u8);
            rest = &tail[2..];
        } else {
            decoded.push(if *first == b'+' { b' ' } else { *first });
            rest = tail;
        }
    }
    decoded
}
