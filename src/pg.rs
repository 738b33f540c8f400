//! The ground floor: what the rest needs of PostgreSQL, and where the care that it takes is taken once.

pub mod door;
pub mod jsonb;
pub mod lock;
mod measure;
pub mod record;
mod relation_type;
pub mod role;
mod role_type;
pub mod subtransaction;
