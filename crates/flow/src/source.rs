//! Texts with templates in them, taken apart: what stands as it is, and what is between delimiters.

use std::borrow::Cow;
use std::collections::HashMap;

/// Nodes by their ids.
pub type Ids = HashMap<String, u32>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Text(&'a str),
    /// `{{ … }}`, with its delimiters.
    Value(&'a str),
    /// `{% … %}` or `{# … #}`.
    Statement(&'a str),
}

/// Whether there is anything for a template to do.
pub fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}

/// As the template language divides a text: brackets and quotes inside a pair of delimiters are balanced.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|opening| rest.find(opening)).min() {
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        let code = &rest[at..];
        let end = match code.as_bytes()[1] {
            b'#' => code.find("#}").map_or(code.len(), |end| end + 2),
            b'{' => end(code, "}}"),
            _ => end(code, "%}"),
        };
        let (code, after) = code.split_at(end);
        parts.push(if code.starts_with("{{") { Part::Value(code) } else { Part::Statement(code) });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// The one expression that a text consists of.
pub fn only_value(text: &str) -> Option<&str> {
    match parts(text.trim()).as_slice() {
        [Part::Value(code)] => Some(code),
        _ => None,
    }
}

/// A dotted path that is all of a text, in delimiters or not: `trigger.new.score`, `{{ trigger.new.score }}`.
pub fn plain_path(text: &str) -> Option<&str> {
    let inner = only_value(text).map_or(text, |code| code.trim_start_matches("{{").trim_end_matches("}}"));
    let inner = inner.trim();
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    inner.split('.').all(is_name).then_some(inner)
}

fn end(code: &str, closing: &str) -> usize {
    let bytes = code.as_bytes();
    let (mut at, mut open, mut quote) = (2, 0_i32, None);
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(mark) if byte == mark => quote = None,
            Some(_) => {}
            None if open <= 0 && code[at..].starts_with(closing) => return at + 2,
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'(' | b'[' | b'{' => open += 1,
                b')' | b']' | b'}' => open -= 1,
                _ => {}
            },
        }
        at += 1;
        while at < bytes.len() && !code.is_char_boundary(at) {
            at += 1;
        }
    }
    code.len()
}

/// How a node's output is called in a template: `node.<alias>`. Ids need not be names: `http-1`, `7`.
pub fn alias(id: &str, number: u32) -> Cow<'_, str> {
    let mut characters = id.chars();
    let is_name = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name { id.into() } else { format!("__{number}").into() }
}

/// The code with `node.<id>` as `node.<alias>`, outside quotes. Where one id begins with another, the longer is meant.
pub fn aliased<'a>(code: &'a str, ids: &Ids) -> Cow<'a, str> {
    const NODE: &str = "node.";
    if !code.contains(NODE) {
        return code.into();
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut out = String::with_capacity(code.len());
    let (mut rest, mut quote, mut before) = (code, None, ' ');
    while let Some(next) = rest.chars().next() {
        let starts = quote.is_none() && rest.starts_with(NODE) && !(is_part(before) || before == '.');
        if starts {
            let after = &rest[NODE.len()..];
            let run = &after[..after.find(|c| !is_part(c)).unwrap_or(after.len())];
            let known = (1..=run.len()).rev().filter(|end| run.is_char_boundary(*end)).find_map(|end| {
                let whole = run[end..].chars().next().is_none_or(|c| c == '-');
                ids.get(&run[..end]).filter(|_| whole).map(|number| (end, *number))
            });
            if let Some((end, number)) = known {
                out.push_str(NODE);
                out.push_str(&alias(&run[..end], number));
                rest = &after[end..];
                before = 'x';
                continue;
            }
        }
        match quote {
            Some(_) if next == '\\' => {
                out.push(next);
                rest = &rest[1..];
                if let Some(escaped) = rest.chars().next() {
                    out.push(escaped);
                    rest = &rest[escaped.len_utf8()..];
                }
                continue;
            }
            Some(mark) if next == mark => quote = None,
            None if matches!(next, '"' | '\'') => quote = Some(next),
            _ => {}
        }
        out.push(next);
        before = next;
        rest = &rest[next.len_utf8()..];
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_divided_as_the_language_divides_it() {
        assert_eq!(parts("plain"), [Part::Text("plain")]);
        assert_eq!(
            parts("a {{ x }}{% if y %}b"),
            [Part::Text("a "), Part::Value("{{ x }}"), Part::Statement("{% if y %}"), Part::Text("b")]
        );
        assert_eq!(parts("{{ \"}}\" ~ 'é' }}"), [Part::Value("{{ \"}}\" ~ 'é' }}")]);
        assert_eq!(parts("{{ {\"a\": {\"b\": 1}} }}!"), [Part::Value("{{ {\"a\": {\"b\": 1}} }}"), Part::Text("!")]);
        assert_eq!(
            parts("{# note #}x{{ open"),
            [Part::Statement("{# note #}"), Part::Text("x"), Part::Value("{{ open")]
        );
    }

    #[test]
    fn only_values_and_plain_paths_are_told_apart() {
        assert_eq!(only_value(" {{ a }} "), Some("{{ a }}"));
        assert_eq!(only_value("{{ a }}{{ b }}"), None);
        assert_eq!(plain_path("{{ node.http-1.body }}"), Some("node.http-1.body"));
        assert_eq!(plain_path("trigger.new.score"), Some("trigger.new.score"));
        assert_eq!(plain_path("{{ a|upper }}"), None);
        assert_eq!(plain_path("two words"), None);
    }

    #[test]
    fn ids_that_are_no_names_get_one() {
        let ids = Ids::from([("http-1".into(), 3), ("http".into(), 4), ("7".into(), 5), ("plain_1".into(), 6)]);
        let cases = [
            ("{{ node.http-1.body }}", "{{ node.__3.body }}"),
            ("{{ node.http.body - 1 }}", "{{ node.http.body - 1 }}"),
            ("{{ node.http-2 }}", "{{ node.http-2 }}"),
            ("{{ node.7.x ~ node.plain_1 }}", "{{ node.__5.x ~ node.plain_1 }}"),
            ("{{ \"node.http-1\" ~ a.node.http-1 }}", "{{ \"node.http-1\" ~ a.node.http-1 }}"),
        ];
        for (code, expected) in cases {
            assert_eq!(aliased(code, &ids), expected);
        }
    }
}
