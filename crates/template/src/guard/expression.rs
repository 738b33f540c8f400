//! Expressions, with a guard on each operand.

use std::fmt::Write;

use minijinja::Value;
use minijinja::machinery::ast::{BinOp, BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};
use minijinja::value::ValueKind;

use super::{APART, Guarded, NUMBER, TIMES, WEIGH, WHOLE};

/// Filters that calculate with what they are given.
const CALCULATING: [&str; 13] =
    ["abs", "bool", "dictsort", "float", "format", "groupby", "int", "max", "min", "round", "sort", "sum", "unique"];
/// Filters that make a value of each character or line.
const DISSECTING: [&str; 14] = [
    "batch",
    "chain",
    "first",
    "last",
    "lines",
    "list",
    "map",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "split",
    "zip",
];
/// Tests that look at nothing but the kind of a value.
const CHEAP: [&str; 9] =
    ["defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "boolean", "safe"];

impl Guarded {
    pub fn enclosed(&mut self, expression: &Expr<'_>) {
        if is_tight(expression) {
            self.expression(expression);
        } else {
            self.put("(");
            self.expression(expression);
            self.put(")");
        }
    }

    pub fn operand(&mut self, expression: &Expr<'_>, guard: &str) {
        self.enclosed(expression);
        self.put("|");
        self.put(guard);
    }

    fn optional(&mut self, expression: &Option<Expr<'_>>) {
        if let Some(expression) = expression {
            self.enclosed(expression);
        }
    }

    fn listed(&mut self, items: &[Expr<'_>]) {
        for (number, item) in items.iter().enumerate() {
            self.put(if number > 0 { ", " } else { "" });
            self.enclosed(item);
        }
    }

    pub fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(variable) => self.put(variable.id),
            Expr::Const(constant) => self.constant(&constant.value),
            Expr::List(list) => {
                self.put("[");
                self.listed(&list.items);
                self.put("]");
            }
            Expr::Tuple(tuple) => {
                self.put("(");
                self.listed(&tuple.items);
                self.put(if tuple.items.len() == 1 { ",)" } else { ")" });
            }
            Expr::Map(map) => {
                self.put("{");
                for (key, value) in map.keys.iter().zip(&map.values) {
                    self.enclosed(key);
                    self.put(": ");
                    self.enclosed(value);
                    self.put(", ");
                }
                self.put("}");
            }
            Expr::GetAttr(attribute) => {
                self.enclosed(&attribute.expr);
                self.put(".");
                self.put(attribute.name);
            }
            Expr::GetItem(item) => {
                self.operand_in_brackets(&item.expr);
                self.put("[");
                self.enclosed(&item.subscript_expr);
                self.put("]");
            }
            Expr::Slice(slice) => {
                self.operand_in_brackets(&slice.expr);
                self.put("[");
                self.optional(&slice.start);
                self.put(":");
                self.optional(&slice.stop);
                self.put(":");
                self.optional(&slice.step);
                self.put("]");
            }
            Expr::Call(call) => self.call(&call.expr, &call.args),
            Expr::Filter(filter) => {
                let guard = match filter.name {
                    name if CALCULATING.contains(&name) => NUMBER,
                    name if DISSECTING.contains(&name) => APART,
                    _ => WEIGH,
                };
                // Without an expression it is the first of a block, which stands behind a guard.
                if let Some(expression) = &filter.expr {
                    self.operand(expression, guard);
                    self.put("|");
                }
                self.put(filter.name);
                if !filter.args.is_empty() {
                    self.arguments(&filter.args, Some(guard));
                }
            }
            Expr::Test(test) => {
                let guard = (!CHEAP.contains(&test.name)).then_some(NUMBER);
                match guard {
                    Some(guard) => self.operand(&test.expr, guard),
                    None => self.enclosed(&test.expr),
                }
                self.put(" is ");
                self.put(test.name);
                if !test.args.is_empty() {
                    self.arguments(&test.args, guard);
                }
            }
            Expr::UnaryOp(unary) => match unary.op {
                UnaryOpKind::Not => {
                    self.put("not ");
                    self.enclosed(&unary.expr);
                }
                UnaryOpKind::Neg => {
                    self.put("-(");
                    self.operand(&unary.expr, NUMBER);
                    self.put(")");
                }
            },
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Compare(chain) => {
                self.operand(&chain.expr, NUMBER);
                for link in &chain.ops {
                    self.put(compared(link.op));
                    self.operand(&link.expr, NUMBER);
                }
            }
            Expr::IfExpr(choice) => {
                self.enclosed(&choice.true_expr);
                self.put(" if ");
                self.enclosed(&choice.test_expr);
                if let Some(other) = &choice.false_expr {
                    self.put(" else ");
                    self.enclosed(other);
                }
            }
        }
    }

    fn operand_in_brackets(&mut self, expression: &Expr<'_>) {
        self.put("(");
        self.operand(expression, WHOLE);
        self.put(")");
    }

    fn operation(&mut self, operation: &BinOp<'_>) {
        if let BinOpKind::Mul = operation.op {
            self.operand(&operation.left, NUMBER);
            self.put(&format!("|{TIMES}("));
            self.operand(&operation.right, NUMBER);
            return self.put(")");
        }
        let (word, guard) = operator(operation.op);
        // A chain of one operator stays one: brackets would nest too deep.
        match &operation.left {
            Expr::BinOp(left) if is_chain(left.op, operation.op) => self.operation(left),
            left => match guard {
                Some(guard) => self.operand(left, guard),
                None => self.enclosed(left),
            },
        }
        self.put(word);
        match guard {
            Some(guard) => self.operand(&operation.right, guard),
            None => self.enclosed(&operation.right),
        }
    }

    pub fn call(&mut self, callee: &Expr<'_>, arguments: &[CallArg<'_>]) {
        self.enclosed(callee);
        self.arguments(arguments, Some(WEIGH));
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>], guard: Option<&str>) {
        self.put("(");
        for (number, argument) in arguments.iter().enumerate() {
            self.put(if number > 0 { ", " } else { "" });
            let (mark, value) = match argument {
                CallArg::Pos(value) => (String::new(), value),
                CallArg::Kwarg(name, value) => (format!("{name}="), value),
                CallArg::PosSplat(value) => ("*".to_owned(), value),
                CallArg::KwargSplat(value) => ("**".to_owned(), value),
            };
            self.put(&mark);
            match (guard, argument) {
                (Some(guard), CallArg::Pos(_) | CallArg::Kwarg(..)) => self.operand(value, guard),
                _ => self.enclosed(value),
            }
        }
        self.put(")");
    }

    fn constant(&mut self, value: &Value) {
        let text = match (value.kind(), value.as_str()) {
            (_, Some(text)) => serde_json::to_string(text).unwrap_or_default(),
            (ValueKind::None | ValueKind::Undefined, _) => "none".to_owned(),
            (ValueKind::Bool, _) => value.is_true().to_string(),
            _ => serde_json::to_string(value).unwrap_or_default(),
        };
        // A line break in a text is written as an escape here.
        let _ = write!(self.source, "{text}");
    }
}

