//! `cargo xtask demo`: the product in a minute, against a server of its own. It is a test too: it fails when anything
//! that it promises does not happen.

#![forbid(unsafe_code)]

mod latency;
mod numbers;
mod scenes;
mod stage;
mod transcript;

use std::time::Instant;

use anyhow::{Context, Result};

use stage::Stage;
use testbed::install::{self, Profile};
use testbed::{postgres::Postgres, receiver, step};

/// One part of the story. Later scenes build on what earlier ones have made.
pub struct Scene {
    pub title: &'static str,
    /// What the newcomer is about to see, in a sentence or two.
    pub about: &'static str,
    pub play: fn(&mut Stage) -> Result<()>,
}

pub fn run(postgres: &Postgres, profile: Profile) -> Result<()> {
    install::install(profile, postgres)?;
    // Before the clock runs.
    receiver::built()?;
    let started = Instant::now();
    let mut stage = Stage::set(postgres)?;
    for (number, scene) in (1..).zip(scenes::SCENES) {
        stage.out.title(number, scene.title);
        stage.out.about(scene.about);
        if let Err(error) = (scene.play)(&mut stage) {
            eprintln!("\nthe end of the server's log:\n{}\n", step::tail(&stage.cluster.log_path(), 20));
            return Err(error).with_context(|| format!("scene {number}, {}", scene.title));
        }
    }
    stage.numbers.show(&stage.out, started.elapsed());
    Ok(())
}
