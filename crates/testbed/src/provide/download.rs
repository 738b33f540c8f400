//! One file from one address, resumed where it was broken off.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::apt;
use crate::step::{self, Step};

/// An address that gives nothing for this long is given up.
const CONNECT_SECONDS: &str = "10";
const STALL_SECONDS: &str = "20";

/// A download that is broken off is taken up again as often as it gets further.
const MOST_TURNS: usize = 20;

/// curl's codes: the address cannot be read from where the file ends (33, 36), or answers with an error (22), which
/// the range that was asked for may be the reason of.
const RESUME_REFUSED: [i32; 3] = [22, 33, 36];

/// Brings what `url` has into `part`, behind what is there of it already. The error is one line.
pub fn get(step: &mut Step, url: &str, part: &Path) -> Result<(), String> {
    let by_curl = ["http://", "https://", "file://"].iter().any(|scheme| url.starts_with(scheme)) && has_curl();
    if !by_curl {
        return get_by_apt(step, url, part);
    }
    for _ in 0..MOST_TURNS {
        let before = size(part);
        let status = step.status(&mut curl(url, part)).map_err(|error| format!("{error:#}"))?;
        if status.success() {
            return Ok(());
        }
        if size(part) > before {
            continue;
        }
        if before > 0 && status.code().is_some_and(|code| RESUME_REFUSED.contains(&code)) {
            let _ = std::fs::remove_file(part);
            continue;
        }
        return Err(complaint(step));
    }
    Err("it is broken off again and again".to_string())
}

/// Whether anything answers at `url` within seconds, whatever it says. Where there is no curl, nobody knows: it may.
pub fn answers(step: &mut Step, url: &str) -> Result<(), String> {
    if !has_curl() {
        return Ok(());
    }
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--head", "--output", "/dev/null", "--connect-timeout", "5"]);
    let status = step.status(command.args(["--max-time", "10"]).arg(url)).map_err(|error| format!("{error:#}"))?;
    if status.success() { Ok(()) } else { Err(complaint(step)) }
}

fn curl(url: &str, part: &Path) -> Command {
    let mut command = Command::new("curl");
    command.args(["--fail", "--location", "--silent", "--show-error", "--continue-at", "-"]);
    command.args(["--connect-timeout", CONNECT_SECONDS, "--speed-limit", "1000", "--speed-time", STALL_SECONDS]);
    if let Some(proxy) = apt::proxy(url) {
        command.args(["--proxy", &proxy]);
    }
    command.arg("--output").arg(part).arg(url);
    command
}

/// apt's own helper knows every kind of address that apt's configuration may name.
fn get_by_apt(step: &mut Step, url: &str, part: &Path) -> Result<(), String> {
    let mut helper = Command::new("/usr/lib/apt/apt-helper");
    match step.status(helper.arg("download-file").arg(url).arg(part)) {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(complaint(step)),
        Err(_) => Err("there is no curl to fetch it with".to_string()),
    }
}

fn has_curl() -> bool {
    let mut command = Command::new("curl");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The last line of what the tool said, without its name and code.
fn complaint(step: &Step) -> String {
    let line = step::tail(step.log(), 1);
    let text = line.trim().trim_start_matches("curl: ").trim_start_matches("E: ");
    match text.split_once(") ") {
        Some((code, text)) if code.starts_with('(') => text.to_string(),
        _ => text.to_string(),
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}
