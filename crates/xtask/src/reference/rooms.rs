//! The rooms of `sql/functions`, which the reference is divided by.

use std::path::Path;

use anyhow::{Context, Result};

pub struct Room {
    /// As in `10_event`.
    pub title: String,
    /// What stands in the first line of its file.
    pub about: String,
    source: String,
}

impl Room {
    pub fn has(&self, function: &str) -> bool {
        ["function", "procedure"].iter().any(|kind| self.source.contains(&format!("{kind} frontdesk.{function}(")))
    }
}

/// In the order in which their files are run.
pub fn read(root: &Path) -> Result<Vec<Room>> {
    let folder = root.join("sql/functions");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut rooms = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "sql")) {
        let source = std::fs::read_to_string(file)?;
        if let Some((title, about)) = heading(&source) {
            rooms.push(Room { title, about, source });
        }
    }
    Ok(rooms)
}

/// `-- Room 10, event: what is captured, and how.`
fn heading(source: &str) -> Option<(String, String)> {
    let line = source.lines().next()?.strip_prefix("-- Room ")?;
    let (_, named) = line.split_once(", ")?;
    let (title, about) = named.split_once(": ")?;
    Some((title.to_string(), about.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_room() {
        let both = |title: &str, about: &str| Some((title.to_string(), about.to_string()));
        assert_eq!(heading("-- Room 10, event: what, and how.\nselect"), both("event", "what, and how."));
        assert_eq!(heading("-- The engine's verbs."), None);
    }
}
