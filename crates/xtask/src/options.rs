//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::test;
use testbed::install::Profile;

/// Builds, tests, measures and shows pg_frontdesk.
///
/// PostgreSQL 17 is found ($PG_CONFIG, the PATH, the usual places) or built, once, into $PG_FRONTDESK_CACHE.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 120)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the product in a minute, against a server of its own.
    Demo {
        #[command(flatten)]
        build: Build,
    },
    /// Run all checks, those of a suite, or the tests of a suite whose names contain a word.
    #[command(after_help = "Examples:
  cargo xtask test                               everything, as CI does
  cargo xtask test --dev regress 10_event_watch  one file of tests/pg_regress
  cargo xtask test --dev client retry::          the client tests of tests/tests/retry
  cargo xtask test --accept regress 50_scoring   take what the file prints as what is expected")]
    Test {
        /// Which checks.
        #[arg(value_parser = PossibleValuesParser::new(test::suites()))]
        suite: Option<String>,
        /// Only the tests whose names contain this.
        name: Option<String>,
        /// Write what the regression tests and the reference say as what is expected of them.
        #[arg(long)]
        accept: bool,
        /// Run the hostile suite for hours.
        #[arg(long)]
        long: bool,
        #[command(flatten)]
        build: Build,
    },
    /// Measure the figures of docs/benchmarks.md.
    Bench {
        /// Which one; all of them without a name.
        #[arg(value_parser = PossibleValuesParser::new(bench::names()))]
        name: Option<String>,
        #[command(flatten)]
        options: bench::Options,
    },
    /// Write docs/reference.md from the comments in the database.
    Reference {
        #[command(flatten)]
        build: Build,
    },
    /// Check the boundary rules (a part of `test`, in a second).
    Check,
    /// Start, reuse or restart a server with the extension as it stands in the checkout; prints export lines.
    ///
    /// What has changed is built and installed, the server is restarted when the library is new, and the extension is
    /// created anew when its SQL is.
    Up {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        build: Build,
    },
    /// Stop that server and remove it.
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Run psql, connected to it.
    Psql {
        #[command(flatten)]
        place: Place,
        /// Arguments of psql.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the extension and install it into a PostgreSQL 17.
    Install {
        /// The PostgreSQL to install into.
        #[arg(long, value_name = "PATH")]
        pg_config: Option<PathBuf>,
        #[command(flatten)]
        build: Build,
    },
    /// Build the extension and lay its files out below a directory, as they would lie on the system.
    Package {
        /// The directory.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The PostgreSQL to build for.
        #[arg(long, value_name = "PATH")]
        pg_config: Option<PathBuf>,
    },
    /// Find or build PostgreSQL 17 and print its pg_config.
    Provide {
        /// One that is built with the server's own assertions.
        #[arg(long)]
        assertions: bool,
    },
    /// Build the container image.
    Image,
}

/// How the extension is built.
#[derive(Clone, Copy, Debug, Args)]
pub struct Build {
    /// Build incrementally and without optimisation: for changing a line and seeing it run. Always so when
    /// $PG_FRONTDESK_DEV is set.
    #[arg(long)]
    dev: bool,
}

impl Build {
    pub fn profile(self) -> Profile {
        if self.dev { Profile::Dev } else { Profile::Release }.or_dev()
    }
}

/// Where the server lies.
#[derive(Debug, Args)]
pub struct Place {
    /// The server's directory; one per checkout in the cache when not given.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_suite_and_a_name_pick_one_test() {
        let parsed = Options::try_parse_from(["xtask", "test", "--dev", "regress", "10_event_watch"]).unwrap();
        let Command::Test { suite, name, build, .. } = parsed.command else { panic!("{parsed:?}") };
        assert_eq!((suite.as_deref(), name.as_deref(), build.dev), (Some("regress"), Some("10_event_watch"), true));
        assert!(Options::try_parse_from(["xtask", "test", "10_event_watch"]).is_err());
    }

    #[test]
    fn psql_gets_its_own_options() {
        let parsed = Options::try_parse_from(["xtask", "psql", "--dir", "/tmp/a", "-c", "select 1", "--csv"]).unwrap();
        let Command::Psql { place, arguments } = parsed.command else { panic!("{parsed:?}") };
        assert_eq!(place.dir, Some(PathBuf::from("/tmp/a")));
        assert_eq!(arguments, ["-c", "select 1", "--csv"]);
    }
}
