//! What the package index says about the newest sources, read through a private apt state, so that the system's
//! configuration stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{apt, archive::Archive, mirrors, mirrors::Source};
use crate::{cache, step::Step};

/// Of Debian's suites the first one with PostgreSQL 17: asked at Debian's mirrors beside the machine's own suites.
const FIRST_SUITE: &str = "trixie";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with a source list, lists and caches of its own.
pub struct SourceIndex {
    dir: PathBuf,
    sources: Vec<Source>,
}

impl SourceIndex {
    /// Brought up to date as far as the mirrors answer.
    pub fn update(step: &mut Step, sources: &[Source]) -> Result<SourceIndex> {
        let dir = cache::subdir("apt")?;
        std::fs::create_dir_all(dir.join("lists/partial"))?;
        std::fs::create_dir_all(dir.join("archives/partial"))?;
        std::fs::write(dir.join("sources.list"), source_list(sources))?;
        let index = SourceIndex { dir, sources: sources.to_vec() };
        step.status(index.apt("apt-get").args(apt::IMPATIENT).arg("update"))?;
        Ok(index)
    }

    /// The upstream archives of a source package, the newest first.
    pub fn archives(&self, package: &str) -> Vec<Archive> {
        let Ok(output) = self.apt("apt-cache").args(["showsrc", "--only-source", package]).output() else {
            return Vec::new();
        };
        let mut archives = parse(&String::from_utf8_lossy(&output.stdout), package);
        for archive in &mut archives {
            let directory = archive.urls.concat();
            let mirrors = mirrors::uris(&self.sources);
            archive.urls = mirrors.iter().map(|mirror| format!("{}{directory}/{}", mirror.uri, archive.file)).collect();
        }
        archives
    }

    fn apt(&self, program: &str) -> Command {
        let dir = self.dir.display();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={dir}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_string(),
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::Cache::archives={dir}/archives"),
            "Dir::Cache::pkgcache=".to_string(),
            "Dir::Cache::srcpkgcache=".to_string(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

fn source_list(sources: &[Source]) -> String {
    let mut lines = Vec::new();
    let mut add = |source: &Source, suite: &str, component: &str| {
        let debian = (source.label.starts_with("Debian") && Path::new(KEYRING).exists()).then(|| KEYRING.to_string());
        let keyring = source.signed_by.clone().or(debian);
        let signed = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
        let line = format!("deb-src {signed}{} {suite} {component}\n", source.uri);
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    for source in sources {
        let is_archive = source.label == "Debian" && !source.suite.contains("-security");
        if is_archive && source.component == "main" {
            add(source, FIRST_SUITE, "main");
        }
        add(source, &source.suite, &source.component);
    }
    lines.concat()
}

/// The stanzas of `apt-cache showsrc`; the directory stands for the address until the mirrors are put before it.
fn parse(text: &str, package: &str) -> Vec<Archive> {
    let mut found: Vec<(Vec<u32>, Archive)> = Vec::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let (Some(true), Some(version)) = (field("Package:").map(|name| name == package), field("Version:")) else {
            continue;
        };
        let directory = field("Directory:").unwrap_or_default().trim_end_matches('/').to_string();
        let sums = stanza.lines().skip_while(|line| !line.starts_with("Checksums-Sha256:")).skip(1);
        for line in sums.take_while(|line| line.starts_with(' ')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [sha256, _, file] = words.as_slice() else { continue };
            if !file.contains(".orig.tar.") || file.ends_with(".asc") {
                continue;
            }
            let archive = Archive { file: file.to_string(), sha256: sha256.to_string(), urls: vec![directory.clone()] };
            if !found.iter().any(|(_, other)| other.sha256 == archive.sha256) {
                found.push((numbers(version), archive));
            }
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0));
    found.into_iter().map(|(_, archive)| archive).collect()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_archives_are_read_from_the_index_the_newest_first() {
        let stanza = |version: &str, sum: &str| {
            format!(
                "Package: postgresql-17\nVersion: {version}-1\nFiles:\n abc 1 postgresql-17_{version}.orig.tar.bz2\n\
                 Checksums-Sha256:\n {sum}0 9 postgresql-17_{version}-1.dsc\n \
                 {sum} 22 postgresql-17_{version}.orig.tar.bz2\n\
                 Homepage: x\nDirectory: pool/main/p/postgresql-17\n"
            )
        };
        let text = format!("{}\n{}\n{}", stanza("17.9", "aa"), stanza("17.12", "bb"), stanza("17.12", "bb"));
        let archives = parse(&text, "postgresql-17");
        let sums: Vec<&str> = archives.iter().map(|archive| archive.sha256.as_str()).collect();
        assert_eq!(sums, ["bb", "aa"]);
        assert_eq!(archives[0].file, "postgresql-17_17.12.orig.tar.bz2");
        assert_eq!(archives[0].urls, ["pool/main/p/postgresql-17"]);
        assert!(parse(&text, "pgvector").is_empty());
    }
}
