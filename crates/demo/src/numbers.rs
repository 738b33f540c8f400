//! What the demo has measured.

use std::time::Duration;

use super::transcript::Transcript;

#[derive(Default)]
pub struct Numbers {
    rows: Vec<(&'static str, String)>,
}

impl Numbers {
    pub fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.rows.push((name, value.into()));
    }

    pub fn show(&self, out: &Transcript, took: Duration) {
        out.heading("The numbers");
        for (name, value) in &self.rows {
            out.number(name, value);
        }
        out.number("the demo took", &format!("{:.1} s", took.as_secs_f32()));
    }
}

/// `12,345`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 12345, 1234567].map(grouped), ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
