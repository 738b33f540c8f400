use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use crate::filters::IN_STRING;

/// Whether a template makes JSON: after white space its source starts with `[`, or with `{` that is followed by
/// white space, `"` or `}`. `{{`, `{%` and `{#` are the template's own.
pub fn is_json(source: &str) -> bool {
    let mut characters = source.trim_start().chars();
    match characters.next() {
        Some('[') => true,
        Some('{') => matches!(characters.next(), Some(next) if next.is_whitespace() || matches!(next, '"' | '}')),
        _ => false,
    }
}

/// The source with every expression that stands inside a JSON string, as in `{"text": "Dear {{ name }}"}`, filtered
/// so that it adds to that string; escaping it like the others would put quotes into the quotes.
///
/// Branches are read one after the other, so quotes must be balanced in each.
pub fn inside_strings(source: &str) -> String {
    let mut result = String::with_capacity(source.len());
    let mut copied = 0;
    let mut in_string = false;
    // What does not tokenize has been refused already.
    for (token, span) in tokenize(source, false, SyntaxConfig::default()).map_while(Result::ok) {
        let (at, inserted) = match token {
            Token::TemplateData(text) => {
                in_string = ends_in_string(text, in_string);
                continue;
            }
            Token::VariableStart if in_string => (span.end_offset as usize, "(".to_owned()),
            Token::VariableEnd if in_string => (span.start_offset as usize, format!(")|{IN_STRING}")),
            _ => continue,
        };
        result.push_str(&source[copied..at]);
        result.push_str(&inserted);
        copied = at;
    }
    result.push_str(&source[copied..]);
    result
}

fn ends_in_string(text: &str, starts_in_string: bool) -> bool {
    let mut in_string = starts_in_string;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    in_string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_first_characters() {
        for source in ["{\"a\": 1}", "  \n{ \"a\": 1}", "{\n}", "{}", "[{{ a }}]", "[]"] {
            assert!(is_json(source), "{source}");
        }
        for source in ["", "{", "{{ a }}", "{% if a %}{}{% endif %}", "{# note #} {}", "Dear {{ a }}", "{a}"] {
            assert!(!is_json(source), "{source}");
        }
    }

    #[test]
    fn expressions_inside_strings_are_filtered() {
        let cases = [
            (r#"{"a": {{ a }}}"#, r#"{"a": {{ a }}}"#),
            (r#"{"a": "x {{ a }}"}"#, r#"{"a": "x {{( a )|__in_string}}"}"#),
            (r#"{"a": "\"{{- "}}" -}}\\", "b": {{ b }}}"#, r#"{"a": "\"{{-( "}}" )|__in_string-}}\\", "b": {{ b }}}"#),
            (
                r#"{"{{ k }}": {% if b %}"{{ b }}"{% else %}{{ c }}{% endif %}}"#,
                r#"{"{{( k )|__in_string}}": {% if b %}"{{( b )|__in_string}}"{% else %}{{ c }}{% endif %}}"#,
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(inside_strings(source), expected);
        }
    }
}
