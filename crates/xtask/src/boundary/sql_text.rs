//! SQL source cut into statements.

/// One statement: as written, and with comments and the contents of quotes blanked.
pub struct Statement {
    pub code: String,
    /// Where it begins, from 1.
    pub line: usize,
}

/// Cuts at semicolons outside of quotes, comments, parentheses and `begin atomic … end`.
pub fn statements(source: &str) -> Vec<Statement> {
    let code = blanked(source);
    let mut statements = Vec::new();
    let mut start = 0;
    for (at, _) in code.match_indices(';') {
        if is_inside_body(&code[start..at]) {
            continue;
        }
        push(&mut statements, &code, start, at);
        start = at + 1;
    }
    push(&mut statements, &code, start, code.len());
    statements
}

fn push(statements: &mut Vec<Statement>, code: &str, start: usize, end: usize) {
    let text = code[start..end].trim();
    if !text.is_empty() {
        let begins = start + (code[start..end].len() - code[start..end].trim_start().len());
        let line = code[..begins].matches('\n').count() + 1;
        let words: Vec<&str> = text.split_whitespace().collect();
        statements.push(Statement { code: words.join(" ").to_lowercase(), line });
    }
}

/// Whether a `begin atomic` is open: as many `begin`s and `case`s as `end`s close it.
fn is_inside_body(code: &str) -> bool {
    let words: Vec<String> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_lowercase).collect();
    let Some(atomic) = words.windows(2).position(|pair| pair[0] == "begin" && pair[1] == "atomic") else {
        return false;
    };
    let mut open = 0;
    for word in &words[atomic..] {
        match word.as_str() {
            "begin" | "case" => open += 1,
            "end" => open -= 1,
            _ => {}
        }
    }
    open > 0
}

/// Comments become blanks, and so does what stands in quotes; the quotes stay, `$tag$…$tag$` becomes `$$…$$`.
fn blanked(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        let end = if rest.starts_with("--") {
            blank(&mut out, at, at + rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            blank(&mut out, at, at + rest.find("*/").map_or(rest.len(), |end| end + 2))
        } else if let Some(text) = rest.strip_prefix('\'') {
            let end = at + 1 + text.find('\'').unwrap_or(text.len());
            blank(&mut out, at + 1, end) + 1
        } else if let Some(tag) = dollar_tag(source, at) {
            let body = at + tag.len();
            let end = source[body..].find(tag).map_or(bytes.len(), |end| body + end);
            blank(&mut out, body, end) + tag.len()
        } else {
            at + rest.chars().next().map_or(1, char::len_utf8)
        };
        at = end.min(bytes.len());
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn blank(out: &mut [u8], start: usize, end: usize) -> usize {
    for byte in &mut out[start..end] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
    end
}

fn dollar_tag(source: &str, at: usize) -> Option<&str> {
    let rest = source[at..].strip_prefix('$')?;
    let end = rest.find('$')?;
    let is_tag =
        rest[..end].chars().all(|c| c.is_alphanumeric() || c == '_') && !rest.starts_with(|c: char| c.is_ascii_digit());
    let is_name = source[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
    (is_tag && !is_name).then(|| &source[at..at + end + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_outside_of_bodies_and_quotes() {
        let source = "-- a; b\ncreate function f() begin atomic select case when a then 1 end; end;\n\
                      do $x$ a; b; $x$;\nselect 'a;b' || $1;\n";
        let found = statements(source);
        assert_eq!(found.iter().map(|s| s.line).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(found[1].code, "do $x$ $x$");
    }
}
