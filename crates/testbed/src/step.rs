//! A long step: its progress and elapsed time on stderr, its output in a log, the log's end shown when it fails.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache;

/// How many lines of a failed step's log are shown.
const TAIL: usize = 40;

/// Between two progress lines when stderr is no terminal.
const QUIET: Duration = Duration::from_secs(15);

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

pub struct Step {
    title: String,
    started: Instant,
    reported: Instant,
    log: PathBuf,
    file: File,
}

/// Runs one command as a step of its own.
pub fn run(title: &str, command: &mut Command) -> Result<PathBuf> {
    let mut step = Step::begin(title)?;
    step.run(command)?;
    Ok(step.done())
}

impl Step {
    pub fn begin(title: &str) -> Result<Step> {
        let logs = cache::subdir("logs")?;
        prune(&logs);
        let log = logs.join(format!("{}-{}.log", slug(title), std::process::id()));
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let now = Instant::now();
        let step = Step { title: title.to_string(), started: now, reported: now, log, file };
        step.show("", "…", false);
        Ok(step)
    }

    /// Runs `command` to its end, or fails with the end of the log.
    pub fn run(&mut self, command: &mut Command) -> Result<()> {
        let status = self.status(command)?;
        if status.success() {
            return Ok(());
        }
        self.show(" failed after", "", true);
        let program = command.get_program().to_string_lossy().into_owned();
        bail!(
            "{}: {program} ended with {status}; the end of {}:\n{}",
            self.title,
            self.log.display(),
            tail(&self.log, TAIL)
        )
    }

    /// Runs `command` to its end, whatever that is.
    pub fn status(&mut self, command: &mut Command) -> Result<ExitStatus> {
        writeln!(self.file, "$ {command:?}")?;
        command.stdin(Stdio::null()).stdout(self.file.try_clone()?).stderr(self.file.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
            self.tick();
        }
    }

    /// Ends the step well; returns its log.
    pub fn done(self) -> PathBuf {
        self.show(" done in", "", true);
        self.log
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    fn tick(&mut self) {
        let terminal = std::io::stderr().is_terminal();
        let gap = if terminal { Duration::from_secs(1) } else { QUIET };
        if self.reported.elapsed() >= gap {
            self.reported = Instant::now();
            self.show(" …", "", !terminal);
        }
    }

    /// On a terminal the line is written over itself; elsewhere each report is a line of its own.
    fn show(&self, before: &str, after: &str, ended: bool) {
        let terminal = std::io::stderr().is_terminal();
        let start = if terminal { "\r\x1b[K" } else { "" };
        let seconds = self.started.elapsed().as_secs();
        let time = if before.is_empty() { String::new() } else { format!(" {seconds} s") };
        let end = if ended || !terminal { "\n" } else { "" };
        let space = if after.is_empty() { "" } else { " " };
        eprint!("{start}  {}{before}{time}{space}{after}{end}", self.title);
    }
}

/// The last `lines` lines of a file.
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&bytes), lines)
}

pub fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Logs of last week are of no use to anyone.
fn prune(logs: &Path) {
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > WEEK) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn slug(title: &str) -> String {
    let kept = title.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' });
    kept.collect()
}
