//! `docs/reference.md`, written from the catalog of a database with the extension: the comments are the manual.

mod functions;
mod relations;
mod rooms;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use testbed::checkout::{self, EXTENSION};
use testbed::cluster::{Cluster, ClusterOptions};
use testbed::install::{self, Profile};
use testbed::postgres::Postgres;

const DATABASE: &str = "reference";

const INTRODUCTION: &str = "\
# Reference

Every public function, view, table and setting of pg_frontdesk. This file is written by `cargo xtask reference` from
the comments in the database, and `cargo xtask test` fails when it differs from them; in psql, `\\df+ frontdesk.*` says
the same. What the engine uses among its own parts (functions whose comment begins with \"internal\", \"engine\" or
\"trigger\") is left out: it may change in any version.

Functions that every role may call are marked *PUBLIC*. All others are granted to nobody; see the
[guide](guide.md#roles-and-grants) for which role needs which.
";

/// Where the reference lies in a checkout.
pub fn path(root: &Path) -> PathBuf {
    root.join("docs/reference.md")
}

/// Writes it; true when it was not so before.
pub fn write(postgres: &Postgres, profile: Profile) -> Result<bool> {
    install::install(profile, postgres)?;
    let root = checkout::root()?;
    let text = text(postgres, &root)?;
    let path = path(&root);
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(false);
    }
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(true)
}

/// What it should say, by the installed extension.
pub fn text(postgres: &Postgres, root: &Path) -> Result<String> {
    let cluster = Cluster::create(postgres, ClusterOptions { preload: true, ..Default::default() })?;
    cluster.psql("postgres", &format!("create database {DATABASE}"))?;
    cluster.psql(DATABASE, &format!("set client_min_messages = warning; create extension {EXTENSION} cascade"))?;
    let parts = [
        INTRODUCTION.to_string(),
        functions::text(&cluster, &rooms::read(root)?)?,
        relations::text(&cluster)?,
        settings::text(&cluster)?,
    ];
    Ok(parts.join("\n"))
}

/// The rows of a query, as objects by column.
fn rows<T: DeserializeOwned>(cluster: &Cluster, query: &str) -> Result<Vec<T>> {
    let json = cluster.psql(DATABASE, &format!("select coalesce(json_agg(to_json(q)), '[]') from ({query}) q"))?;
    serde_json::from_str(&json).context("the catalog's answer")
}

/// A comment as a sentence.
fn sentence(comment: &str) -> String {
    let mut letters = comment.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", letters.as_str());
    let text = text.replace('<', "&lt;").replace('*', "\\*");
    if text.ends_with(['.', '!', '?', '…']) || text.ends_with("...") { text } else { format!("{text}.") }
}

/// For a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_sentences() {
        assert_eq!(sentence("go on after pause()"), "Go on after pause().");
        assert_eq!(sentence("patterns: lead.*, <entity>.x."), "Patterns: lead.\\*, &lt;entity>.x.");
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
