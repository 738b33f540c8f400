use crate::model::Model;

/// What the lines of a model are called, so that scoring makes no names: its own lines, then those of each rule, which for a
/// part are all the lines of that model.
#[derive(Debug, Default, PartialEq)]
pub struct Keys {
    pub names: Vec<String>,
    /// By rule: where its names begin.
    pub offsets: Vec<usize>,
    /// By name: its place in the order of jsonb, shorter names first, then by their bytes.
    pub ranks: Vec<usize>,
}

pub const BASE: usize = 0;
pub const CAP: usize = 1;
pub const FLOOR: usize = 2;
pub const DECAY: usize = 3;
pub const GROUPS: usize = 4;

impl Keys {
    /// `part`: the names of the model at a place.
    pub fn of(model: &Model, part: impl Fn(usize) -> Vec<String>) -> Keys {
        let mut names: Vec<String> = ["base", "cap", "floor", "decay"].map(String::from).into();
        names.extend(model.groups.iter().map(|(group, _)| format!("group.{group}")));
        let mut offsets = Vec::with_capacity(model.rules.len());
        for rule in &model.rules {
            offsets.push(names.len());
            match rule.part {
                Some(place) => names.extend(part(place).iter().map(|name| format!("{}.{name}", rule.name))),
                None => names.push(rule.name.clone()),
            }
        }
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|a, b| names[*a].len().cmp(&names[*b].len()).then_with(|| names[*a].cmp(&names[*b])));
        let mut ranks = vec![0; names.len()];
        for (rank, key) in order.into_iter().enumerate() {
            ranks[key] = rank;
        }
        Keys { names, offsets, ranks }
    }
}
