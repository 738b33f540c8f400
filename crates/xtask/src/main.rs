//! `cargo xtask <command>`.

#![forbid(unsafe_code)]

mod boundary;
mod image;
mod options;
mod reference;
mod test;
mod throwaway;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use options::{Command, Options};
use testbed::{checkout, install, postgres::Postgres, provide};

fn main() -> ExitCode {
    match run(Options::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Up { place, build } => throwaway::up(&Postgres::from_env()?, place.dir, build.profile()),
        Command::Down { place } => throwaway::down(place.dir),
        Command::Psql { place, arguments } => throwaway::psql(place.dir, &arguments),
        Command::Install { pg_config, build } => {
            let postgres = match pg_config {
                Some(pg_config) => provide::postgres_at(&pg_config)?,
                None => Postgres::from_env()?,
            };
            install::install(build.profile(), &postgres)?;
            eprintln!("  installed for PostgreSQL {} in {}", postgres.version, postgres.library_dir.display());
            Ok(())
        }
        Command::Package { out, pg_config } => {
            let postgres = match pg_config {
                Some(pg_config) => Postgres::at(&pg_config)?,
                None => Postgres::from_env()?,
            };
            install::package(&postgres, &std::path::absolute(out)?)
        }
        Command::Test { suite, name, accept, long, build } => {
            test::run(suite, test::Wishes { filter: name, accept, long, profile: build.profile() })
        }
        Command::Check => match boundary::report(&checkout::root()?)? {
            true => Ok(()),
            false => bail!("boundary rules are broken"),
        },
        Command::Reference { build } => {
            let changed = reference::write(&Postgres::from_env()?, build.profile())?;
            println!("docs/reference.md {}", if changed { "written" } else { "is as it should be" });
            Ok(())
        }
        Command::Demo { build } => demo::run(&Postgres::from_env()?, build.profile()),
        Command::Bench { name, options } => bench::run(&Postgres::from_env()?, name.as_deref(), &options),
        Command::Provide { assertions } => {
            let postgres = Postgres::from_env()?;
            let chosen = if assertions { provide::postgres_with_assertions(&postgres)? } else { postgres };
            println!("{}", chosen.pg_config.display());
            Ok(())
        }
        Command::Image => image::build(),
    }
}
