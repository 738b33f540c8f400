//! Beginning: who this installation is, where it was in the log, what its endpoints are.

use std::collections::HashMap;

use delivery::{Configuration, Core, Start};

use super::requests::Desk;
use super::settings::Settings;
use super::shell::{limits, now};
use super::transaction::{Failure, transaction};
use super::{direct, verbs};
use crate::{ffi, guc};

/// A core that knows what was there before.
pub struct Begun {
    pub core: Core,
    pub complaints: Vec<String>,
}

pub struct Configured {
    pub configuration: Configuration,
    pub stopped: bool,
    pub complaints: Vec<String>,
    /// Endpoints of which something else is wrong than their rows say, or nothing any more.
    pub problems: Vec<(i64, Option<String>)>,
}

impl Desk {
    /// None: it is stopped, or there is nothing to begin with. `last_request`: of the core before.
    pub fn boot(&mut self, last_request: u64) -> Result<Option<Begun>, Failure> {
        let (cursors, blocked, window) =
            transaction(|session| Ok((verbs::cursors(session)?, verbs::blocked(session)?, verbs::window(session)?)))?;
        self.endpoints.clear();
        let Configured { configuration, stopped, complaints, problems } = self.configure()?;
        if stopped {
            return Ok(None);
        }
        transaction(verbs::forget)?;
        for (id, problem) in problems {
            transaction(|session| verbs::problem(session, id, problem.as_deref()))?;
        }
        let start = Start {
            cursors,
            snapshot: window.snapshot,
            configuration,
            blocked,
            last_request,
            random: u64::from_le_bytes(ffi::random()),
        };
        Ok(Some(Begun { core: Core::new(start, limits(), now()), complaints }))
    }

    /// Reads who it is, and the endpoints.
    pub fn configure(&mut self) -> Result<Configured, Failure> {
        let (boot, rows) = transaction(|session| Ok((verbs::boot(session)?, verbs::settings(session)?)))?;
        let Some(boot) = boot else { return Err(Failure::new("the installation has no identity")) };
        self.installation = boot.installation.to_string().replace('-', "");
        let mut complaints = Vec::new();
        let running = may_run(&boot, &mut complaints);
        let (mut endpoints, mut plans, mut problems) = (HashMap::new(), Vec::new(), Vec::new());
        let guard = direct::guard();
        for row in rows {
            match Settings::parse(&row, &guard) {
                Ok((plan, settings)) => {
                    if settings.problem != settings.known_problem {
                        problems.push((plan.id, settings.problem.clone()));
                    }
                    endpoints.insert(plan.id, settings);
                    plans.push(plan);
                }
                Err(reason) => complaints.push(reason),
            }
        }
        if self.endpoints.keys().any(|id| !endpoints.contains_key(id)) {
            transaction(verbs::forget)?;
        }
        self.endpoints = endpoints;
        let configuration = Configuration { version: boot.config_version, running, plans };
        Ok(Configured { configuration, stopped: boot.state == verbs::State::Stopped, complaints, problems })
    }
}

fn may_run(boot: &verbs::Boot, complaints: &mut Vec<String>) -> bool {
    let same_version = boot.extension_version == env!("CARGO_PKG_VERSION");
    if boot.silent {
        let silent = "this database is a copy of another installation: nothing is sent before select frontdesk.adopt()";
        complaints.push(silent.into());
    } else if !same_version {
        let differ = "the library and the extension are of different versions: alter extension pg_frontdesk update";
        complaints.push(differ.into());
    }
    boot.state == verbs::State::Running && !boot.silent && same_version && guc::enabled()
}
