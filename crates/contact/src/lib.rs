#![forbid(unsafe_code)]
//! How people are reached, in one spelling each: e-mail addresses, phone numbers, names on social networks, lines of text.
//!
//! Normalising twice gives what normalising once gave. What cannot be right is an error that says how it is written.

mod contact_error;
mod email;
mod handle;
mod line;
mod phone;
mod phone_key;
mod phone_plan;
mod phone_wrapping;

pub use contact_error::ContactError;
pub use email::normalize_email;
pub use handle::normalize_handle;
pub use line::clean_line;
pub use phone::{Phone, normalize_phone, preload};
pub use phone_key::{phone_key, phone_spellings};
