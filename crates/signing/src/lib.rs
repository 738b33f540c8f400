#![forbid(unsafe_code)]
//! Signatures of webhooks: those we send and those that come in.
//!
//! Outgoing: [`sign_standard`] (Standard Webhooks 1.0, `v1` and `v1a`) and [`sign_sha256`]
//! (`X-Hub-Signature-256`). Incoming: [`verify`] knows a dozen senders, [`Verifier`] keeps the key of
//! one sender ready. Nothing here reads a clock: `now` is an argument.

mod compare;
mod hub;
mod mac;
mod scheme;
mod secret;
mod standard;
mod verify;

pub use compare::text_equals as same_text;
pub use hub::sign_sha256;
pub use scheme::{Scheme, UnknownScheme, VerifyScheme};
pub use secret::{Secret, SecretError};
pub use standard::{Verifier, sign_standard};
pub use verify::{VerifyError, verify};
