//! The distribution's own packages, when it offers version 17.

use std::path::Path;

use super::{Tried, apt, complete};
use crate::{account, postgres::Postgres};

const WAY: &str = "the distribution's packages";

pub fn install(tried: &mut Tried) -> Option<Postgres> {
    if !apt::is_here() {
        tried.add(WAY, "only apt-get is known here");
        return None;
    }
    if account::privileged("apt-get").is_none() {
        tried.add(WAY, "installing takes root, or sudo without a password");
        return None;
    }
    if !apt::offers("postgresql-17") {
        apt::update();
    }
    if !apt::offers("postgresql-17") {
        tried.add(WAY, "postgresql-17 is not offered");
        return None;
    }
    let mut packages = vec!["postgresql-17", "postgresql-server-dev-17"];
    if apt::offers("postgresql-17-pgvector") {
        packages.push("postgresql-17-pgvector");
    }
    match apt::install(&packages) {
        Ok(()) => complete(Path::new("/usr/lib/postgresql/17/bin/pg_config"), tried),
        Err(error) => {
            tried.add(WAY, format!("{error:#}"));
            None
        }
    }
}
