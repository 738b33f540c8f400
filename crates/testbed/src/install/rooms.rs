//! The rooms of `sql/functions`, which are the topics of the reference and of `frontdesk.help()`.

use std::path::Path;

use anyhow::{Context, Result};

use super::script::sql_files;

/// What declares something that one may type or read, where a line begins.
const KINDS: [&str; 4] = ["function", "procedure", "view", "table"];

pub struct Room {
    /// As in `10_event`.
    pub title: String,
    /// What the head of its first file says.
    pub about: String,
    /// What schema frontdesk has of it, in the order in which it is made.
    pub declares: Vec<Declared>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Declared {
    pub kind: &'static str,
    pub name: String,
}

/// In the order of their numbers.
pub fn read(root: &Path) -> Result<Vec<Room>> {
    let mut rooms: Vec<(String, Room)> = Vec::new();
    for (number, source) in sources(&root.join("sql/functions"))? {
        let known = heading(&source);
        let title = known.as_ref().map(|(title, _)| title.as_str());
        match rooms.iter_mut().find(|(other, room)| *other == number && title.is_none_or(|title| title == room.title)) {
            Some((_, room)) => room.declares.extend(declared(&source)),
            None => rooms.extend(
                known.map(|(title, about)| (number, Room { title, about, declares: declared(&source).collect() })),
            ),
        }
    }
    for (number, source) in sources(&root.join("sql/tables"))? {
        if let Some((_, room)) = rooms.iter_mut().find(|(other, _)| *other == number) {
            room.declares.extend(declared(&source));
        }
    }
    Ok(rooms.into_iter().map(|(_, room)| room).collect())
}

/// The rows (place, room, about, name) of all of them, for the install script.
pub fn values(rooms: &[Room]) -> String {
    let mut rows: Vec<String> = Vec::new();
    for room in rooms {
        for (at, Declared { name, .. }) in room.declares.iter().enumerate() {
            if !room.declares[..at].iter().any(|before| before.name == *name) {
                rows.push(format!("({}, '{}', {}, '{name}')", rows.len() + 1, room.title, quoted(&room.about)));
            }
        }
    }
    rows.join(",\n")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The SQL files of a folder, each with its number.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let source = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let number = name.split('_').next().unwrap_or_default().to_string();
        Ok((number, std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?))
    };
    sql_files(folder)?.iter().map(source).collect()
}

fn declared(source: &str) -> impl Iterator<Item = Declared> {
    source.lines().filter_map(|line| {
        let rest = line.strip_prefix("create ")?;
        let rest = rest.strip_prefix("or replace ").unwrap_or(rest);
        KINDS.into_iter().find_map(|kind| {
            let name = rest.strip_prefix(kind)?.strip_prefix(" frontdesk.")?;
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            Some(Declared { kind, name: name[..end].to_string() })
        })
    })
}

/// The first sentence of `-- Room 10, event: what is captured, and how.`, over as many lines as it takes.
fn heading(source: &str) -> Option<(String, String)> {
    let lines = source.lines().map_while(|line| line.strip_prefix("-- "));
    let text = lines.collect::<Vec<_>>().join(" ");
    let (_, named) = text.strip_prefix("Room ")?.split_once(", ")?;
    let (title, about) = named.split_once(": ")?;
    let end = about.find(". ").map_or(about.len(), |at| at + 1);
    Some((title.to_string(), about[..end].to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_says_what_a_room_is_about() {
        let both = |title: &str, about: &str| Some((title.to_string(), about.to_string()));
        assert_eq!(heading("-- Room 10, event: what, and how.\nselect"), both("event", "what, and how."));
        assert_eq!(heading("-- Room 10, event: what,\n-- and how. More.\n\n-- x"), both("event", "what, and how."));
        assert_eq!(heading("-- The engine's verbs."), None);
    }

    #[test]
    fn what_a_room_declares_is_listed_in_order_and_each_name_once() {
        let source = "create or replace function frontdesk.scores() ...\ncreate or replace function frontdesk.score(\n\
                      create or replace function frontdesk.score(a int)\ncreate table frontdesk_internal.t (\n\
                      create view frontdesk.all_scores as\n-- create function frontdesk.v()\n";
        let declares: Vec<Declared> = declared(source).collect();
        let names: Vec<&str> = declares.iter().map(|declared| declared.name.as_str()).collect();
        assert_eq!(names, ["scores", "score", "score", "all_scores"]);
        assert_eq!(declares[3].kind, "view");
        let rooms = [Room { title: "scoring".into(), about: "what it's worth.".into(), declares }];
        assert_eq!(
            values(&rooms),
            "(1, 'scoring', 'what it''s worth.', 'scores'),\n(2, 'scoring', 'what it''s worth.', 'score'),\n\
             (3, 'scoring', 'what it''s worth.', 'all_scores')"
        );
    }
}