/// Whether a filter, an attribute or an item behind it belongs to all of it.
fn is_tight(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Slice(_) | Expr::UnaryOp(_) | Expr::Compare(_) | Expr::IfExpr(_) | Expr::Test(_) => false,
        Expr::BinOp(operation) => matches!(operation.op, BinOpKind::Mul),
        // An attribute of a number would read as a fraction.
        Expr::Const(constant) => constant.value.as_str().is_some(),
        _ => true,
    }
}

/// Whether `a inner b outer c` means the inner one first without brackets.
fn is_chain(inner: BinOpKind, outer: BinOpKind) -> bool {
    use BinOpKind::{Add, Concat, Div, FloorDiv, Rem, ScAnd, ScOr, Sub};
    matches!(
        (inner, outer),
        (Add | Sub, Add | Sub)
            | (Div | FloorDiv | Rem, Div | FloorDiv | Rem)
            | (Concat, Concat)
            | (ScAnd, ScAnd)
            | (ScOr, ScOr)
    )
}

fn operator(kind: BinOpKind) -> (&'static str, Option<&'static str>) {
    match kind {
        BinOpKind::Eq => (" == ", Some(NUMBER)),
        BinOpKind::Ne => (" != ", Some(NUMBER)),
        BinOpKind::Lt => (" < ", Some(NUMBER)),
        BinOpKind::Lte => (" <= ", Some(NUMBER)),
        BinOpKind::Gt => (" > ", Some(NUMBER)),
        BinOpKind::Gte => (" >= ", Some(NUMBER)),
        BinOpKind::In => (" in ", Some(NUMBER)),
        BinOpKind::ScAnd => (" and ", None),
        BinOpKind::ScOr => (" or ", None),
        BinOpKind::Add => (" + ", Some(NUMBER)),
        BinOpKind::Sub => (" - ", Some(NUMBER)),
        BinOpKind::Mul => (" * ", Some(NUMBER)),
        BinOpKind::Div => (" / ", Some(NUMBER)),
        BinOpKind::FloorDiv => (" // ", Some(NUMBER)),
        BinOpKind::Rem => (" % ", Some(NUMBER)),
        BinOpKind::Pow => (" ** ", Some(NUMBER)),
        BinOpKind::Concat => (" ~ ", Some(WEIGH)),
    }
}

fn compared(kind: CompareOpKind) -> &'static str {
    match kind {
        CompareOpKind::Eq => " == ",
        CompareOpKind::Ne => " != ",
        CompareOpKind::Lt => " < ",
        CompareOpKind::Lte => " <= ",
        CompareOpKind::Gt => " > ",
        CompareOpKind::Gte => " >= ",
        CompareOpKind::In => " in ",
        CompareOpKind::NotIn => " not in ",
    }
}
