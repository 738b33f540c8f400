//! `docs/reference.md` says what the catalog says.

use anyhow::Result;

use super::{Plan, verdict::Verdict};
use crate::reference;

pub fn run(plan: &Plan) -> Result<Verdict> {
    let wanted = reference::text(plan.postgres()?, &plan.root)?;
    let path = reference::path(&plan.root);
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if plan.accept && there != wanted {
        std::fs::write(&path, &wanted)?;
    } else if there != wanted {
        println!("{}", first_difference(&there, &wanted));
        return Ok(Verdict::failed("docs/reference.md is not what the catalog says; cargo xtask reference writes it"));
    }
    let functions = wanted.lines().filter(|line| line.starts_with("frontdesk.")).count();
    Ok(Verdict::passed(format!("{functions} functions, as the catalog says")))
}

fn first_difference(there: &str, wanted: &str) -> String {
    let (there, wanted): (Vec<&str>, Vec<&str>) = (there.lines().collect(), wanted.lines().collect());
    let same = there.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
    let line = |lines: &[&str]| lines.get(same).map_or("(the end)".to_string(), |line| line.to_string());
    format!("docs/reference.md, line {}\n- {}\n+ {}", same + 1, line(&there), line(&wanted))
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "docs/reference.md, line 2\n- b\n+ c");
        assert_eq!(first_difference("a\n", "a\nc\n"), "docs/reference.md, line 2\n- (the end)\n+ c");
    }
}
