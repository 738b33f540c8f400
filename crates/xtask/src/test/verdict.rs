//! What became of a suite.

pub enum Verdict {
    Passed(String),
    Failed(String),
    Skipped(String),
}

impl Verdict {
    pub fn passed(closing: impl Into<String>) -> Verdict {
        Verdict::Passed(closing.into())
    }

    pub fn failed(closing: impl Into<String>) -> Verdict {
        Verdict::Failed(closing.into())
    }

    pub fn of(success: bool, closing: impl Into<String>) -> Verdict {
        if success { Verdict::passed(closing) } else { Verdict::failed(closing) }
    }

    pub fn is_failure(&self) -> bool {
        matches!(self, Verdict::Failed(_))
    }

    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed(_) => "passed",
            Verdict::Failed(_) => "FAILED",
            Verdict::Skipped(_) => "skipped",
        }
    }

    /// The lines the suite ended with.
    pub fn closing(&self) -> &str {
        match self {
            Verdict::Passed(text) | Verdict::Failed(text) | Verdict::Skipped(text) => text,
        }
    }

    pub fn last_line(&self) -> &str {
        self.closing().lines().last().unwrap_or_default()
    }
}
