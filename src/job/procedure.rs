//! A procedure in Rust that ends transactions on its way, as one in PL/pgSQL does with COMMIT.

use pgrx::prelude::*;

use super::channel;

/// Is this process one of a job, running a command outside any transaction block?
pub fn may_commit() -> bool {
    // SAFETY: plain read of the transaction's state.
    channel::mine().is_some() && !unsafe { pg_sys::IsTransactionBlock() }
}

/// Ends the transaction and begins the next, which has no snapshot until a statement runs: nothing is held up by it meanwhile.
/// Only where [`may_commit`], in a procedure called at the top.
pub fn commit() {
    // SAFETY: SPI_commit() raises where a transaction cannot end (called by a function, in a subtransaction); the command's portal
    // and what lies in its memory survive it, as for every procedure.
    unsafe {
        pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
        pg_sys::SPI_commit();
        pg_sys::SPI_finish();
    }
}
