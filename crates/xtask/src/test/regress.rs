//! `tests/pg_regress`: each file of SQL is run by psql in a database of its own, and what it prints compared with what
//! is expected of it, as PostgreSQL's own `pg_regress` does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Plan, verdict::Verdict};
use testbed::cluster::{Cluster, ClusterOptions};
use testbed::postgres::Postgres;
use testbed::{amcheck, faults, step};

/// A file that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(300);

/// What the files are run on.
pub struct Ground<'a> {
    pub postgres: &'a Postgres,
    /// Options of the files' sessions, as `$PGOPTIONS` has them.
    pub session: &'a str,
    pub wants: &'a dyn Fn(&str) -> bool,
    /// Write what is printed as what is expected.
    pub accept: bool,
}

pub fn run(plan: &Plan) -> Result<Verdict> {
    let ground =
        Ground { postgres: plan.postgres()?, session: "", wants: &|name| plan.wants(name), accept: plan.accept };
    run_on(&plan.root, &ground)
}

pub fn run_on(root: &Path, ground: &Ground) -> Result<Verdict> {
    let folder = root.join("tests/pg_regress");
    let results = folder.join("results");
    std::fs::create_dir_all(&results)?;
    let files = files(&folder.join("sql"), ground)?;
    let cluster = Cluster::create(ground.postgres, ClusterOptions { preload: true, ..Default::default() })?;
    let (mut passed, mut failed) = (0, Vec::new());
    let mut closing = String::new();
    for sql in &files {
        let started = Instant::now();
        let outcome = run_file(&cluster, &folder, sql, ground);
        let milliseconds = started.elapsed().as_millis();
        let name = stem(sql);
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("ok      {name:<32} {milliseconds:>6} ms");
            }
            Err(error) => {
                failed.push(name.clone());
                closing.push_str(&format!("{name}:\n{error:#}\n"));
                println!("not ok  {name:<32} {milliseconds:>6} ms");
            }
        }
    }
    let crashes = faults::crashes(&step::tail(&cluster.log_path(), usize::MAX));
    if !failed.is_empty() || !crashes.is_empty() {
        println!("the end of the server's log:\n{}", step::tail(&cluster.log_path(), 40));
    }
    closing.push_str(&crashes.iter().map(|line| format!("{line}\n")).collect::<String>());
    let count = failed.len();
    let names = if failed.is_empty() { String::new() } else { format!(": {}", failed.join(" ")) };
    closing.push_str(&format!("{passed} passed, {count} failed{names}"));
    Ok(Verdict::of(failed.is_empty() && crashes.is_empty(), closing))
}

fn run_file(cluster: &Cluster, folder: &Path, sql: &Path, ground: &Ground) -> Result<()> {
    let name = stem(sql);
    let database = format!("regress_{name}");
    cluster.create_database(&database)?;
    let result = folder.join("results").join(format!("{name}.out"));
    let outcome = print_results(cluster, &database, folder, sql, &result, ground.session);
    let wrong = amcheck::findings(cluster, &database);
    let dropped = cluster.psql("postgres", &format!("drop database \"{database}\" with (force)"));
    outcome?;
    dropped?;
    let wrong = wrong?;
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }

    let expected = folder.join("expected").join(format!("{name}.out"));
    if ground.accept {
        std::fs::create_dir_all(folder.join("expected"))?;
        std::fs::copy(&result, &expected).with_context(|| format!("writing {}", expected.display()))?;
        return Ok(());
    }
    compare(&expected, &result)
}

/// As `pg_regress` calls psql, but for the time zone and the date style, which are those of the docs.
fn print_results(
    cluster: &Cluster,
    database: &str,
    folder: &Path,
    sql: &Path,
    result: &Path,
    options: &str,
) -> Result<()> {
    let output = File::create(result)?;
    let mut psql = cluster.client("psql", database);
    psql.args(["-X", "-a", "-q"]).current_dir(folder).env("PGTZ", "UTC").env("PGDATESTYLE", "ISO, YMD");
    psql.env("PGAPPNAME", "pg_regress").env("LC_MESSAGES", "C").env("PGCLIENTENCODING", "UTF8");
    psql.env("PGOPTIONS", options);
    psql.stdin(File::open(sql)?).stdout(output.try_clone()?).stderr(output);
    let mut child = psql.spawn()?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            bail!("no end after {} s; the end of its output:\n{}", LONGEST.as_secs(), step::tail(result, 20));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn compare(expected: &Path, result: &Path) -> Result<()> {
    let wanted = std::fs::read(expected).with_context(|| {
        format!("{} is missing; cargo xtask test --accept regress NAME writes it", expected.display())
    })?;
    if wanted == std::fs::read(result)? {
        return Ok(());
    }
    let diff = Command::new("diff").arg("-U3").arg(expected).arg(result).stdin(Stdio::null()).output();
    match diff {
        Ok(diff) => bail!("{}", String::from_utf8_lossy(&diff.stdout)),
        Err(_) => bail!("{} differs from {}", result.display(), expected.display()),
    }
}

fn files(folder: &Path, ground: &Ground) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql") && (ground.wants)(&stem(path)));
    files.sort();
    Ok(files)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
