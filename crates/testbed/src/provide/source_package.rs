//! The sources that are built: the newest that the package index names, then versions known to build, from whichever
//! mirror has the right bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::archive::{self, Archive};
use super::mirrors::{self, Source};
use super::source_index::SourceIndex;
use crate::{cache, step::Step};

/// A source package and the versions of it that are known to build, the newest first: version, extension of the
/// archive's name, SHA-256.
pub struct Package {
    pub name: &'static str,
    known: &'static [(&'static str, &'static str, &'static str)],
    /// Where upstream has the same archive, with the version in place of `{}`.
    upstream: Option<&'static str>,
}

pub const POSTGRESQL: Package = Package {
    name: "postgresql-17",
    known: &[
        ("17.11", "bz2", "dd27f2b3c59e73ed14aa3324901242bf69a032a6347805f274e6260322d42979"),
        ("17.10", "bz2", "078a03516dcdbdb705fecaf415ea3d13a956c589e46f09fed68a06fb00598c90"),
        ("17.9", "bz2", "3b9a62538a8da151e807a3ddb1198e8605f2032544d78f403ae883d27ecf1ee4"),
    ],
    upstream: Some("https://ftp.postgresql.org/pub/source/v{}/postgresql-{}.tar.bz2"),
};

pub const PGVECTOR: Package = Package {
    name: "pgvector",
    known: &[("0.8.0", "gz", "867a2c328d4928a5a9d6f052cd3bc78c7d60228a9b914ad32aa3db88e9de27b0")],
    upstream: None,
};

/// Fetches a package's archive and unpacks it below `dir`. `version` is tried before all others.
pub fn unpack(package: &Package, version: Option<&str>, dir: &Path) -> Result<PathBuf> {
    let mut step = Step::begin(&format!("fetching the source of {}", package.name))?;
    let archives = candidates(&mut step, package, version)?;
    let kept = cache::subdir("archives")?;
    let archive = archive::first(&mut step, &archives, &kept).with_context(|| {
        format!("no source of {} can be had; put one of its archives into {}", package.name, kept.display())
    })?;
    let into = dir.join(package.name);
    std::fs::create_dir_all(&into)?;
    step.run(Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&into).arg("--strip-components=1"))?;
    step.done();
    Ok(into)
}

/// The index is asked only where it can matter: a version that is asked for and lies in the cache needs no network.
fn candidates(step: &mut Step, package: &Package, version: Option<&str>) -> Result<Vec<Archive>> {
    let sources = mirrors::sources(step).unwrap_or_default();
    let mut archives = known(package, &sources);
    if version.is_none() || !archives.iter().any(|archive| is_version(archive, version)) {
        let index = SourceIndex::update(step, &sources).map(|index| index.archives(package.name));
        let mut newest = index.unwrap_or_default();
        newest.retain(|archive| !archives.iter().any(|known| known.sha256 == archive.sha256));
        archives.splice(..0, newest);
    }
    // Stable: the others keep their order.
    archives.sort_by_key(|archive| !is_version(archive, version));
    Ok(archives)
}

fn is_version(archive: &Archive, version: Option<&str>) -> bool {
    version.is_some_and(|version| archive.file.contains(&format!("_{version}.orig.")))
}

fn known(package: &Package, sources: &[Source]) -> Vec<Archive> {
    let archive = |(version, extension, sha256): &(&str, &str, &str)| {
        let file = format!("{}_{version}.orig.tar.{extension}", package.name);
        let pools = mirrors::uris(sources).into_iter().flat_map(|mirror| pools(mirror, sources));
        let mut urls: Vec<String> = pools.map(|pool| format!("{pool}/p/{}/{file}", package.name)).collect();
        urls.extend(package.upstream.map(|url| url.replace("{}", version)));
        Archive { file, sha256: sha256.to_string(), urls }
    };
    package.known.iter().map(archive).collect()
}

/// A mirror's pools: one for each component that the configuration takes from it, `main` in any case.
fn pools(mirror: &Source, sources: &[Source]) -> Vec<String> {
    let mut components = vec!["main"];
    components.extend(sources.iter().filter(|source| source.uri == mirror.uri).map(|source| source.component.as_str()));
    components.sort();
    components.dedup();
    let is_security = mirror.uri.trim_end_matches('/').ends_with("-security");
    let below = if is_security { "pool/updates" } else { "pool" };
    components.iter().map(|component| format!("{}{below}/{component}", mirror.uri)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_are_looked_for_at_every_mirror_of_the_configuration() {
        let source = |uri: &str, component: &str| Source {
            label: "Debian".into(),
            uri: uri.into(),
            suite: "bookworm".into(),
            component: component.into(),
            signed_by: None,
        };
        let sources = [source("http://a.example/debian/", "main"), source("http://a.example/debian-security/", "main")];
        let archives = known(&POSTGRESQL, &sources);
        assert_eq!(archives.len(), 3);
        assert_eq!(
            archives[0].urls[..2],
            [
                "http://a.example/debian/pool/main/p/postgresql-17/postgresql-17_17.11.orig.tar.bz2",
                "http://a.example/debian-security/pool/updates/main/p/postgresql-17/postgresql-17_17.11.orig.tar.bz2",
            ]
        );
        assert!(is_version(&archives[1], Some("17.10")) && !is_version(&archives[2], Some("17.10")));
    }
}
