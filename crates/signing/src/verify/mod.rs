//! Webhooks that come in, one file per sender's scheme.

mod basic;
mod chatwoot;
mod headers;
mod slack;
mod stripe;
mod token;
mod twilio;

use report::Report;

use crate::mac::hmac_sha256;
use crate::secret::PUBLIC;
use crate::{SecretError, Verifier, VerifyScheme, hub};
use headers::Headers;

/// Whether an incoming request is signed with `secret`.
///
/// - `headers`: name and value; names are compared without case, the first of a name counts.
///   Twilio signs the URL it called, which no header carries: give it as the pseudo header `:url`,
///   whole, with scheme and query, as it is configured at Twilio.
/// - `body`: the bytes as they came, not parsed and written again.
/// - `now`: seconds since the epoch; `tolerance`: seconds a signed timestamp may be away from it.
///   GitHub, Meta and Twilio sign no timestamp; a token proves who sent it, and nothing about the body.
///
/// The secret is used as the sender uses it: Standard Webhooks decodes `whsec_`, the others take the text
/// itself (Stripe's `whsec_` too). Comparisons take constant time.
///
/// `Ok(false)` is a missing, wrong or expired signature.
///
/// # Errors
/// What the caller got wrong and no request can cure: an unusable secret, a negative tolerance,
/// Twilio without `:url`.
pub fn verify(
    scheme: VerifyScheme,
    secret: &str,
    headers: &[(String, String)],
    body: &[u8],
    now: i64,
    tolerance: i64,
) -> Result<bool, VerifyError> {
    if tolerance < 0 {
        return Err(VerifyError::NegativeTolerance(tolerance));
    }
    if !scheme.has_secret() {
        return Ok(true);
    }
    if secret.is_empty() {
        return Err(VerifyError::EmptySecret);
    }
    if scheme != VerifyScheme::Standard && secret.starts_with(PUBLIC) {
        return Err(VerifyError::Secret(SecretError::PublicKey));
    }
    let headers = Headers(headers);
    let keyed = || hmac_sha256(secret.as_bytes());
    match scheme {
        VerifyScheme::Standard => {
            let verifier = Verifier::new(secret).map_err(VerifyError::Secret)?;
            Ok(standard(&verifier, headers, body, now, tolerance))
        }
        VerifyScheme::Sha256 | VerifyScheme::Meta => {
            Ok(headers.get("x-hub-signature-256").is_some_and(|signature| hub::verify(&keyed(), signature, body)))
        }
        VerifyScheme::Stripe => Ok(headers
            .get("stripe-signature")
            .is_some_and(|value| stripe::verify(&keyed(), value, body, now, tolerance))),
        VerifyScheme::Chatwoot => Ok(chatwoot::verify(&keyed(), headers, body, now, tolerance)),
        VerifyScheme::Twilio => {
            let url = headers.get(":url").ok_or(VerifyError::UrlMissing)?;
            Ok(twilio::verify(secret, url, headers, body))
        }
        VerifyScheme::Slack => Ok(slack::verify(&keyed(), headers, body, now, tolerance)),
        VerifyScheme::Telegram => Ok(token::verify(secret, headers, Some("x-telegram-bot-api-secret-token"))),
        VerifyScheme::Token(header) => Ok(token::verify(secret, headers, header.as_deref())),
        VerifyScheme::Basic => Ok(basic::verify(secret, headers)),
        VerifyScheme::None => Ok(true),
    }
}

/// Why nothing could be verified, whatever the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Secret(SecretError),
    #[error("secret is empty")]
    EmptySecret,
    /// Seconds.
    #[error("tolerance is negative: {0} seconds")]
    NegativeTolerance(i64),
    #[error("the pseudo header \":url\" is missing")]
    UrlMissing,
}

impl Report for VerifyError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            VerifyError::Secret(error) => match error {
                SecretError::TooShort { .. } | SecretError::TooLong { .. } => {
                    "Give the secret as the sender shows it, with its prefix (whsec_, whsk_ or whpk_) if it has one."
                }
                SecretError::BadBase64 | SecretError::BadKeyPair => return error.hint(),
                SecretError::PublicKey => {
                    "Give the secret that the sender shows; only the scheme \"standard\" has public keys."
                }
            },
            VerifyError::EmptySecret => "Give the secret that the sender shows.",
            VerifyError::NegativeTolerance(_) => "Give a tolerance of 0 or more, such as '5 minutes'.",
            VerifyError::UrlMissing => {
                "Twilio signs the URL it calls: add it to the headers as \":url\", such as {\":url\": \"https://example.com/sms?x=1\"}."
            }
        };
        Some(hint.into())
    }
}

/// Svix, where the standard comes from, still sends its own header names.
fn standard(verifier: &Verifier, headers: Headers<'_>, body: &[u8], now: i64, tolerance: i64) -> bool {
    const NAMES: [[&str; 3]; 2] =
        [["webhook-id", "webhook-timestamp", "webhook-signature"], ["svix-id", "svix-timestamp", "svix-signature"]];
    NAMES.iter().any(|[id, timestamp, signatures]| {
        let (Some(id), Some(timestamp), Some(signatures)) =
            (headers.get(id), headers.get(timestamp), headers.get(signatures))
        else {
            return false;
        };
        verifier.standard(id, timestamp, signatures, body, now, tolerance)
    })
}
