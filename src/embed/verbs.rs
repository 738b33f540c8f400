//! The verbs of room 65: sql/functions/65_embedder_work.sql, 65_embedder.sql. Those that touch the user's table run as the role
//! that declared it, which this process is; those that touch ours run as the owner of the extension.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{SpiResult, SpiTupleTable};
use serde::Deserialize;

use crate::pg::lock::{self, Until};
use crate::pg::role::as_role;

/// What is embedded by which embedder.
#[derive(Clone, Copy, Deserialize)]
pub struct Declaration {
    pub embedder: i64,
    pub job: i64,
    pub extension_owner: u32,
}

/// A row that waits for its vector.
pub struct Row {
    pub table: pg_sys::Oid,
    pub place: String,
    pub hash: i64,
    pub text: String,
}

/// A row whose text is too long to be sent: its hash and its characters.
pub struct TooLong {
    pub hash: i64,
    pub characters: i32,
}

fn call<T>(name: &str, args: &[DatumWithOid], read: impl FnOnce(SpiTupleTable) -> SpiResult<T>) -> T {
    let marks: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
    let query = format!("select * from frontdesk_internal.{name}({})", marks.join(", "));
    Spi::connect_mut(|client| read(client.update(query.as_str(), None, args)?))
        .unwrap_or_else(|error| error!("{error}"))
}

fn only<T: FromDatum + IntoDatum>(mut rows: SpiTupleTable) -> SpiResult<Option<T>> {
    rows.next().map_or(Ok(None), |row| row.get::<T>(1))
}

fn number(rows: SpiTupleTable) -> SpiResult<i64> {
    only(rows).map(Option::unwrap_or_default)
}

fn nothing(_: SpiTupleTable) -> SpiResult<()> {
    Ok(())
}

/// None: the declaration or its table is gone.
pub fn declaration(source: i64) -> Option<Declaration> {
    let json: String = call("embed_declaration", &[source.into()], only)?;
    Some(serde_json::from_str(&json).unwrap_or_else(|error| error!("embed_declaration(): {error}")))
}

/// One process at a time embeds the rows of a declaration, from here to its end.
pub fn lock(source: i64) -> bool {
    lock::take(b"embd", source as u64, false, Until::Exit)
}

pub fn reuse(source: i64, rows: i32) -> i64 {
    call("embed_reuse", &[source.into(), rows.into()], number)
}

pub fn pick(source: i64, rows: i32, chars: i32, busy: (Vec<pg_sys::Oid>, Vec<String>)) -> (Vec<Row>, Vec<TooLong>) {
    call("embed_pick", &[source.into(), rows.into(), chars.into(), busy.0.into(), busy.1.into()], |found| {
        let (mut rows, mut long) = (Vec::new(), Vec::new());
        for row in found {
            let hash = row.get(3)?.unwrap_or_default();
            match row.get(4)? {
                Some(text) => rows.push(Row {
                    table: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
                    place: row.get(2)?.unwrap_or_default(),
                    hash,
                    text,
                }),
                None => long.push(TooLong { hash, characters: row.get(5)?.unwrap_or_default() }),
            }
        }
        Ok((rows, long))
    })
}

/// Writes the vectors of rows, as bytes; returns how many rows were still there and waiting.
pub fn store(source: i64, rows: &[Row], vectors: Vec<Vec<u8>>) -> i64 {
    let tables: Vec<pg_sys::Oid> = rows.iter().map(|row| row.table).collect();
    let places: Vec<String> = rows.iter().map(|row| row.place.clone()).collect();
    let hashes: Vec<i64> = rows.iter().map(|row| row.hash).collect();
    call("embed_store", &[source.into(), tables.into(), places.into(), hashes.into(), vectors.into()], number)
}

pub fn refuse(source: i64, hashes: Vec<i64>, reason: &str) {
    call("embed_refuse", &[source.into(), hashes.into(), reason.into()], nothing);
}

/// Writes down how many rows wait, for those who may not count them.
pub fn counted(source: i64) {
    call("embed_counted", &[source.into()], nothing);
}

pub fn later(source: i64, wait_ms: i64) {
    call("embed_later", &[source.into(), wait_ms.into()], nothing);
}

impl Declaration {
    fn owner(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.extension_owner)
    }

    pub fn settings(&self) -> Option<String> {
        settings(self.owner(), self.embedder)
    }

    pub fn awake(&self) {
        as_role(self.owner(), || call("embed_awake", &[self.embedder.into(), self.job.into()], nothing));
    }

    pub fn succeeded(&self, requests: i64, tokens: i64, embedded: i64, reused: i64) {
        let args = [self.embedder.into(), requests.into(), tokens.into(), embedded.into(), reused.into()];
        as_role(self.owner(), || call("embed_succeeded", &args, nothing));
    }

    /// `is_failure` false: the embedder asked for the pause itself.
    pub fn failed(&self, requests: i64, error: &str, wait_ms: i64, is_failure: bool) {
        let args = [self.embedder.into(), requests.into(), error.into(), wait_ms.into(), is_failure.into()];
        as_role(self.owner(), || call("embed_failed", &args, nothing));
    }

    /// In how many milliseconds the next request may go.
    pub fn slot(&self, pace_ms: i64) -> i64 {
        as_role(self.owner(), || call("embed_slot", &[self.embedder.into(), pace_ms.into()], number))
    }
}

/// The embedder as JSON, secrets sealed.
pub fn settings(owner: pg_sys::Oid, embedder: i64) -> Option<String> {
    as_role(owner, || call("embed_settings", &[embedder.into()], only))
}

/// An embedder by its name, and the owner of the extension.
pub fn find(name: Option<&str>) -> (i64, pg_sys::Oid) {
    let id = call("embedder_id", &[name.into()], number);
    let owner = Spi::get_one("select extowner from pg_catalog.pg_extension where extname = 'pg_frontdesk'");
    (id, owner.ok().flatten().unwrap_or(pg_sys::InvalidOid))
}

pub fn known(owner: pg_sys::Oid, embedder: i64, model: &str, hash: &[u8]) -> Option<Vec<u8>> {
    as_role(owner, || call("embedding_known", &[embedder.into(), model.into(), hash.to_vec().into()], only))
}

pub fn keep(owner: pg_sys::Oid, embedder: i64, model: &str, hash: &[u8], vector: Vec<u8>, tokens: i64) {
    let args = [embedder.into(), model.into(), hash.to_vec().into(), vector.into(), tokens.into()];
    as_role(owner, || call("embedding_keep", &args, nothing));
}
