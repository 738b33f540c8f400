//! The suites that are cargo's.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::{Plan, verdict::Verdict};
use testbed::checkout::{self, EXTENSION};
use testbed::postgres::Postgres;
use testbed::{install, step, step::Step};

/// Servers, engines and receivers of several tests at once would only get into each other's way.
const CLIENT_THREADS: &str = "2";

/// Client tests that may have failed because others ran beside them; where more did, something is wrong.
const MOST_AGAIN: usize = 5;

pub fn format(plan: &Plan) -> Result<Verdict> {
    let mut command = checkout::cargo(&plan.root);
    let (success, log) = finish("formatting", command.args(["fmt", "--all", "--check", "--", "--color", "never"]))?;
    let diff = || format!("{}\nnot formatted; cargo fmt --all does it", step::tail(&log, 60));
    Ok(if success { Verdict::passed("formatted") } else { Verdict::failed(diff()) })
}

pub fn clippy(plan: &Plan) -> Result<Verdict> {
    let mut command = install::cargo(&plan.root, plan.postgres()?);
    command.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    let (success, log) = finish("clippy", &mut command)?;
    Ok(if success { Verdict::passed("no warnings") } else { Verdict::failed(step::tail(&log, 80)) })
}

/// Skipped where cargo-deny is not installed; without the network the advisories are, and that is said.
pub fn deny(plan: &Plan) -> Result<Verdict> {
    let deny = |arguments: &[&str]| {
        let mut command = checkout::cargo(&plan.root);
        command.arg("deny").args(arguments);
        command
    };
    let mut probe = deny(&["--version"]);
    if !probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Ok(Verdict::Skipped("skipped: cargo-deny is not installed (cargo install cargo-deny)".to_string()));
    }
    let (success, log) = finish("licences, bans and sources", &mut deny(&["check", "licenses", "bans", "sources"]))?;
    if !success {
        return Ok(Verdict::failed(step::tail(&log, 60)));
    }
    let (success, log) = finish("advisories", &mut deny(&["check", "advisories"]))?;
    let text = step::tail(&log, 60);
    if !success && text.contains("failed to fetch advisory database") {
        return Ok(Verdict::passed("licences, bans and sources ok; advisories not checked: no database to be had"));
    }
    Ok(Verdict::of(success, if success { "advisories, licences, bans and sources ok".to_string() } else { text }))
}

/// Everything that needs neither the extension's library nor a server with it.
pub fn crates(plan: &Plan) -> Result<Verdict> {
    let mut command = test_command(plan)?;
    command.args(["--workspace", "--exclude", EXTENSION, "--exclude", "tests"]);
    command.arg("--").args(&plan.filter);
    run_tests("testing the crates", &mut command)
}

/// The client tests start servers of their own, and receivers in their own process.
///
/// A few that fail run once more, one after the other with nothing beside them: what is green then was late on a busy
/// machine, and is named in the last line; what is red again is red.
pub fn client(plan: &Plan) -> Result<Verdict> {
    let filters: Vec<&str> = plan.filter.as_deref().into_iter().collect();
    let mut command = client_command(plan, plan.postgres()?)?;
    command.arg(format!("--test-threads={CLIENT_THREADS}")).args(&filters);
    let (verdict, red) = run_named("client tests", &mut command)?;
    if !(1..=MOST_AGAIN).contains(&red.len()) {
        return Ok(verdict);
    }
    let mut command = client_command(plan, plan.postgres()?)?;
    command.args(["--test-threads=1", "--exact"]).args(&red);
    let (alone, still) = run_named("those that failed, alone", &mut command)?;
    let closing = verdict.closing();
    Ok(match alone.is_failure() {
        true => Verdict::failed(format!("{closing}\nred when run alone too: {}", still.join(", "))),
        false => Verdict::passed(format!("{closing}; green when run alone: {}", red.join(", "))),
    })
}

/// The client tests whose names contain one of `filters` (all, where there is none), on servers of `postgres`.
pub fn client_on(plan: &Plan, postgres: &Postgres, filters: &[&str], environment: &[(&str, &str)]) -> Result<Verdict> {
    let mut command = client_command(plan, postgres)?;
    command.envs(environment.iter().copied());
    command.arg(format!("--test-threads={CLIENT_THREADS}")).args(filters);
    run_tests("client tests", &mut command)
}

