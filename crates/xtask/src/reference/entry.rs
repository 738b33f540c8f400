//! What the reference has an entry for.

use testbed::install::rooms::Room;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Function,
    View,
    Table,
}

#[derive(Debug)]
pub struct Entry {
    pub kind: Kind,
    pub name: String,
    /// Below its heading.
    pub text: String,
}

impl Entry {
    /// Where the room declares it; `None` when another room does.
    pub fn place(&self, room: &Room) -> Option<usize> {
        room.declares.iter().position(|declared| declared.name == self.name && self.kinds().contains(&declared.kind))
    }

    /// The words by which it may be declared.
    fn kinds(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Function => &["function", "procedure"],
            Kind::View => &["view"],
            Kind::Table => &["table"],
        }
    }

    /// Functions first, as they are declared; then what checks an argument, then what is read.
    pub fn rank(&self) -> u8 {
        match self.kind {
            Kind::Function if self.name.starts_with("check_") => 1,
            Kind::Function => 0,
            Kind::View => 2,
            Kind::Table => 3,
        }
    }

    pub fn heading(&self) -> String {
        match self.kind {
            Kind::Function => format!("### {}", self.name),
            Kind::View => format!("### {} (view)", self.name),
            Kind::Table => format!("### {} (table)", self.name),
        }
    }
}
