//! The mirrors and suites that this machine's own apt configuration names.

use std::process::Command;

use anyhow::Result;

use super::apt;
use crate::{cache, step::Step};

/// Labels of distributions whose pools have PostgreSQL's sources, the likeliest first.
const DISTRIBUTIONS: [&str; 2] = ["Debian", "Ubuntu"];

/// One suite at one mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub label: String,
    /// Ends with a slash.
    pub uri: String,
    pub suite: String,
    pub component: String,
    /// The keyring that the suite is signed with, where the configuration names one.
    pub signed_by: Option<String>,
}

/// None where there is no apt; the distribution's own come first.
pub fn sources(step: &mut Step) -> Result<Vec<Source>> {
    if !apt::is_here() {
        return Ok(Vec::new());
    }
    let known = list(&mut Command::new("apt-get"))?;
    if !known.is_empty() {
        return Ok(known);
    }
    // Images often come without package lists, and apt names only those it has: fetch them to a place of our own.
    let lists = cache::subdir("apt/system-lists")?;
    let with_lists = || {
        let mut command = Command::new("apt-get");
        command.arg("-o").arg(format!("Dir::State::lists={}", lists.display())).args(apt::IMPATIENT);
        command
    };
    step.status(with_lists().arg("update"))?;
    list(&mut with_lists())
}

/// The mirrors, each once.
pub fn uris(sources: &[Source]) -> Vec<&Source> {
    let mut uris: Vec<&Source> = Vec::new();
    for source in sources {
        if !uris.iter().any(|other| other.uri == source.uri) {
            uris.push(source);
        }
    }
    uris
}

fn list(apt_get: &mut Command) -> Result<Vec<Source>> {
    const FORMAT: &str = "$(LABEL)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)";
    let output = apt_get.args(["indextargets", "--format", FORMAT, "ShortDesc: Packages"]).output()?;
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(text: &str) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [label, uri, suite, component, signed_by] = fields.as_slice() else { continue };
        let source = Source {
            label: label.to_string(),
            uri: format!("{}/", uri.trim_end_matches('/')),
            suite: suite.to_string(),
            component: component.to_string(),
            signed_by: signed_by.starts_with('/').then(|| signed_by.to_string()),
        };
        if !source.uri.starts_with('/') && !suite.is_empty() && !sources.contains(&source) {
            sources.push(source);
        }
    }
    let rank = |source: &Source| DISTRIBUTIONS.iter().position(|label| *label == source.label).unwrap_or(usize::MAX);
    sources.sort_by_key(rank);
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_s_own_mirrors_come_first_and_each_once() {
        let text = "Other|http://tools.example/apt|stable|main|\n\
                    Debian|http://mirror.example/debian/|bookworm|main|/usr/share/keyrings/d.gpg\n\
                    Debian|http://mirror.example/debian|bookworm|main|/usr/share/keyrings/d.gpg\n\
                    Debian|http://mirror.example/debian/|bookworm-updates|main|\n";
        let sources = parse(text);
        let suites: Vec<&str> = sources.iter().map(|source| source.suite.as_str()).collect();
        assert_eq!(suites, ["bookworm", "bookworm-updates", "stable"]);
        assert_eq!(sources[0].signed_by.as_deref(), Some("/usr/share/keyrings/d.gpg"));
        let mirrors: Vec<&str> = uris(&sources).iter().map(|source| source.uri.as_str()).collect();
        assert_eq!(mirrors, ["http://mirror.example/debian/", "http://tools.example/apt/"]);
    }
}
