//! What Linux says about a process.

use anyhow::{Context, Result};

/// Clock ticks spent by all threads, user and system; a tick is 10 ms.
pub fn ticks(pid: u32) -> Result<u64> {
    let stat = read(pid, "stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).context("stat");
    Ok(field(11)? + field(12)?)
}

/// Nanoseconds on a processor, all threads.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        sum += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(sum)
}

/// Nanoseconds on a processor of its main thread, and of its threads of this name.
pub fn threads_ns(pid: u32, name: &str) -> Result<(u64, u64)> {
    let (mut main, mut named) = (0, 0);
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let ns = text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
        let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if task.file_name().to_string_lossy() == pid.to_string() {
            main += ns;
        } else if comm.trim() == name {
            named += ns;
        }
    }
    Ok((main, named))
}

/// How many sockets it has open.
pub fn sockets(pid: u32) -> Result<usize> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    Ok(targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count())
}

/// A line of `/proc/PID/status` in MB, such as `VmHWM` or `RssAnon`.
pub fn megabytes(pid: u32, name: &str) -> Result<f64> {
    let status = read(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kilobytes.with_context(|| format!("no {name} of process {pid}"))? / 1024.0)
}

fn read(pid: u32, file: &str) -> Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("process {pid} is gone"))
}
