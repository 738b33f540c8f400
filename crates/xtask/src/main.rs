//! `cargo xtask <command>`.

#![forbid(unsafe_code)]

mod arguments;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xtask::{bench, boundary, checkout, demo, image, install, postgres::Postgres, provide, reference, test, throwaway};

use arguments::Arguments;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo                       the product in a minute, against a server of its own
  test [--accept] [--long] [suite] [filter]
                             all checks, those of a suite, or those whose names contain the filter;
                             --accept writes what the regression tests print as what is expected,
                             --long runs the hostile suite for hours
  bench [name [options]]     the figures of docs/benchmarks.md; delivery has --quick and --only ROW
  reference                  docs/reference.md, written from the comments in the database
  check                      the boundary rules only
  up [--dir D]               start, reuse or restart a throw-away cluster with the extension; prints export lines
  down [--dir D]             stop it and remove it
  psql [--dir D] [args]      psql, connected to it
  install [--pg-config P]    build the extension and install it into a PostgreSQL 17
  package --out D [--pg-config P]
                             build it and lay its files out below D
  provide [--assertions]     find or build PostgreSQL 17 and print its pg_config; --assertions: the one built with the
                             server's own assertions
  image                      build the container image

Suites: format boundaries deny clippy crates install regress client hostile docs reference.
PostgreSQL 17 is found ($PG_CONFIG, the PATH, the usual places) or built, once, into $PG_FRONTDESK_CACHE.";

fn main() -> ExitCode {
    match run(Arguments::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> Result<()> {
    let Some(command) = arguments.next() else { bail!("{USAGE}") };
    if arguments.flag("--help") || arguments.flag("-h") {
        println!("{USAGE}");
        return Ok(());
    }
    match command.as_str() {
        "up" => {
            let dir = arguments.path("--dir")?;
            arguments.end()?;
            throwaway::up(&Postgres::from_env()?, dir)
        }
        "down" => {
            let dir = arguments.path("--dir")?;
            arguments.end()?;
            throwaway::down(dir)
        }
        "psql" => throwaway::psql(arguments.path("--dir")?, &arguments.rest()),
        "install" => {
            let postgres = chosen(&mut arguments)?;
            arguments.end()?;
            install::install(&postgres)?;
            eprintln!("  installed for PostgreSQL {} in {}", postgres.version, postgres.library_dir.display());
            Ok(())
        }
        "package" => {
            let out = arguments.path("--out")?.context("package needs --out DIR")?;
            let postgres = match arguments.path("--pg-config")? {
                Some(pg_config) => Postgres::at(&pg_config)?,
                None => Postgres::from_env()?,
            };
            arguments.end()?;
            install::package(&postgres, &std::path::absolute(out)?)
        }
        "test" => {
            let (mut accept, mut long) = (false, false);
            loop {
                match () {
                    () if arguments.flag("--accept") => accept = true,
                    () if arguments.flag("--long") => long = true,
                    () => break,
                }
            }
            let first = arguments.next();
            let second = arguments.next();
            arguments.end()?;
            test::run(first, second, accept, long)
        }
        "check" => {
            arguments.end()?;
            match boundary::report(&checkout::root()?)? {
                true => Ok(()),
                false => bail!("boundary rules are broken"),
            }
        }
        "reference" => {
            arguments.end()?;
            let changed = reference::write(&Postgres::from_env()?)?;
            println!("docs/reference.md {}", if changed { "written" } else { "is as it should be" });
            Ok(())
        }
        "demo" => {
            arguments.end()?;
            demo::run(&Postgres::from_env()?)
        }
        "bench" => {
            let name = arguments.next();
            let options = arguments.rest();
            bench::run(&Postgres::from_env()?, name.as_deref(), &options)
        }
        "provide" => {
            let assertions = arguments.flag("--assertions");
            arguments.end()?;
            let postgres = Postgres::from_env()?;
            let chosen = if assertions { provide::postgres_with_assertions(&postgres)? } else { postgres };
            println!("{}", chosen.pg_config.display());
            Ok(())
        }
        "image" => {
            arguments.end()?;
            image::build()
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        unknown => bail!("there is no command {unknown}\n{USAGE}"),
    }
}

fn chosen(arguments: &mut Arguments) -> Result<Postgres> {
    match arguments.path("--pg-config")? {
        Some(pg_config) => provide::postgres_at(&pg_config),
        None => Postgres::from_env(),
    }
}
