//! Databases with the extension, by the dozen: it is created in one of them, which is copied from then on.

use std::sync::PoisonError;

use anyhow::{Context, Result};

use super::Cluster;

const TEMPLATE: &str = "frontdesk_template";

const SCRIPT: &str = include_str!("../../sql/template.sql");

impl Cluster {
    /// A new database with the extension. It is silent, as every copy is, until `frontdesk.adopt()` makes it an
    /// installation of its own; from then on it differs in nothing from one in which the extension was just created.
    pub fn create_silent_copy(&self, database: &str) -> Result<()> {
        self.make_template()?;
        self.psql("postgres", &format!("create database \"{database}\" template {TEMPLATE}"))?;
        Ok(())
    }

    /// A new database with the extension, which works in it.
    pub fn create_database(&self, database: &str) -> Result<()> {
        self.create_silent_copy(database)?;
        self.psql(database, "select frontdesk.adopt()").context("adopting a copy of the template")?;
        Ok(())
    }

    /// Once; nobody copies it before it is whole.
    fn make_template(&self) -> Result<()> {
        let mut made = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        if !*made {
            // One that was left half made is made anew.
            self.psql("postgres", &format!("drop database if exists {TEMPLATE} with (force)"))?;
            self.psql("postgres", &format!("create database {TEMPLATE}"))?;
            self.psql(TEMPLATE, SCRIPT).context("creating the extension in the template")?;
            *made = true;
        }
        Ok(())
    }
}
