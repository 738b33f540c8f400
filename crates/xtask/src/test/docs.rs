//! Every SQL example of the README and the docs is run: the blocks of one file one after the other, in one session of
//! a fresh database, on a server without an engine: nothing is sent, whatever the examples name. A block after
//! `<!-- no-test -->` is not run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Plan, verdict::Verdict};
use testbed::checkout::EXTENSION;
use testbed::cluster::{Cluster, ClusterOptions};

const SKIP: &str = "<!-- no-test -->";

/// Without worker slots there is neither launcher nor engine.
const NO_ENGINE: [(&str, &str); 1] = [("max_worker_processes", "0")];

pub fn run(plan: &Plan) -> Result<Verdict> {
    let files = files(&plan.root)?;
    let options = ClusterOptions { preload: true, extra_conf: &NO_ENGINE, ..Default::default() };
    let cluster = Cluster::create(plan.postgres()?, options)?;
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        let text = std::fs::read_to_string(file)?;
        let examples = examples(&text);
        if examples.blocks == 0 {
            continue;
        }
        let name = file.strip_prefix(&plan.root).unwrap_or(file).display().to_string();
        match run_file(&cluster, &name, &examples.script) {
            Ok(()) => {
                passed += 1;
                println!("ok      {name} ({} examples)", examples.blocks);
            }
            Err(error) => {
                failed += 1;
                println!("not ok  {name}\n{error:#}");
            }
        }
    }
    Ok(Verdict::of(failed == 0, format!("{passed} passed, {failed} failed")))
}

/// The database has the extension, unless the file creates it itself.
fn run_file(cluster: &Cluster, name: &str, script: &str) -> Result<()> {
    let creates = creates_extension(script);
    match creates {
        true => cluster.psql("postgres", "create database docs").map(|_| ())?,
        false => cluster.create_database("docs")?,
    }
    let outcome = cluster.psql("docs", script).with_context(|| format!("an example of {name}"));
    let dropped = cluster.psql("postgres", "drop database docs with (force)");
    outcome?;
    dropped.map(|_| ())
}

/// Before it uses it, that is.
fn creates_extension(script: &str) -> bool {
    let lower = script.to_lowercase();
    let creations = ["create extension ", "create extension if not exists "].map(|words| format!("{words}{EXTENSION}"));
    let created = creations.iter().filter_map(|words| lower.find(words)).min();
    created.is_some_and(|at| lower.find("frontdesk.").is_none_or(|used| at < used))
}

struct Examples {
    blocks: usize,
    /// Each block at its own lines of the file, so that psql's line numbers are the file's.
    script: String,
}

fn examples(markdown: &str) -> Examples {
    let mut examples = Examples { blocks: 0, script: String::new() };
    let (mut inside, mut runs, mut skip) = (false, false, false);
    for line in markdown.lines() {
        let fence = line.trim_start().starts_with("```");
        if fence && inside {
            (inside, runs, skip) = (false, false, false);
        } else if fence {
            inside = true;
            runs = line.trim() == "```sql" && !skip;
            examples.blocks += usize::from(runs);
        } else if runs {
            examples.script.push_str(line);
        } else if !inside && !line.trim().is_empty() {
            skip = line.trim() == SKIP;
        }
        examples.script.push('\n');
    }
    examples
}

fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("docs"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    files.insert(0, root.join("README.md"));
    files.retain(|path| path.is_file());
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_created_after_its_use_was_there_before() {
        assert!(creates_extension("create extension pg_frontdesk cascade; select frontdesk.status()"));
        assert!(creates_extension("CREATE EXTENSION IF NOT EXISTS pg_frontdesk"));
        assert!(!creates_extension("select frontdesk.status(); create extension pg_frontdesk"));
        assert!(!creates_extension("select frontdesk.status()"));
    }

    #[test]
    fn examples_keep_their_lines() {
        let text = "# A\n```sql\nselect 1;\n```\n<!-- no-test -->\n\n```sql\nselect 2;\n```\n```sh\nls\n```\n```sql\nselect 3;\n```\n";
        let examples = examples(text);
        assert_eq!(examples.blocks, 2);
        let lines: Vec<&str> = examples.script.lines().collect();
        assert_eq!((lines[2], lines[13]), ("select 1;", "select 3;"));
        assert_eq!(lines.iter().filter(|line| !line.is_empty()).count(), 2);
    }
}
