use serde::{Deserialize, Serialize};

/// What a run may take. The defaults suit a server that many share; whoever owns it may set others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Steps of a run in all, iterations of loops included.
    pub steps: u32,
    /// Steps in one call; what remains is done in the next ([`Action::Continue`](crate::Action::Continue)).
    pub steps_at_once: u32,
    /// Bytes of one output, as JSON; a larger one is cut, with a mark.
    pub output_bytes: usize,
    /// Bytes of all outputs, variables and items of a run together.
    pub run_bytes: usize,
    /// Items that a loop, a map, a filter or an aggregate takes at most, whatever the node says.
    pub items: u32,
    /// Iterations of one loop that may be under way at once.
    pub parallelism: u32,
    /// Retries of one node.
    pub retries: u32,
    /// Seconds that an HTTP node waits for its answer at most.
    pub http_seconds: u32,
    /// Tokens that a model may answer with.
    pub tokens: u32,
    /// Turns of an agent.
    pub turns: u32,
    /// Days that a delay, a wait or an approval lasts at most.
    pub days: u32,
    /// Seconds after which an effect without an answer counts as failed.
    pub answer_seconds: u32,
}

impl Limits {
    /// Nodes of a graph; more are refused.
    pub const NODES: usize = 10_000;
    /// Edges of a graph; more are refused.
    pub const EDGES: usize = 50_000;
    /// Loops inside one another.
    pub const DEPTH: usize = 8;
    /// Objects and arrays inside one another, in anything that a run keeps.
    pub(crate) const NESTING: usize = 64;
    /// Bytes of one node's settings once their templates are filled in.
    pub(crate) const SETTINGS_BYTES: usize = 1 << 20;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps: 20_000,
            steps_at_once: 2_000,
            output_bytes: 256 << 10,
            run_bytes: 4 << 20,
            items: 1_000,
            parallelism: 20,
            retries: 3,
            http_seconds: 30,
            tokens: 4_096,
            turns: 20,
            days: 366,
            answer_seconds: 86_400,
        }
    }
}
