//! `cargo xtask test`: every check of the project, in one order, all of them run whatever the earlier ones say.

mod cargo_steps;
mod docs;
mod hostile;
mod reference;
mod regress;
mod verdict;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::boundary;
use testbed::install::{self, Profile};
use testbed::{checkout, postgres::Postgres, step};
use verdict::Verdict;

/// What the steps need to know.
pub struct Plan {
    pub root: PathBuf,
    pub postgres: Option<Postgres>,
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// Write what the regression tests print as what is expected of them.
    pub accept: bool,
    /// Run the long form of what has one.
    pub long: bool,
    /// How the extension is built.
    pub profile: Profile,
}

struct Suite {
    name: &'static str,
    title: &'static str,
    run: fn(&Plan) -> Result<Verdict>,
    needs_postgres: bool,
}

const SUITES: [Suite; 11] = [
    suite("format", "cargo fmt --check", cargo_steps::format, false),
    suite("boundaries", "boundary rules", boundaries, false),
    suite("deny", "cargo deny check", cargo_steps::deny, false),
    suite("clippy", "cargo clippy", cargo_steps::clippy, true),
    suite("crates", "tests of the crates", cargo_steps::crates, true),
    suite("install", "the extension installed", installed, true),
    suite("regress", "regression tests", regress::run, true),
    suite("client", "client tests", cargo_steps::client, true),
    suite("hostile", "the hostile suite", hostile::run, true),
    suite("docs", "SQL examples of the docs", docs::run, true),
    suite("reference", "docs/reference.md", reference::run, true),
];

/// What is asked of the suites.
pub struct Wishes {
    pub filter: Option<String>,
    pub accept: bool,
    pub long: bool,
    pub profile: Profile,
}

/// The names of the suites.
pub fn suites() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|suite| suite.name)
}

/// Runs all suites, or the one named and what it needs. Fails when one of them did.
pub fn run(named: Option<String>, wishes: Wishes) -> Result<()> {
    let chosen: Vec<&Suite> = SUITES.iter().filter(|suite| is_chosen(suite, named.as_deref())).collect();
    let postgres = match chosen.iter().any(|suite| suite.needs_postgres) {
        true => Postgres::from_env().map_err(|error| eprintln!("{error:#}")).ok(),
        false => None,
    };
    let Wishes { filter, accept, long, profile } = wishes;
    let plan = Plan { root: checkout::root()?, postgres, filter, accept, long, profile };

    let mut summary = Vec::new();
    for suite in chosen {
        println!("\n== {}: {}", suite.name, suite.title);
        let started = Instant::now();
        let verdict = (suite.run)(&plan).unwrap_or_else(|error| Verdict::failed(format!("{error:#}")));
        println!("{}", verdict.closing());
        summary.push((suite.name, verdict, started.elapsed().as_secs_f32()));
    }
    conclude(&summary)
}

impl Plan {
    /// The PostgreSQL to test with; what was tried to find one is on stderr already.
    pub fn postgres(&self) -> Result<&Postgres> {
        match &self.postgres {
            Some(postgres) => Ok(postgres),
            None => bail!("there is no PostgreSQL 17 (see above)"),
        }
    }

    /// Whether a test of this name is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }
}

const fn suite(
    name: &'static str,
    title: &'static str,
    run: fn(&Plan) -> Result<Verdict>,
    needs_postgres: bool,
) -> Suite {
    Suite { name, title, run, needs_postgres }
}

/// The suites that run against a server need the extension installed too.
fn is_chosen(suite: &Suite, named: Option<&str>) -> bool {
    match named {
        None => true,
        Some(named) => {
            suite.name == named
                || (suite.name == "install" && matches!(named, "regress" | "client" | "docs" | "reference"))
        }
    }
}

fn boundaries(plan: &Plan) -> Result<Verdict> {
    let breaches = boundary::breaches(&plan.root)?;
    for breach in &breaches {
        println!("{breach}");
    }
    Ok(Verdict::of(breaches.is_empty(), format!("{} rules broken", breaches.len())))
}

fn installed(plan: &Plan) -> Result<Verdict> {
    let postgres = plan.postgres()?;
    install::install(plan.profile, postgres)?;
    Ok(Verdict::passed(format!("installed for PostgreSQL {}", postgres.version)))
}

fn conclude(summary: &[(&str, Verdict, f32)]) -> Result<()> {
    println!("\n== summary");
    for (name, verdict, seconds) in summary {
        println!("{:8} {name:<12} {seconds:>6.1} s  {}", verdict.word(), verdict.last_line());
    }
    let failed: Vec<&str> = summary.iter().filter(|(_, verdict, _)| verdict.is_failure()).map(|row| row.0).collect();
    for (name, verdict, _) in summary.iter().filter(|(_, verdict, _)| verdict.is_failure()) {
        // Once more where the end of a long output is all that is kept of it.
        println!("\n== failed: {name}\n{}", step::last_lines(verdict.closing(), 60));
    }
    let skipped = summary.iter().filter(|(_, verdict, _)| verdict.word() == "skipped").count();
    println!("{} passed, {} failed, {skipped} skipped", summary.len() - failed.len() - skipped, failed.len());
    if !failed.is_empty() {
        bail!("{} of {} suites failed: {}", failed.len(), summary.len(), failed.join(", "));
    }
    Ok(())
}
