//! Locks of the extension's own. Their tags are of a kind that no SQL function can take, as anybody may take advisory
//! locks: nobody keeps the extension from its work by one.

use pgrx::pg_sys;

/// Takes a lock of this kind in this database, exclusively; false where it is taken, unless `wait`. It is held to the
/// end of the transaction, or of the process.
pub fn take(kind: &[u8; 4], id: u64, wait: bool, until: Until) -> bool {
    // SAFETY: in a transaction; a tag that only this library uses.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: u32::from_be_bytes(*kind),
            locktag_field3: id as u32,
            locktag_field4: (id >> 32) as u16,
            locktag_type: pg_sys::LockTagType::LOCKTAG_USERLOCK as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        let got = pg_sys::LockAcquire(&tag, mode, matches!(until, Until::Exit), !wait);
        got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }
}

/// How long a lock is held.
pub enum Until {
    /// The transaction ends.
    Commit,
    /// The process ends.
    Exit,
}
