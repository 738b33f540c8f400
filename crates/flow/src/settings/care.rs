//! What any node may say about its failures.

use std::time::Duration;

use crate::Limits;
use crate::kind::Kind;

use super::fields::{Fields, Mistake};

/// The longest wait before a retry.
const LONGEST: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug, PartialEq)]
pub struct Care {
    pub retries: u32,
    pub first_wait: Duration,
    pub doubles: bool,
    /// Seconds for an attempt.
    pub timeout: u32,
    /// A failure is an output like any other.
    pub goes_on: bool,
}

impl Care {
    pub fn read(kind: Kind, fields: &Fields<'_>, limits: &Limits) -> Result<Care, Mistake> {
        let (usual, most) = match kind {
            Kind::Http => (10.min(limits.http_seconds), limits.http_seconds),
            // A flow that another waits for may wait itself.
            Kind::Flow => (limits.answer_seconds, limits.days.saturating_mul(86_400)),
            _ => (60, limits.answer_seconds.max(60)),
        };
        let timeout = match kind.is_outside() {
            true => fields.integer(&["timeout", "timeoutSeconds", "timeout_seconds"], 1..=most.max(1), usual.max(1))?,
            false => 0,
        };
        let on_error = fields.choice(&["on_error", "onError"], &["stop", "continue"])?;
        Ok(Care {
            retries: fields.integer(&["retries", "max_retries", "maxRetries"], 0..=limits.retries, 0)?,
            first_wait: Duration::from_secs(
                fields.integer(&["retry_delay", "retryDelay", "retry_seconds"], 1..=60, 1)?.into(),
            ),
            doubles: fields.choice(&["backoff"], &["exponential", "fixed"])? == "exponential",
            timeout,
            goes_on: on_error == "continue" || fields.flag(&["continue_on_fail", "continueOnFail"], false)?,
        })
    }

    /// How long to wait when `attempt` has failed; None when that was the last.
    pub fn wait(&self, attempt: u32) -> Option<Duration> {
        if attempt > self.retries {
            return None;
        }
        let factor = if self.doubles { 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX) } else { 1 };
        Some(self.first_wait.saturating_mul(factor).min(LONGEST))
    }
}
