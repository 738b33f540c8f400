//! A Markdown table.

/// Rows under a heading, each column as wide as its widest cell.
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(heading: &[&str]) -> Table {
        Table { heading: heading.iter().map(|cell| cell.to_string()).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|cell| cell.to_string()).collect());
    }

    pub fn print(&self) {
        print!("{}", self.text());
    }

    fn text(&self) -> String {
        let all = || std::iter::once(&self.heading).chain(&self.rows);
        let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.heading.len()).map(|column| width(column).unwrap_or(0).max(3)).collect();
        let line = |row: &Vec<String>| {
            let cells = widths.iter().zip(row).map(|(width, cell)| format!("{cell:<width$}"));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let mut text = line(&self.heading) + &line(&rule);
        text.extend(self.rows.iter().map(line));
        text
    }
}

/// `50123.7` as `50,124`.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{}{}", if number < 0.0 { "-" } else { "" }, groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let mut table = Table::new(&["what", "per second"]);
        table.row(&["delivery", &thousands(50123.7)]);
        assert_eq!(table.text(), "| what     | per second |\n| -------- | ---------- |\n| delivery | 50,124     |\n");
        assert_eq!((thousands(7.0), thousands(-1234567.0)), ("7".to_string(), "-1,234,567".to_string()));
    }
}
