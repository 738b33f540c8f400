//! What the client tests share: a server with the extension preloaded, a database and a receiver for each test, bounded waits.
#![forbid(unsafe_code)]

mod database;
mod desk;
mod server;
mod wait;

pub use database::{Database, said};
pub use desk::{Desk, LEADS, body, receiver};
pub use server::Server;
pub use wait::{PATIENCE, wait_for, wait_until};
