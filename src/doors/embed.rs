//! Room 65: vectors of texts.

use pgrx::prelude::*;

use crate::embed;
use crate::error::raise;
use crate::job::procedure;

#[pg_extern(sql = false)]
fn embed_pending(source: Option<i64>) {
    if !procedure::may_commit() {
        raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "embed_pending() is the command of a job",
            None,
            Some("It runs by itself when there are rows to embed; frontdesk.run_job() runs it now.".into()),
        );
    }
    if let Some(source) = source {
        embed::worker::run(source);
    }
}

#[pg_extern(sql = false)]
fn embed_floats(text: Option<&str>, embedder: Option<&str>) -> Option<Vec<f32>> {
    text.map(|text| embed::query::embed(text, embedder))
}

#[pg_extern(sql = false)]
fn floats(bytes: &[u8]) -> Vec<f32> {
    embed::floats(bytes)
}
