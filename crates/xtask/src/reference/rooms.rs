//! The rooms of `sql/functions`, which are the topics of the reference.

use std::path::Path;

use anyhow::{Context, Result};

use super::entry::Entry;

pub struct Room {
    /// As in `10_event`.
    pub title: String,
    /// What the head of its first file says.
    pub about: String,
    /// All of its SQL, in the order in which it is run.
    source: String,
}

impl Room {
    /// Where the room declares it; `None` when another room does.
    pub fn place(&self, entry: &Entry) -> Option<usize> {
        let found = entry.kinds().iter().filter_map(|kind| {
            let declared = format!("{kind} frontdesk.{}", entry.name);
            let ends = |at: &usize| !self.source[at + declared.len()..].starts_with(is_name);
            self.source.match_indices(&declared).map(|(at, _)| at).find(ends)
        });
        found.min()
    }
}

/// In the order of their numbers.
pub fn read(root: &Path) -> Result<Vec<Room>> {
    let mut rooms: Vec<(String, Room)> = Vec::new();
    for (number, source) in sources(&root.join("sql/functions"))? {
        let known = heading(&source);
        let title = known.as_ref().map(|(title, _)| title.as_str());
        match rooms.iter_mut().find(|(other, room)| *other == number && title.is_none_or(|title| title == room.title)) {
            Some((_, room)) => room.source.push_str(&source),
            None => rooms.extend(known.map(|(title, about)| (number, Room { title, about, source }))),
        }
    }
    for (number, source) in sources(&root.join("sql/tables"))? {
        if let Some((_, room)) = rooms.iter_mut().find(|(other, _)| *other == number) {
            room.source.push_str(&source);
        }
    }
    Ok(rooms.into_iter().map(|(_, room)| room).collect())
}

/// The SQL files of a folder, each with its number.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let source = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let number = name.split('_').next().unwrap_or_default().to_string();
        Ok((number, std::fs::read_to_string(file)?))
    };
    files.iter().map(source).collect()
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

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::entry::Kind;

    #[test]
    fn the_first_sentence_says_what_a_room_is_about() {
        let both = |title: &str, about: &str| Some((title.to_string(), about.to_string()));
        assert_eq!(heading("-- Room 10, event: what, and how.\nselect"), both("event", "what, and how."));
        assert_eq!(heading("-- Room 10, event: what,\n-- and how. More.\n\n-- x"), both("event", "what, and how."));
        assert_eq!(heading("-- The engine's verbs."), None);
    }

    #[test]
    fn a_name_is_not_found_in_a_longer_one() {
        let source = "create function frontdesk.scores() ...; create function frontdesk.score(a int) ...";
        let room = Room { title: "scoring".into(), about: String::new(), source: source.into() };
        let entry = |name: &str, kind| Entry { kind, name: name.into(), text: String::new() };
        assert_eq!(room.place(&entry("score", Kind::Function)), source.find("function frontdesk.score("));
        assert_eq!(room.place(&entry("score", Kind::View)), None);
    }
}
