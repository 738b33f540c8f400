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

/// Whose proof an incoming webhook carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VerifyScheme {
    /// Standard Webhooks 1.0, also under Svix' own header names (`svix-id` and so on).
    Standard,
    /// GitHub: `X-Hub-Signature-256`.
    Sha256,
    /// WhatsApp, Messenger and Instagram: as GitHub, with the secret of the app.
    Meta,
    /// `Stripe-Signature`.
    Stripe,
    /// `X-Twilio-Signature`; needs the pseudo header `:url`.
    Twilio,
    /// `X-Chatwoot-Signature` and `X-Chatwoot-Timestamp`.
    Chatwoot,
    /// `X-Slack-Signature` and `X-Slack-Request-Timestamp`.
    Slack,
    /// `X-Telegram-Bot-Api-Secret-Token`: the secret itself.
    Telegram,
    /// The secret itself, in the header of this name; none: in `Authorization`, after `Bearer`.
    Token(Option<String>),
    /// `Authorization: Basic`; the secret is `user:password`.
    Basic,
    /// Nothing is proved: anybody may send.
    None,
}

impl VerifyScheme {
    pub const KNOWN: &'static [&'static str] = &[
        "standard",
        "sha256",
        "meta",
        "stripe",
        "twilio",
        "chatwoot",
        "slack",
        "telegram",
        "360dialog",
        "token",
        "basic",
        "none",
    ];

    /// Whether there is a secret to it.
    pub fn has_secret(&self) -> bool {
        *self != VerifyScheme::None
    }
}

impl FromStr for VerifyScheme {
    type Err = UnknownScheme;

    /// `token:X-My-Header` names the header of a token.
    fn from_str(text: &str) -> Result<VerifyScheme, UnknownScheme> {
        Ok(match text {
            "standard" => VerifyScheme::Standard,
            "sha256" => VerifyScheme::Sha256,
            "meta" => VerifyScheme::Meta,
            "stripe" => VerifyScheme::Stripe,
            "twilio" => VerifyScheme::Twilio,
            "chatwoot" => VerifyScheme::Chatwoot,
            "slack" => VerifyScheme::Slack,
            "telegram" => VerifyScheme::Telegram,
            // It signs nothing; what its webhook is set up to send along is the proof.
            "360dialog" | "token" => VerifyScheme::Token(None),
            "basic" => VerifyScheme::Basic,
            "none" => VerifyScheme::None,
            _ => match text.strip_prefix("token:").filter(|header| is_header_name(header)) {
                Some(header) => VerifyScheme::Token(Some(header.to_ascii_lowercase())),
                None => return Err(UnknownScheme::new(text, VerifyScheme::KNOWN)),
            },
        })
    }
}

/// A token of RFC 9110, of at most 100 letters.
fn is_header_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=100).contains(&name.len()) && name.bytes().all(fits)
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
    }

    #[test]
    fn every_known_name_of_a_sender_is_one_and_a_token_may_name_its_header() {
        for name in VerifyScheme::KNOWN {
            assert!(name.parse::<VerifyScheme>().is_ok(), "{name}");
        }
        let token = |name: &str| VerifyScheme::Token(Some(name.to_string()));
        assert_eq!("token:X-Secret".parse(), Ok(token("x-secret")));
        for wrong in ["token:", "token:a b", "token:ä", "Token"] {
            assert!(wrong.parse::<VerifyScheme>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "md5".parse::<Scheme>().unwrap_err();
        assert_eq!(error.to_string(), "unknown signature scheme \"md5\"");
        assert_eq!(error.hint().unwrap(), "Known schemes: standard, sha256, none.");
    }
}
