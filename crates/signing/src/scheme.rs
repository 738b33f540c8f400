use std::str::FromStr;

use report::Report;

/// How an endpoint's requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Standard,
    /// GitHub style: `sha256=<hex>` of the body.
    Sha256,
    None,
}

impl Scheme {
    pub const KNOWN: &'static [&'static str] = &["standard", "sha256", "none"];

    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Standard => "standard",
            Scheme::Sha256 => "sha256",
            Scheme::None => "none",
        }
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Scheme, UnknownScheme> {
        match text {
            "standard" => Ok(Scheme::Standard),
            "sha256" => Ok(Scheme::Sha256),
            "none" => Ok(Scheme::None),
            _ => Err(UnknownScheme::new(text, Scheme::KNOWN)),
        }
    }
}

/// Whose signature an incoming webhook carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerifyScheme {
    /// Standard Webhooks 1.0, also under Svix' own header names (`svix-id` and so on).
    Standard,
    /// GitHub: `X-Hub-Signature-256`.
    Sha256,
    /// `Stripe-Signature`.
    Stripe,
    /// `X-Twilio-Signature`; needs the pseudo header `:url`.
    Twilio,
    /// `X-Chatwoot-Signature` and `X-Chatwoot-Timestamp`.
    Chatwoot,
}

impl VerifyScheme {
    pub const KNOWN: &'static [&'static str] = &["standard", "sha256", "stripe", "twilio", "chatwoot"];

    pub fn as_str(self) -> &'static str {
        match self {
            VerifyScheme::Standard => "standard",
            VerifyScheme::Sha256 => "sha256",
            VerifyScheme::Stripe => "stripe",
            VerifyScheme::Twilio => "twilio",
            VerifyScheme::Chatwoot => "chatwoot",
        }
    }
}

impl FromStr for VerifyScheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<VerifyScheme, UnknownScheme> {
        match text {
            "standard" => Ok(VerifyScheme::Standard),
            "sha256" => Ok(VerifyScheme::Sha256),
            "stripe" => Ok(VerifyScheme::Stripe),
            "twilio" => Ok(VerifyScheme::Twilio),
            "chatwoot" => Ok(VerifyScheme::Chatwoot),
            _ => Err(UnknownScheme::new(text, VerifyScheme::KNOWN)),
        }
    }
}

/// A scheme's name that is none of `known`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature scheme \"{got}\"")]
pub struct UnknownScheme {
    pub got: String,
    pub known: &'static [&'static str],
}

impl UnknownScheme {
    fn new(got: &str, known: &'static [&'static str]) -> UnknownScheme {
        UnknownScheme { got: got.chars().take(64).collect(), known }
    }
}

impl Report for UnknownScheme {
    fn hint(&self) -> Option<String> {
        Some(format!("Known schemes: {}.", self.known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for name in Scheme::KNOWN {
            assert_eq!(name.parse::<Scheme>().unwrap().as_str(), *name);
        }
        for name in VerifyScheme::KNOWN {
            assert_eq!(name.parse::<VerifyScheme>().unwrap().as_str(), *name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "md5".parse::<Scheme>().unwrap_err();
        assert_eq!(error.to_string(), "unknown signature scheme \"md5\"");
        assert_eq!(error.hint().unwrap(), "Known schemes: standard, sha256, none.");
    }
}
