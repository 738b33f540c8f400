//! A template, written anew so that nothing in it works with a value that was not counted: what takes a value in takes it
//! through one of the filters below. The library bounds steps, not sizes.

mod expression;

use minijinja::machinery::ast::{Expr, Stmt};

/// Counts what it is given.
pub const WEIGH: &str = "__weigh";
/// The same; a decimal becomes the number that one can calculate with.
pub const NUMBER: &str = "__number";
/// The same for what is taken apart into characters or items.
pub const APART: &str = "__apart";
/// Counts a text of which a part is taken.
pub const WHOLE: &str = "__whole";
/// `*`: what it makes is counted before it is made.
pub const TIMES: &str = "__times";

#[derive(Default)]
pub struct Guarded {
    pub source: String,
    /// The longest text that stands outside of delimiters, when output is captured in the template.
    pub longest_captured: usize,
    line: usize,
    captures: bool,
    longest: usize,
}

/// The same template with guards. Lines stay where they are, for errors.
pub fn guarded(template: &Stmt<'_>) -> Guarded {
    let mut guarded = Guarded { line: 1, ..Guarded::default() };
    guarded.statement(template);
    // The library drops a line break at the end, which was dropped already.
    guarded.put("{# #}");
    guarded.longest_captured = if guarded.captures { guarded.longest } else { 0 };
    guarded
}

impl Guarded {
    fn put(&mut self, text: &str) {
        self.line += text.bytes().filter(|byte| *byte == b'\n').count();
        self.source.push_str(text);
    }

    fn open(&mut self, delimiter: &str, line: u16) {
        self.put(delimiter);
        while self.line < usize::from(line) {
            self.put("\n");
        }
        self.put(" ");
    }

    fn statements(&mut self, statements: &[Stmt<'_>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => {
                self.open("{{", emit.span().start_line);
                self.expression(&emit.expr);
                self.put(" }}");
            }
            Stmt::EmitRaw(raw) => self.raw(raw.raw),
            Stmt::ForLoop(each) => {
                self.open("{%", each.span().start_line);
                self.put("for ");
                self.target(&each.target);
                self.put(" in ");
                self.operand(&each.iter, APART);
                if let Some(filter) = &each.filter_expr {
                    self.put(" if ");
                    self.enclosed(filter);
                }
                self.put(if each.recursive { " recursive %}" } else { " %}" });
                self.statements(&each.body);
                if !each.else_body.is_empty() {
                    self.put("{% else %}");
                    self.statements(&each.else_body);
                }
                self.put("{% endfor %}");
            }
            Stmt::IfCond(condition) => {
                let mut word = "if ";
                let mut branch = condition;
                loop {
                    self.open("{%", branch.span().start_line);
                    self.put(word);
                    self.expression(&branch.expr);
                    self.put(" %}");
                    self.statements(&branch.true_body);
                    match branch.false_body.as_slice() {
                        [] => break,
                        [Stmt::IfCond(next)] => (word, branch) = ("elif ", next),
                        statements => {
                            self.put("{% else %}");
                            self.statements(statements);
                            break;
                        }
                    }
                }
                self.put("{% endif %}");
            }
            Stmt::WithBlock(with) => {
                self.open("{%", with.span().start_line);
                self.put("with ");
                for (number, (target, value)) in with.assignments.iter().enumerate() {
                    self.put(if number > 0 { ", " } else { "" });
                    self.target(target);
                    self.put(" = ");
                    self.enclosed(value);
                }
                self.put(" %}");
                self.statements(&with.body);
                self.put("{% endwith %}");
            }
            Stmt::Set(set) => {
                self.open("{%", set.span().start_line);
                self.put("set ");
                self.target(&set.target);
                self.put(" = ");
                self.enclosed(&set.expr);
                self.put(" %}");
            }
            Stmt::SetBlock(set) => {
                self.captures = true;
                self.open("{%", set.span().start_line);
                self.put("set ");
                self.target(&set.target);
                if let Some(filter) = &set.filter {
                    self.put(&format!("|{WEIGH}|"));
                    self.expression(filter);
                }
                self.put(" %}");
                self.statements(&set.body);
                self.put("{% endset %}");
            }
            Stmt::AutoEscape(escape) => {
                self.open("{%", escape.span().start_line);
                self.put("autoescape ");
                self.enclosed(&escape.enabled);
                self.put(" %}");
                self.statements(&escape.body);
                self.put("{% endautoescape %}");
            }
            Stmt::FilterBlock(block) => {
                self.captures = true;
                self.open("{%", block.span().start_line);
                self.put(&format!("filter {WEIGH}|"));
                self.expression(&block.filter);
                self.put(" %}");
                self.statements(&block.body);
                self.put("{% endfilter %}");
            }
            Stmt::Do(call) => {
                self.open("{%", call.span().start_line);
                self.put("do ");
                self.call(&call.call.expr, &call.call.args);
                self.put(" %}");
            }
        }
    }

    /// What looks like a delimiter is a text in one.
    fn raw(&mut self, text: &str) {
        self.longest = self.longest.max(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
            self.put(&rest[..at]);
            self.put("{{ \"{\"|safe }}");
            rest = &rest[at + 1..];
        }
        match rest.strip_suffix('{') {
            Some(start) => {
                self.put(start);
                self.put("{{ \"{\"|safe }}");
            }
            None => self.put(rest),
        }
    }

    fn target(&mut self, target: &Expr<'_>) {
        match target {
            Expr::List(list) => {
                self.put("(");
                for item in &list.items {
                    self.target(item);
                    self.put(", ");
                }
                self.put(")");
            }
            other => self.expression(other),
        }
    }
}
