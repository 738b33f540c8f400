//! Rust source taken apart into code and string literals, line for line.

/// Two texts as long as the source: in `code` comments and the contents of strings are blanks, in `strings` all but
/// the contents of strings is.
pub struct RustText {
    pub code: String,
    pub strings: String,
}

impl RustText {
    pub fn parse(source: &str) -> RustText {
        let chars: Vec<char> = source.chars().collect();
        let mut kinds = vec![Kind::Code; chars.len()];
        let mut at = 0;
        while at < chars.len() {
            at = step(&chars, &mut kinds, at);
        }
        let only = |kept: Kind| {
            let pairs = chars.iter().zip(&kinds);
            pairs.map(|(c, kind)| if *kind == kept || *c == '\n' { *c } else { ' ' }).collect()
        };
        RustText { code: only(Kind::Code), strings: only(Kind::String) }
    }

    /// Blanks what stands under `#[cfg(test)]`, attribute and body.
    pub fn without_tests(mut self) -> RustText {
        while let Some((start, end)) = test_item(&self.code) {
            for text in [&mut self.code, &mut self.strings] {
                *text = blank(text, start, end);
            }
        }
        self
    }
}

/// The line, from 1, of a position in bytes.
pub fn line_of(text: &str, position: usize) -> usize {
    text.as_bytes()[..position].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Where `word` stands by itself, not as a part of a longer name.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

pub fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    String,
    Comment,
}

/// Marks what begins at `at` and returns where it ends.
fn step(chars: &[char], kinds: &mut [Kind], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => {
            let end = (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len());
            fill(kinds, at, end, Kind::Comment)
        }
        '/' if next == Some('*') => fill(kinds, at, block_comment_end(chars, at), Kind::Comment),
        '"' => {
            let end = string_end(chars, at + 1);
            fill(kinds, at + 1, end, Kind::String) + 1
        }
        'r' if !(at > 0 && is_name(chars[at - 1]) && !matches!(chars[at - 1], 'b' | 'c')) => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            let open = at + 1 + hashes;
            if chars.get(open) != Some(&'"') {
                return at + 1;
            }
            let end = raw_string_end(chars, open + 1, hashes);
            fill(kinds, open + 1, end, Kind::String) + 1 + hashes
        }
        '\'' => char_literal_end(chars, at).map_or(at + 1, |end| fill(kinds, at, end, Kind::String)),
        _ => at + 1,
    }
}

fn fill(kinds: &mut [Kind], start: usize, end: usize, kind: Kind) -> usize {
    let end = end.min(kinds.len());
    kinds[start.min(end)..end].fill(kind);
    end
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at
}

fn raw_string_end(chars: &[char], start: usize, hashes: usize) -> usize {
    let closes =
        |at: &usize| chars[*at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (start..chars.len()).find(closes).unwrap_or(chars.len())
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime.
fn char_literal_end(chars: &[char], start: usize) -> Option<usize> {
    if chars.get(start + 1) == Some(&'\\') {
        return (start + 3..chars.len()).find(|at| chars[*at] == '\'').map(|at| at + 1);
    }
    (chars.get(start + 2) == Some(&'\'')).then_some(start + 3)
}

/// The first item under a `#[cfg(…test…)]`, from the attribute to the closing brace (or the semicolon).
fn test_item(code: &str) -> Option<(usize, usize)> {
    let start = code.match_indices("#[cfg(").map(|(at, _)| at).find(|at| {
        let attribute = &code[*at..code[*at..].find(']').map_or(code.len(), |end| at + end)];
        words(attribute, "test").next().is_some() && !attribute.contains("not(")
    })?;
    let mut depth = 0;
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some((start, start + offset + 1)),
            '}' => depth -= 1,
            ';' if depth == 0 => return Some((start, start + offset + 1)),
            _ => {}
        }
    }
    Some((start, code.len()))
}

/// The two texts differ in the bytes of their characters, so positions count characters, not bytes.
fn blank(text: &str, start: usize, end: usize) -> String {
    text.char_indices().map(|(at, c)| if at >= start && at < end && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_no_code() {
        let source = "let a = \"x\\\" unsafe\"; // unsafe\n/* a /* b */ unsafe */ r#\"un\"safe\"# 'u' &'a b'\\n'";
        let text = RustText::parse(source);
        assert!(!text.code.contains("unsafe"), "{}", text.code);
        assert!(text.strings.contains("x\\\" unsafe"));
        assert!(text.strings.contains("un\"safe"));
        assert!(text.code.contains("&'a b"));
    }

    #[test]
    fn tests_are_left_out() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { if x {} } }\nfn c() {}";
        let code = RustText::parse(source).without_tests().code;
        assert!(code.contains("fn a") && code.contains("fn c") && !code.contains("fn b"));
        assert_eq!(code.lines().count(), 4);
    }

    #[test]
    fn a_word_is_not_a_part_of_a_name() {
        assert_eq!(words("unsafe_code unsafe my_unsafe", "unsafe").collect::<Vec<_>>(), [12]);
    }
}
