//! Time zones as PostgreSQL knows them.

use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use pgrx::pg_sys;

/// From the files of this PostgreSQL, else of the system, else those that are built in; or what POSIX writes, as `<-03>+03`.
pub fn get(name: &str) -> Option<TimeZone> {
    static OWN: OnceLock<Option<TimeZoneDatabase>> = OnceLock::new();
    let own =
        OWN.get_or_init(|| TimeZoneDatabase::from_dir(directory()).ok().filter(|zones| !zones.is_definitively_empty()));
    own.as_ref()
        .and_then(|zones| zones.get(name).ok())
        .or_else(|| TimeZone::get(name).ok())
        .or_else(|| TimeZone::posix(name).ok())
}

/// `timezone` in the directory of shared files; it is not there when PostgreSQL was built to use the system's.
fn directory() -> PathBuf {
    unsafe extern "C" {
        /// The server's own program; pgrx takes it for an empty array.
        static my_exec_path: [std::ffi::c_char; pg_sys::MAXPGPATH as usize];
    }
    let mut path = [0; pg_sys::MAXPGPATH as usize];
    // SAFETY: the path is set when a process starts; the result has room for MAXPGPATH characters.
    let share = unsafe {
        pg_sys::get_share_path(my_exec_path.as_ptr(), path.as_mut_ptr());
        CStr::from_ptr(path.as_ptr()).to_string_lossy().into_owned()
    };
    PathBuf::from(share).join("timezone")
}
