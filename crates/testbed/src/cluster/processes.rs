//! The processes of a server.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::cache;

/// Whether a process runs. One that is dead but not reaped does not.
pub fn is_alive(pid: u32) -> bool {
    let Some(pid) = to_pid(pid) else { return false };
    match test_kill_process(pid) {
        Ok(()) | Err(rustix::io::Errno::PERM) => !is_zombie(pid),
        Err(_) => false,
    }
}

/// Whether a process runs and is a server's: the number in an old pid file may be anyone's after a reboot.
pub fn is_server(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    is_alive(pid) && name.map_or(true, |name| name.starts_with("postgres"))
}

/// Kills a server and its children with SIGKILL and waits until they are gone. The server is halted first, so that it
/// starts no child between the look at its children and its end.
pub fn kill_tree(server: u32) -> Result<()> {
    signal(server, Signal::STOP);
    let mut pids = vec![server];
    pids.extend(children(server));
    for pid in &pids {
        signal(*pid, Signal::KILL);
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(|pid| is_alive(*pid)) {
        if Instant::now() > deadline {
            bail!("some of the processes {pids:?} survive SIGKILL");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Ends the server that an earlier run of ours left in `dir`, if any, and removes the directory.
pub fn sweep(dir: &Path) {
    let pid_file = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
    let mut lines = pid_file.lines();
    let pid = lines.next().and_then(|line| line.trim().parse().ok());
    let is_ours = lines.next().is_some_and(|data_dir| Path::new(data_dir) == dir.join("data"));
    if let Some(pid) = pid.filter(|pid| is_ours && is_server(*pid)) {
        let _ = kill_tree(pid);
    }
    let _ = cache::remove(dir);
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// From `/proc` where there is one (small images have no `ps`), else from `ps`.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return children_by_ps(parent) };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| parent_of(*pid) == Some(parent)).collect()
}

fn children_by_ps(parent: u32) -> Vec<u32> {
    let Ok(output) = Command::new("ps").args(["-axo", "pid=,ppid="]).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?.parse().ok()?, fields.next()?.parse::<u32>().ok()?))
    });
    pairs.filter(|(_, ppid)| *ppid == parent).map(|(pid, _)| pid).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    stat(pid)?.split_whitespace().nth(1)?.parse().ok()
}

fn is_zombie(pid: Pid) -> bool {
    let state = stat(pid.as_raw_nonzero().get() as u32);
    state.is_some_and(|fields| fields.trim_start().starts_with(['Z', 'X']))
}

/// What stands behind the command's name in `/proc/<pid>/stat`: state, parent, …
fn stat(pid: u32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.to_string())
}

fn to_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
