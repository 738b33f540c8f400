//! The handbook of a small business in `tests/knowledge/handbook`: what the demo and the tests search.

use anyhow::{Context, Result};

use crate::checkout;

/// A section of the handbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// of the file
    pub document: String,
    pub title: String,
    /// title and text
    pub content: String,
}

/// All sections, by file and in their order.
pub fn passages() -> Result<Vec<Passage>> {
    let folder = checkout::root()?.join("tests/knowledge/handbook");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut passages = Vec::new();
    for path in paths {
        passages
            .extend(sections(&std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?));
    }
    Ok(passages)
}

fn sections(text: &str) -> Vec<Passage> {
    let mut parts = text.split("\n## ");
    let document = parts.next().unwrap_or_default().trim_start_matches('#').trim().to_string();
    let passage = |part: &str| Passage {
        document: document.clone(),
        title: part.lines().next().unwrap_or_default().trim().to_string(),
        content: part.trim().to_string(),
    };
    parts.map(passage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_their_titles() {
        let found = sections("# House\n\n## Fire\n\nRun.\n\n## Hours\n\nNine to five.\n");
        let passage = |title: &str, content: &str| Passage {
            document: "House".into(),
            title: title.into(),
            content: content.into(),
        };
        assert_eq!(found, [passage("Fire", "Fire\n\nRun."), passage("Hours", "Hours\n\nNine to five.")]);
    }
}
