//! `docs/reference.md`, written from the catalog of a database with the extension: the comments are the manual.

mod entry;
mod functions;
mod relations;
mod settings;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use entry::Entry;
use testbed::checkout::{self, EXTENSION};
use testbed::cluster::{Cluster, ClusterOptions};
use testbed::install::rooms::{self, Room};
use testbed::install::{self, Profile};
use testbed::postgres::Postgres;

const DATABASE: &str = "reference";

/// As everywhere in the project.
const WIDTH: usize = 120;

const INTRODUCTION: &str = "\
# Reference

Every public function, view and setting of pg_frontdesk, topic by topic. This file is written by `cargo xtask reference`
from the comments in the database, and `cargo xtask test` fails when it differs from them; in psql, `\\df+ frontdesk.*`
says the same, and `select * from frontdesk.help('endpoint')` gives the index of a topic. What schema
`frontdesk_internal` has is left out: it may change in any version.

*PUBLIC* marks what every role may call or read. The rest is for the owner of the extension, who grants it by name: the
[guide](guide.md#roles-and-grants) says which role needs what.
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
    let mut entries = functions::read(&cluster)?;
    entries.extend(relations::read(&cluster)?);
    let parts = [INTRODUCTION.to_string(), topics(&rooms::read(root)?, entries)?, settings::text(&cluster)?];
    Ok(parts.join("\n"))
}

/// A table of contents, then the entries room by room.
fn topics(rooms: &[Room], entries: Vec<Entry>) -> Result<String> {
    let mut here: Vec<Vec<(usize, Entry)>> = rooms.iter().map(|_| Vec::new()).collect();
    for entry in entries {
        let found = rooms.iter().enumerate().find_map(|(index, room)| entry.place(room).map(|place| (index, place)));
        let (index, place) = found.with_context(|| format!("no room declares frontdesk.{}", entry.name))?;
        here[index].push((place, entry));
    }
    let mut contents = String::from("| topic | |\n|---|---|\n");
    let mut text = String::new();
    for (room, mut entries) in rooms.iter().zip(here).filter(|(_, entries)| !entries.is_empty()) {
        entries.sort_by_key(|(place, entry)| (entry.rank(), *place));
        let mut names: Vec<String> = entries.iter().map(|(_, entry)| format!("`{}`", entry.name)).collect();
        names.dedup();
        writeln!(contents, "| [{}](#{}) | {} |", capital(&room.title), room.title, names.join(" "))?;
        write!(text, "\n## {}\n\n{}\n", capital(&room.title), wrapped(&sentence(&room.about)))?;
        for (_, entry) in entries {
            write!(text, "\n{}\n\n{}", entry.heading(), entry.text)?;
        }
    }
    Ok(format!("{contents}| [Settings](#settings) | `frontdesk.*` |\n{text}"))
}

/// The rows of a query, as objects by column.
fn rows<T: DeserializeOwned>(cluster: &Cluster, query: &str) -> Result<Vec<T>> {
    let json = cluster.psql(DATABASE, &format!("select coalesce(json_agg(to_json(q)), '[]') from ({query}) q"))?;
    serde_json::from_str(&json).context("the catalog's answer")
}

/// Below what it is for; not run, as the examples of the pages are.
fn example(text: Option<&str>) -> String {
    text.map_or(String::new(), |text| format!("\n```text\n{text}\n```\n"))
}

/// A comment as a sentence.
fn sentence(comment: &str) -> String {
    let text = capital(comment).replace('<', "&lt;").replace('*', "\\*");
    if text.ends_with(['.', '!', '?', '…']) || text.ends_with("...") { text } else { format!("{text}.") }
}

/// At blanks, within `WIDTH` columns.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.join("\n")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().to_string() + letters.as_str()).unwrap_or_default()
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
        let long = ["word"; 30].join(" ");
        assert_eq!(wrapped(&long).lines().map(str::len).collect::<Vec<_>>(), [119, 29]);
    }
}
