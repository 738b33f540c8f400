use minijinja::machinery::{Instruction, get_compiled_template};
use minijinja::{Environment, Error, ErrorKind, State};

use crate::TemplateError;
use crate::error::NameKind;

/// Finds the names that a rendering would stumble over, in whatever branch they stand: unknown filters, tests,
/// functions and methods. Names given as texts, such as in `map("upper")`, show only when they are used.
pub fn check(environment: &Environment<'static>, template: &minijinja::Template<'_, '_>) -> Result<(), TemplateError> {
    let instructions = &get_compiled_template(template).instructions;
    let mut state = environment.empty_state();
    for index in 0.. {
        let Some(instruction) = instructions.get(index) else {
            break;
        };
        if let Some((kind, name)) = unknown(environment, &mut state, instruction) {
            return Err(TemplateError::UnknownName {
                line: instructions.get_line(index).unwrap_or(1),
                kind,
                name: name.to_owned(),
            });
        }
    }
    Ok(())
}

fn unknown<'a>(
    environment: &Environment<'static>,
    state: &mut State<'_, '_>,
    instruction: &Instruction<'a>,
) -> Option<(NameKind, &'a str)> {
    let (kind, name, known) = match instruction {
        // There is no way to ask for a name but to use it; without arguments a known one complains about those.
        Instruction::ApplyFilter(name, _, _) => {
            let known = exists(state.apply_filter(&squeezed(name), &[]), ErrorKind::UnknownFilter);
            (NameKind::Filter, name, known)
        }
        Instruction::PerformTest(name, _, _) => {
            let known = exists(state.perform_test(&squeezed(name), &[]), ErrorKind::UnknownTest);
            (NameKind::Test, name, known)
        }
        Instruction::CallFunction(name, _) => {
            let known = *name == "loop" || environment.globals().any(|(global, _)| global == *name);
            (NameKind::Function, name, known)
        }
        // JSON values have no methods, loops have two; the library divides by the number of arguments of `cycle`.
        Instruction::CallMethod(name, arguments) => {
            let known = *name == "changed" || (*name == "cycle" && arguments.is_some_and(|count| count > 1));
            (NameKind::Method, name, known)
        }
        _ => return None,
    };
    (!known).then_some((kind, *name))
}

fn exists<T>(used: Result<T, Error>, unknown: ErrorKind) -> bool {
    !used.is_err_and(|error| error.kind() == unknown)
}

/// The language allows white space inside the names of filters and tests.
fn squeezed(name: &str) -> String {
    name.split_ascii_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use crate::environment::{FUEL, environment};
    use crate::filters::KNOWN;

    #[test]
    fn the_filters_the_hint_names_are_those_there_are() {
        let environment = environment(false, FUEL);
        let debug = format!("{environment:?}");
        let filters = debug.split("filters: ").nth(1).unwrap();
        let filters = &filters[..filters.find(']').or(filters.find('}')).unwrap()];
        let mut there: Vec<&str> = filters.split('"').skip(1).step_by(2).collect();
        there.retain(|name| !name.starts_with("__"));
        assert_eq!(there, KNOWN);
    }
}
