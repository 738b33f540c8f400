//! Leads in a live server: what survives a dump, who wins a race, what is sent.

mod dump;
mod race;
mod sent;
