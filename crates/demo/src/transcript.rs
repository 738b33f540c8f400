//! What the demo prints: coloured on a terminal unless `NO_COLOR` is set, plain elsewhere.

use std::io::IsTerminal;

pub struct Transcript {
    colours: bool,
}

#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Dim,
    Cyan,
    Green,
    Yellow,
}

impl Transcript {
    pub fn to_stdout() -> Transcript {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Transcript { colours: wanted && std::io::stdout().is_terminal() }
    }

    pub fn title(&self, number: usize, title: &str) {
        println!("\n{}", self.paint(Colour::Bold, &format!("{number}. {title}")));
    }

    pub fn heading(&self, title: &str) {
        println!("\n{}", self.paint(Colour::Bold, title));
    }

    /// An explanation, broken into lines.
    pub fn about(&self, text: &str) {
        for line in wrapped(text, 96) {
            println!("{}", self.paint(Colour::Dim, &line));
        }
    }

    /// The statement that is run now.
    pub fn sql(&self, sql: &str) {
        println!();
        for (number, line) in sql.lines().enumerate() {
            let prompt = if number == 0 { "=#" } else { "-#" };
            println!("  {} {}", self.paint(Colour::Dim, prompt), self.paint(Colour::Cyan, line));
        }
    }

    /// What psql printed.
    pub fn output(&self, text: &str) {
        for line in text.lines() {
            println!("     {line}");
        }
    }

    /// A request as the receiver got it.
    pub fn arrival(&self, lines: &[String]) {
        for (number, line) in lines.iter().enumerate() {
            let arrow = if number == 0 { "<-" } else { "  " };
            println!("  {} {}", self.paint(Colour::Yellow, arrow), self.paint(Colour::Yellow, line));
        }
    }

    /// What is done beside SQL: a process started, one killed.
    pub fn action(&self, text: &str) {
        println!("\n  {}", self.paint(Colour::Yellow, &format!("** {text}")));
    }

    /// A promise that was kept.
    pub fn kept(&self, text: &str) {
        println!("  {} {text}", self.paint(Colour::Green, "ok"));
    }

    pub fn number(&self, name: &str, value: &str) {
        println!("  {name:<44} {}", self.paint(Colour::Bold, value));
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Bold => "1",
            Colour::Dim => "2",
            Colour::Cyan => "36",
            Colour::Green => "1;32",
            Colour::Yellow => "33",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("immovable", 3), ["immovable"]);
    }

    #[test]
    fn without_colours_there_are_no_escapes() {
        let plain = Transcript { colours: false };
        assert_eq!(plain.paint(Colour::Bold, "a"), "a");
        assert_eq!(Transcript { colours: true }.paint(Colour::Bold, "a"), "\x1b[1ma\x1b[0m");
    }
}
