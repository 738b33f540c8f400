//! The rows of the table.

use crate::table::thousands;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    /// Stands beside another figure; nothing is asked of it.
    Beside,
    /// Not measured in this run: the peer is not offered by the server.
    Quoted,
}

pub struct Row {
    what: String,
    figure: String,
    share: String,
    ratio: String,
    threshold: String,
    verdict: Verdict,
}

impl Row {
    pub fn new(what: impl Into<String>, figure: impl Into<String>) -> Row {
        let empty = String::new();
        Row {
            what: what.into(),
            figure: figure.into(),
            share: empty.clone(),
            ratio: empty.clone(),
            threshold: empty,
            verdict: Verdict::Beside,
        }
    }

    pub fn quoted(what: &str, figure: &str) -> Row {
        Row { verdict: Verdict::Quoted, ..Row::new(what, figure) }
    }

    /// A measurement that came to no end.
    pub fn broken(name: &str, error: &anyhow::Error) -> Row {
        let error = format!("{error:#}").replace(['\n', '|'], " ");
        Row { verdict: Verdict::Fail, ..Row::new(name, error) }
    }

    /// Of what the courier does alone in this run.
    pub fn share(self, share: f64) -> Row {
        Row { share: format!("{share:.2}"), ..self }
    }

    pub fn ratio(self, ratio: f64) -> Row {
        Row { ratio: format!("{ratio:.2}"), ..self }
    }

    /// What is asked, and whether it holds.
    pub fn asked(self, threshold: &str, holds: bool) -> Row {
        let verdict = if holds { Verdict::Pass } else { Verdict::Fail };
        Row { threshold: threshold.to_string(), verdict, ..self }
    }

    pub fn failed(&self) -> bool {
        self.verdict == Verdict::Fail
    }

    pub fn cells(&self) -> [&str; 6] {
        let verdict = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Beside => "",
            Verdict::Quoted => "quoted",
        };
        [&self.what, &self.figure, &self.share, &self.ratio, &self.threshold, verdict]
    }

    pub fn line(&self) -> String {
        self.cells().join(" | ")
    }
}

pub fn per_second(rate: f64) -> String {
    format!("{}/s", thousands(rate))
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

/// The median of the ratios of the rounds: what slows one side of a round slows the other.
pub fn ratio(ours: &[f64], others: &[f64]) -> f64 {
    median(&ours.iter().zip(others).map(|(ours, other)| ours / other).collect::<Vec<_>>())
}

/// `2 cores, 23 GB`.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    let memory = kilobytes.map(|kilobytes| format!(", {:.0} GB", kilobytes / 1_048_576.0)).unwrap_or_default();
    format!("{cores} cores{memory}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_row_says_what_is_asked_and_whether_it_holds() {
        let row = Row::new("backlog", per_second(60_123.4)).share(0.8).ratio(1.2).asked("≥ 50,000/s", true);
        assert_eq!(row.cells(), ["backlog", "60,123/s", "0.80", "1.20", "≥ 50,000/s", "pass"]);
        assert!(Row::new("a", "b").asked("≥ 1", false).failed());
        assert!(!Row::quoted("a", "b").failed());
    }
}
