//! What a server's log must never say.

/// The lines that tell of a crash: a failed assertion, a panic, a process ended by a signal. One that was killed
/// (signal 9) is the work of whoever tests crashes.
pub fn crashes(log: &str) -> Vec<String> {
    let is_crash = |line: &&str| {
        let signal = line.split_once("was terminated by signal ").map(|(_, rest)| rest);
        line.contains("TRAP: ")
            || line.contains("PANIC:  ")
            || signal.is_some_and(|rest| !rest.starts_with("9:") && !rest.starts_with("15:"))
    };
    log.lines().filter(is_crash).map(str::to_string).collect()
}

/// The internal errors that code of ours has raised or let through: their messages, each once. The log must have been
/// written with `log_error_verbosity = verbose` and lines that begin with a date.
pub fn internal_errors(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for report in reports(log) {
        let Some((_, message)) = report[0].split_once("ERROR:  XX000: ") else { continue };
        // What the statement itself names does not say who failed.
        let told = report.iter().take_while(|line| !line.contains("STATEMENT:  "));
        let ours = told.map(|line| line.trim_start()).any(|line| {
            (line.contains("LOCATION:  ") && line.contains(".rs:"))
                || ["function frontdesk", "function crm", "frontdesk_internal"].iter().any(|name| line.contains(name))
        });
        let message = message.to_string();
        if ours && !found.iter().any(|other| other.split('\n').next() == Some(&message)) {
            let context = report.iter().skip(1).take(12).map(|line| format!("\n    {}", line.trim()));
            found.push(message.clone() + &context.collect::<String>());
        }
    }
    found
}

/// A report is an `ERROR:` line and the lines that belong to it.
fn reports(log: &str) -> Vec<Vec<&str>> {
    const WORDS: [&str; 7] = ["ERROR:  ", "LOG:  ", "FATAL:  ", "WARNING:  ", "NOTICE:  ", "INFO:  ", "PANIC:  "];
    let mut reports: Vec<Vec<&str>> = Vec::new();
    for line in log.lines() {
        if WORDS.iter().any(|word| line.contains(word)) || reports.is_empty() {
            reports.push(Vec::new());
        }
        if let Some(report) = reports.last_mut() {
            report.push(line);
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_told_from_a_process_that_was_killed() {
        let log = "LOG:  server process (PID 1) was terminated by signal 9: Killed\n\
                   LOG:  server process (PID 2) was terminated by signal 11: Segmentation fault\n\
                   TRAP: failed Assert(\"x\"), File: \"y.c\", Line: 1, PID: 3\n";
        assert_eq!(crashes(log).len(), 2);
    }

    #[test]
    fn an_internal_error_is_ours_by_where_it_was_raised_or_by_what_called() {
        let log = "2026 ERROR:  XX000: cache lookup failed\n2026 LOCATION:  f, a.c:1\n\
                   2026 STATEMENT:  select 'function frontdesk'\n\
                   2026 ERROR:  XX000: no such step\n2026 LOCATION:  step.rs:7\n\
                   2026 ERROR:  XX000: deep\n\tPL/pgSQL function frontdesk.watch(regclass) line 3\n\
                   2026 ERROR:  XX000: no such step\n2026 LOCATION:  step.rs:7\n";
        let found = internal_errors(log);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].starts_with("no such step\n") && found[1].starts_with("deep\n"), "{found:#?}");
    }
}
