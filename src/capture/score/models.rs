//! Compiled models of this session. Once in a statement, the number that changes with every change of a model is compared.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiResult};
use scoring::{Book, ModelDefinition, ScoreError};

use super::super::row::Row;
use crate::engine::clock;
use crate::error::{invalid, raise, worked};
use crate::pg::role;

/// Tenants whose books are kept.
const MOST: usize = 10_000;

pub type Tenant = [u8; 16];
const EVERYBODY: Tenant = [0; 16];

#[derive(Clone)]
pub struct Models {
    version: i64,
    /// Seconds since 1970, the same for a whole statement.
    pub now: f64,
    books: Rc<RefCell<HashMap<Tenant, Kept>>>,
    /// The function whose EXECUTE is the right to use the models of tenants.
    setter: pg_sys::Oid,
    /// Who has it, in this statement.
    rights: Rc<RefCell<HashMap<pg_sys::Oid, bool>>>,
}

/// A tenant without models of its own has everybody's.
type Kept = Option<Result<Rc<Book>, Rc<ScoreError>>>;

thread_local! {
    static MODELS: RefCell<Option<Models>> = const { RefCell::new(None) };
    /// Beginning of the transaction and of the statement in which the version was compared last.
    static COMPARED: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
    /// Beginning of the transaction in which this session changed a model.
    static CHANGED: Cell<i64> = const { Cell::new(0) };
    static BOOK: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
    static SETTER: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
}

/// This session changed a model: until its transaction ends nothing is taken on trust, because a savepoint may take it back.
pub fn changed() {
    MODELS.set(None);
    // SAFETY: a plain read of the session's state.
    CHANGED.set(unsafe { pg_sys::GetCurrentTransactionStartTimestamp() });
}

pub fn current() -> Models {
    // SAFETY: plain reads of the session's state.
    let this = unsafe { (pg_sys::GetCurrentTransactionStartTimestamp(), pg_sys::GetCurrentStatementStartTimestamp()) };
    if COMPARED.get() == this
        && CHANGED.get() != this.0
        && let Some(models) = MODELS.with_borrow(Clone::clone)
    {
        return models;
    }
    let version = version();
    let now = (clock::now() as f64) / 1e6 + clock::UNIX_EPOCH_SECONDS as f64;
    let models = MODELS.with_borrow_mut(|kept| match kept {
        Some(models) if models.version == version => {
            models.now = now;
            models.rights = Rc::default();
            models.clone()
        }
        _ => {
            kept.insert(Models { version, now, books: Rc::default(), setter: setter(), rights: Rc::default() }).clone()
        }
    });
    COMPARED.set(this);
    models
}

/// Whose models a role gets that may not use the tenant's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    Everybodys,
    Refused,
}

impl Models {
    /// The models that `role` scores this tenant with. Those of a tenant are for roles that may set models, and for the tables of
    /// theirs; everybody's are for everybody.
    ///
    /// # Errors
    /// The models were declared with another version of the library, which this one finds a mistake in.
    pub fn book(
        &self,
        tenant: Option<Tenant>,
        role: pg_sys::Oid,
        otherwise: Otherwise,
    ) -> Result<Rc<Book>, Rc<ScoreError>> {
        let own = self.kept(tenant.unwrap_or(EVERYBODY));
        match own {
            Some(book) if tenant.is_none_or(|tenant| tenant == EVERYBODY) || self.may_use(role) => book,
            Some(_) if otherwise == Otherwise::Refused => raise(
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "permission denied for the score models of a tenant",
                Some("They are used by the roles that may set them, and kept by the tables of those roles.".into()),
                Some(
                    "grant execute on function frontdesk.set_score_model to ...; everybody's models need no right."
                        .into(),
                ),
            ),
            _ => self.kept(EVERYBODY).unwrap_or_else(|| Ok(Rc::default())),
        }
    }

    fn may_use(&self, role: pg_sys::Oid) -> bool {
        *self.rights.borrow_mut().entry(role).or_insert_with(|| {
            let execute = pg_sys::ACL_EXECUTE as pg_sys::AclMode;
            // SAFETY: reads the catalog; the function is there as long as the models are.
            let verdict = unsafe { pg_sys::object_aclcheck(pg_sys::ProcedureRelationId, self.setter, role, execute) };
            verdict == pg_sys::AclResult::ACLCHECK_OK
        })
    }

    fn kept(&self, tenant: Tenant) -> Kept {
        if let Some(kept) = self.books.borrow().get(&tenant) {
            return kept.clone();
        }
        let models = text("select frontdesk_internal.score_book($1)", &BOOK, &[pgrx::Uuid::from_bytes(tenant).into()]);
        let kept = models.map(|models| compile(&models).map(Rc::new).map_err(Rc::new));
        let mut books = self.books.borrow_mut();
        if books.len() >= MOST {
            books.clear();
        }
        books.insert(tenant, kept.clone());
        kept
    }
}

/// `models` as frontdesk_internal.score_book() writes them.
pub fn compile(models: &str) -> Result<Book, ScoreError> {
    let models: Vec<ModelDefinition> = serde_json::from_str(models)
        .unwrap_or_else(|error| invalid(format!("score models are not readable: {error}"), None));
    Book::compile(&models)
}

/// What `frontdesk_internal.score_state` says in the present snapshot; read as it lies there, because a query costs ten times as much.
fn version() -> i64 {
    // SAFETY: within a statement, which has a snapshot; the columns are those of sql/tables/50_scoring.sql.
    unsafe {
        let state = pg_sys::get_relname_relid(
            c"score_state".as_ptr(),
            pg_sys::get_namespace_oid(c"frontdesk_internal".as_ptr(), false),
        );
        let share = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(state, share);
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            pg_sys::GetActiveSnapshot(),
            0,
            std::ptr::null_mut(),
        );
        let tuple = pg_sys::systable_getnext(scan);
        let version = (!tuple.is_null()).then(|| Row::new(tuple, (*relation).rd_att).datum(2)).flatten();
        let version = version.map_or(0, |version| version.value() as i64);
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, share);
        version
    }
}

fn setter() -> pg_sys::Oid {
    let oid = text("select frontdesk_internal.score_setter()", &SETTER, &[]);
    oid.and_then(|oid| oid.parse::<u32>().ok()).map_or(pg_sys::InvalidOid, pg_sys::Oid::from)
}

type Plan = std::thread::LocalKey<RefCell<Option<OwnedPreparedStatement>>>;

fn text(query: &str, plan: &'static Plan, args: &[pgrx::datum::DatumWithOid]) -> Option<String> {
    as_owner(|| {
        Spi::connect(|client| {
            let types: Vec<pg_sys::PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
            prepare(client, plan, query, &types)?;
            plan.with_borrow(|plan| match plan {
                Some(plan) => client.select(plan, Some(1), args)?.first().get::<String>(1),
                None => Ok(None),
            })
        })
    })
}

fn prepare(client: &pgrx::spi::SpiClient, plan: &'static Plan, query: &str, types: &[pg_sys::PgOid]) -> SpiResult<()> {
    if plan.with_borrow(Option::is_none) {
        plan.set(Some(client.prepare(query, types)?.keep()));
    }
    Ok(())
}

/// With the rights of the extension: the role that changes a row has none on the models.
fn as_owner<T>(read: impl FnOnce() -> SpiResult<T>) -> T {
    worked(role::as_extension(read))
}
