//! The log of attempts.

use std::net::IpAddr;

use delivery::Attempt;
use pgrx::prelude::*;
use pgrx::spi::SpiResult;

use super::super::clock::timestamp;
use super::super::transaction::Session;
use super::column;
use crate::log::{ATTEMPT_COLUMNS, inet};

/// A response of so many bytes stays in its row.
const SHORT: usize = 1000;

/// The values of the columns after the id.
fn values(attempt: &Attempt, address: Option<pg_sys::Datum>) -> [Option<pg_sys::Datum>; 13] {
    [
        attempt.event.into_datum(),
        attempt.endpoint.into_datum(),
        attempt.number.into_datum(),
        timestamp(attempt.started_at).into_datum(),
        attempt.duration_ms.into_datum(),
        attempt.succeeded.into_datum(),
        attempt.status.into_datum(),
        attempt.error.into_datum(),
        attempt.detail.as_deref().into_datum(),
        address,
        attempt.response.as_deref().into_datum(),
        None,
        None,
    ]
}

pub fn attempts(session: &mut Session, made: &[Attempt]) -> SpiResult<()> {
    // Most are plain successes with a short answer: these go straight into their log.
    let (plain, rest): (Vec<&Attempt>, Vec<&Attempt>) = made.iter().partition(|attempt| {
        let short = attempt.response.as_ref().is_none_or(|text| text.len() <= SHORT);
        attempt.succeeded && attempt.headers.is_none() && attempt.body.is_none() && short
    });
    let mut address: (Option<IpAddr>, Option<pg_sys::Datum>) = (None, None);
    let rows: Vec<_> = plain
        .iter()
        .map(|a| {
            if address.0 != a.address {
                address = (a.address, a.address.and_then(|address| inet(&address.to_string())));
            }
            values(a, address.1)
        })
        .collect();
    session.append("attempt_success", "attempt_id_seq", &ATTEMPT_COLUMNS, &rows);
    if !rest.is_empty() {
        let args = [
            column(&rest, |a| a.event).into(),
            column(&rest, |a| a.endpoint).into(),
            column(&rest, |a| a.number).into(),
            column(&rest, |a| timestamp(a.started_at)).into(),
            column(&rest, |a| a.duration_ms).into(),
            column(&rest, |a| a.succeeded).into(),
            column(&rest, |a| a.status).into(),
            column(&rest, |a| a.error).into(),
            column(&rest, |a| a.detail.as_deref()).into(),
            column(&rest, |a| a.address.map(|address| address.to_string())).into(),
            column(&rest, |a| a.response.as_deref()).into(),
            column(&rest, |a| a.headers.as_deref()).into(),
            column(&rest, |a| a.body.as_deref()).into(),
        ];
        session.call("engine_attempts", &args)?;
    }
    Ok(())
}
