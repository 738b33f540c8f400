//! `cargo xtask test hostile`: the extension on a server with assertions, in the hands of those who mean it ill. Every
//! part has a short form, which the whole test command runs, and a long one (`--long`).

mod clients;
mod fuzz;
mod regress;
mod sqlsmith;

use anyhow::{Result, bail};

use super::{Plan, verdict::Verdict};
use testbed::{install, postgres::Postgres, provide};

/// What the parts need to know.
pub struct Scene<'a> {
    pub plan: &'a Plan,
    /// Built with assertions, with the extension in it.
    pub postgres: Postgres,
}

struct Part {
    name: &'static str,
    about: &'static str,
    run: fn(&Scene) -> Result<Verdict>,
}

const PARTS: [Part; 7] = [
    Part { name: "regress", about: "the regression tests, with assertions", run: regress::with_assertions },
    Part { name: "caches", about: "capture and timers, no cache kept", run: regress::without_caches },
    Part { name: "client", about: "client tests of what runs in the server, with assertions", run: clients::chosen },
    Part { name: "closure", about: "every role calls every function", run: clients::closure },
    Part { name: "fuzz", about: "generated rows and texts", run: fuzz::run },
    Part { name: "sqlsmith", about: "generated statements", run: sqlsmith::run },
    Part { name: "chaos", about: "kill -9 under load", run: clients::chaos },
];

/// Those parts whose names contain the filter; all without one.
pub fn run(plan: &Plan) -> Result<Verdict> {
    let postgres = provide::postgres_with_assertions(plan.postgres()?)?;
    install::install_into(plan.profile, plan.postgres()?, &postgres)?;
    let scene = Scene { plan, postgres };
    let (mut lines, mut failures, mut passed) = (Vec::new(), Vec::new(), 0);
    for part in PARTS.iter().filter(|part| plan.wants(part.name)) {
        println!("-- hostile, {}: {}", part.name, part.about);
        let verdict = (part.run)(&scene).unwrap_or_else(|error| Verdict::failed(format!("{error:#}")));
        println!("{}", verdict.closing());
        if verdict.is_failure() {
            failures.push(part.name);
            lines.push(format!("{}:\n{}", part.name, verdict.closing()));
        } else {
            passed += 1;
            lines.push(format!("{}: {}", part.name, verdict.last_line()));
        }
    }
    if passed + failures.len() == 0 {
        bail!("there is no such part; the parts are {}", PARTS.map(|part| part.name).join(", "));
    }
    let names = if failures.is_empty() { String::new() } else { format!(": {}", failures.join(" ")) };
    lines.push(format!("{passed} parts passed, {} failed{names}", failures.len()));
    Ok(Verdict::of(failures.is_empty(), lines.join("\n")))
}

impl Scene<'_> {
    /// Seconds for a part: fewer in the short form.
    fn seconds(&self, short: u64, long: u64) -> u64 {
        if self.plan.long { long } else { short }
    }
}
