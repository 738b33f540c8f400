//! What is wrong with the TLS options of an endpoint.

use std::fmt;

use crate::certificate::Moment;

pub(crate) const CA: &str = "ca";
pub(crate) const CERTIFICATE: &str = "client_certificate";
pub(crate) const KEY: &str = "client_key";

/// What is wrong with the options. The key is in none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// nothing is asked for
    Empty,
    /// the option that is not PEM, or holds what is no certificate, and why
    Certificate(&'static str, String),
    /// the option whose certificate is not valid any more, and since when
    Expired(&'static str, Moment),
    /// not a private key that can be used, and why
    Key(&'static str),
    /// the option that belongs to the other one of client_certificate and client_key, and is missing
    Missing(&'static str),
    /// the key is another certificate's
    Mismatch,
    /// what is not `sha256/` and the base64 of 32 bytes
    Pin(String),
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustError::Empty => write!(f, "tls asks for nothing"),
            TrustError::Certificate(option, _) => write!(f, "{option} is not a certificate in PEM"),
            TrustError::Expired(option, _) => write!(f, "{option} has expired"),
            TrustError::Key(_) => write!(f, "{KEY} cannot be used"),
            TrustError::Missing(option) => write!(f, "{option} is missing"),
            TrustError::Mismatch => write!(f, "{KEY} does not belong to {CERTIFICATE}"),
            TrustError::Pin(_) => write!(f, "a pin is not the hash of a key"),
        }
    }
}

impl std::error::Error for TrustError {}

impl TrustError {
    /// Which and why.
    pub fn detail(&self) -> Option<String> {
        match self {
            TrustError::Empty | TrustError::Missing(_) => None,
            TrustError::Certificate(_, why) => Some(sentence(why)),
            TrustError::Expired(_, end) => Some(format!("It was valid until {end}.")),
            TrustError::Key(why) => Some(sentence(why)),
            TrustError::Mismatch => Some("Its public half is not the key in the first certificate.".into()),
            TrustError::Pin(text) => Some(format!("\"{text}\" is not sha256/ and the base64 of 32 bytes.")),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            TrustError::Empty => "It has at least one of ca, pin, client_certificate with client_key.",
            TrustError::Certificate(..) => {
                "A certificate in PEM begins with -----BEGIN CERTIFICATE-----; pg_read_file() reads one from the server."
            }
            TrustError::Expired(..) => "Give its successor.",
            TrustError::Key(_) => "openssl pkey -in FILE writes a key in PEM, without a password.",
            TrustError::Missing(_) => "client_certificate and client_key belong together.",
            TrustError::Mismatch => "The certificate itself comes first, then those that lead to its authority.",
            TrustError::Pin(_) => {
                "openssl x509 -pubkey -noout -in FILE | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary \
                 | base64"
            }
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().iter().flat_map(|letter| letter.to_uppercase()).collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
