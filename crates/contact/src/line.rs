use std::borrow::Cow;

/// One line of text: control characters and line breaks are spaces, runs of white space one space, none at the ends.
/// Letters of every script, emoji and the marks that join them or say their direction stay.
/// `None` when nothing is left; borrowed when there was nothing to do.
pub fn clean_line(text: &str) -> Option<Cow<'_, str>> {
    let trimmed = text.trim_matches(is_blank);
    if trimmed.is_empty() {
        return None;
    }
    if !needs_work(trimmed) {
        return Some(Cow::Borrowed(trimmed));
    }
    let mut line = String::with_capacity(trimmed.len());
    for word in trimmed.split(is_blank).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    Some(Cow::Owned(line))
}

fn needs_work(text: &str) -> bool {
    let mut after_space = false;
    text.chars().any(|c| {
        let space = c == ' ';
        let work = space && after_space || !space && is_blank(c);
        after_space = space;
        work
    })
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}
