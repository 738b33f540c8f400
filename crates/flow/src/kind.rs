//! What nodes there are.

/// A type of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    OnEvent,
    OnSchedule,
    Manual,
    Tool,
    Http,
    Email,
    Sql,
    Emit,
    Flow,
    Notify,
    /// A node of the business: its settings go to whoever handles its type.
    Business,
    Condition,
    Switch,
    Loop,
    Delay,
    Stop,
    Wait,
    Merge,
    Approval,
    SetVariable,
    Map,
    Filter,
    Aggregate,
    Generate,
    Classify,
    Extract,
    Agent,
    Unknown,
}

/// The handle of an edge that leaves by none, and of the only way out that most nodes have.
pub const MAIN: &str = "";
pub const ERROR: &str = "error";
pub const TIMEOUT: &str = "timeout";
pub const BODY: &str = "body";
pub const DONE: &str = "done";

const NAMES: [(&str, Kind); 27] = [
    ("trigger-event", Kind::OnEvent),
    ("trigger-schedule", Kind::OnSchedule),
    ("trigger-manual", Kind::Manual),
    ("trigger-ai-tool", Kind::Tool),
    ("action-http", Kind::Http),
    ("action-email", Kind::Email),
    ("action-sql", Kind::Sql),
    ("action-emit", Kind::Emit),
    ("action-flow", Kind::Flow),
    ("action-notify", Kind::Notify),
    ("action-delay", Kind::Delay),
    ("logic-condition", Kind::Condition),
    ("logic-switch", Kind::Switch),
    ("logic-loop", Kind::Loop),
    ("logic-delay", Kind::Delay),
    ("logic-stop", Kind::Stop),
    ("logic-wait", Kind::Wait),
    ("logic-merge", Kind::Merge),
    ("logic-approval", Kind::Approval),
    ("transform-set-variable", Kind::SetVariable),
    ("transform-map", Kind::Map),
    ("transform-filter", Kind::Filter),
    ("transform-aggregate", Kind::Aggregate),
    ("ai-generate", Kind::Generate),
    ("ai-classify", Kind::Classify),
    ("ai-extract", Kind::Extract),
    ("ai-agent", Kind::Agent),
];

/// Nodes of an editor that are there to be looked at.
const ORNAMENTS: [&str; 7] = ["group", "note", "sticky", "sticky-note", "stickyNote", "annotation", "comment"];

impl Kind {
    pub fn of(name: &str) -> Kind {
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, kind)) => *kind,
            None if name.strip_prefix("action-").is_some_and(|rest| !rest.is_empty()) => Kind::Business,
            None => Kind::Unknown,
        }
    }

    pub fn is_ornament(name: &str) -> bool {
        ORNAMENTS.contains(&name)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    pub fn is_trigger(self) -> bool {
        matches!(self, Kind::OnEvent | Kind::OnSchedule | Kind::Manual | Kind::Tool)
    }

    /// Whether it asks for something outside, and continues with what is answered.
    pub fn is_outside(self) -> bool {
        matches!(
            self,
            Kind::Http
                | Kind::Email
                | Kind::Sql
                | Kind::Flow
                | Kind::Notify
                | Kind::Business
                | Kind::Generate
                | Kind::Classify
                | Kind::Extract
                | Kind::Agent
        )
    }

    /// The ways out that every node of this kind has, besides `error`; edges of no handle leave by the first.
    pub fn handles(self) -> &'static [&'static str] {
        match self {
            Kind::Condition => &["true", "false"],
            Kind::Switch => &["default"],
            Kind::Loop => &[DONE, BODY],
            Kind::Wait => &[MAIN, TIMEOUT],
            Kind::Approval => &["approved", "rejected", TIMEOUT],
            _ => &[MAIN],
        }
    }

    /// Whether an edge must say by which way it leaves.
    pub fn must_choose(self) -> bool {
        matches!(self, Kind::Condition | Kind::Switch)
    }
}