fn client_command(plan: &Plan, postgres: &Postgres) -> Result<Command> {
    let mut command = test_command(plan)?;
    command.args(["-p", "tests"]).env("PG_FRONTDESK_PG_CONFIG", &postgres.pg_config).arg("--");
    Ok(command)
}

/// The properties of the crates that are fuzz targets (`tests/fuzz.rs` of a crate), with so many cases each.
pub fn fuzz(plan: &Plan, cases: &str) -> Result<Verdict> {
    let mut command = test_command(plan)?;
    // As in crates(), so that nothing is built once more for it.
    command.args(["--workspace", "--exclude", EXTENSION, "--exclude", "tests", "--test", "fuzz"]);
    command.env("PROPTEST_CASES", cases);
    run_tests("fuzzing the crates", &mut command)
}

fn test_command(plan: &Plan) -> Result<Command> {
    let postgres = plan.postgres()?;
    let mut command = install::cargo(&plan.root, postgres);
    command.args(["test", "--no-fail-fast"]).env("PG_FRONTDESK_PG_CONFIG", &postgres.pg_config);
    Ok(command)
}

fn run_tests(title: &str, command: &mut Command) -> Result<Verdict> {
    Ok(run_named(title, command)?.0)
}

/// Also the names of the tests that failed.
fn run_named(title: &str, command: &mut Command) -> Result<(Verdict, Vec<String>)> {
    let (success, log) = finish(title, command)?;
    let closing = closing_lines(&log)?;
    if success {
        return Ok((Verdict::passed(closing), Vec::new()));
    }
    println!("{}", failures(&log)?);
    Ok((Verdict::failed(closing), failed_tests(&read(&log)?)))
}

fn finish(title: &str, command: &mut Command) -> Result<(bool, std::path::PathBuf)> {
    let mut step = Step::begin(title)?;
    // What is read from the log must not be broken up by colours.
    let success = step.status(command.env("CARGO_TERM_COLOR", "never"))?.success();
    Ok((success, step.done()))
}

/// The result of each test program that had tests, and their sum.
fn closing_lines(log: &Path) -> Result<String> {
    let text = read(log)?;
    let mut lines = Vec::new();
    let (mut passed, mut failed, mut program) = (0, 0, "");
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("Running ") || trimmed.starts_with("Doc-tests ") {
            program = trimmed;
        }
        let Some(counts) = line.strip_prefix("test result: ") else { continue };
        let (ok, bad) = (count(counts, "passed"), count(counts, "failed"));
        passed += ok;
        failed += bad;
        if ok + bad > 0 {
            lines.push(format!("{program}\n  {line}"));
        }
    }
    if lines.is_empty() && !text.contains("test result: ") {
        bail!("no test ran; the end of {}:\n{}", log.display(), step::tail(log, 60));
    }
    lines.push(format!("{passed} passed, {failed} failed"));
    Ok(lines.join("\n"))
}

fn failed_tests(log: &str) -> Vec<String> {
    let names = log.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    names.map(str::to_string).collect()
}

fn read(log: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(log)?).into_owned())
}

/// The number before a word, as in `12 passed`.
fn count(text: &str, what: &str) -> u32 {
    let number = text.split([';', '.']).map(str::trim).find_map(|part| part.strip_suffix(what));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// What the failed tests printed; the end of the log when it did not come to tests.
fn failures(log: &Path) -> Result<String> {
    let text = read(log)?;
    let mut kept = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        inside = (inside || line == "failures:") && !line.starts_with("test result: ");
        if inside {
            kept.push(line);
        }
    }
    let end = kept.len().min(400);
    Ok(if kept.is_empty() { step::tail(log, 80) } else { kept[..end].join("\n") })
}

#[cfg(test)]
mod tests {
    use super::{count, failed_tests};

    #[test]
    fn the_counts_of_a_result_line_are_read() {
        let line = "ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!((count(line, "passed"), count(line, "failed")), (12, 3));
    }

    #[test]
    fn the_tests_that_failed_are_known_by_name() {
        assert_eq!(failed_tests("test a::one ... ok\ntest b::two ... FAILED\n"), ["b::two"]);
    }
}
