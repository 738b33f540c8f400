//! What a bench may be told.

use anyhow::{Result, bail};

#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Fewer rows and less time: to see that it works, not to measure.
    #[arg(long)]
    pub quick: bool,
    /// Only this row of the table (crm, delivery); may be given several times.
    #[arg(long, value_name = "ROW")]
    pub only: Vec<String>,
    /// How many documents are searched (knowledge).
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub rows: u64,
}

impl Options {
    /// Whether the row of this name is asked for.
    pub fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == row)
    }

    /// An error when a row is asked for that is not among `known`.
    pub fn check_rows(&self, known: &[&str]) -> Result<()> {
        match self.only.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => bail!("there is no row {name}; there is: {}", known.join(", ")),
            None => Ok(()),
        }
    }

    /// The words of the command line that lead to these.
    pub fn words(&self) -> String {
        let quick = self.quick.then(|| " --quick".to_string());
        quick.into_iter().chain(self.only.iter().map(|row| format!(" --only {row}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_not_known_is_an_error() {
        let options = Options { quick: true, only: vec!["bulk".to_string()], rows: 1 };
        assert!(options.wants("bulk") && !options.wants("idle"));
        assert!(options.check_rows(&["bulk", "idle"]).is_ok());
        assert_eq!(options.check_rows(&["idle"]).unwrap_err().to_string(), "there is no row bulk; there is: idle");
        assert_eq!(options.words(), " --quick --only bulk");
    }
}
