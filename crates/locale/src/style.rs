/// How much of a moment is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Friday, November 13, 2026 at 10:00 AM
    Full,
    /// Friday, November 13, 2026
    Date,
    /// 10:00 AM
    Time,
    /// 11/13/26, 10:00 AM
    Short,
}

impl Style {
    pub const NAMES: &str = "full, date, time, short";

    pub fn parse(name: &str) -> Option<Style> {
        Some(match name {
            "full" => Style::Full,
            "date" => Style::Date,
            "time" => Style::Time,
            "short" => Style::Short,
            _ => return None,
        })
    }
}
