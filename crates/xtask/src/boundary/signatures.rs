//! A function that is written in Rust and declared by hand in SQL is declared as it is written: as many arguments, of
//! these types, with this result, and strict where Rust has no NULL.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{FnArg, GenericArgument, Item, ItemFn, Pat, PathArguments, ReturnType, Type};

use super::{Breach, tree::Tree};

/// What a function takes and gives, with the types as SQL names them.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    arguments: Vec<(String, String)>,
    result: String,
    /// Not called with NULL.
    strict: bool,
}

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut written = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut breaches = Vec::new();
    for file in tree.below("src/", ".rs") {
        match syn::parse_file(&file.text) {
            Ok(parsed) => {
                for function in parsed.items.iter().filter_map(exported) {
                    written.insert(function.sig.ident.to_string(), (file.path.clone(), function.clone()));
                }
            }
            Err(error) => breaches.push(breach(&file.path, error.span().start().line, error.to_string())),
        }
    }
    for file in tree.below("sql/", ".sql") {
        for declared in declarations(&file.text) {
            // What was released needs the symbol, and gets an error that says what to do.
            if file.path.starts_with("sql/released/") {
                known.insert(declared.symbol);
                continue;
            }
            let wrong = match written.get(&declared.symbol) {
                None => Some(format!("no function {} with #[pg_extern(sql = false)] in src", declared.symbol)),
                Some((_, function)) => difference(function, &declared),
            };
            breaches.extend(wrong.map(|reason| breach(&file.path, declared.line, reason)));
            known.insert(declared.symbol);
        }
    }
    for (name, (path, function)) in written.into_iter().filter(|(name, _)| !known.contains(name)) {
        let line = function.sig.ident.span().start().line;
        breaches.push(breach(&path, line, format!("{name}() is declared nowhere in sql")));
    }
    breaches
}

fn breach(path: &str, line: usize, reason: String) -> Breach {
    Breach { path: path.to_string(), line, reason }
}

fn exported(item: &Item) -> Option<&ItemFn> {
    let Item::Fn(function) = item else { return None };
    let is_ours = |attribute: &syn::Attribute| {
        attribute.path().is_ident("pg_extern") && attribute.meta.to_token_stream().to_string().contains("sql = false")
    };
    function.attrs.iter().any(is_ours).then_some(function)
}

fn difference(function: &ItemFn, declared: &Declaration) -> Option<String> {
    let written = match signature(function) {
        Ok(written) => written,
        Err(reason) => return Some(format!("{}(): {reason}", declared.symbol)),
    };
    let strict = declared.signature.strict || !written.strict;
    let is_same = |a: &str, b: &str| a == b || is_kin(a, b);
    let (arguments, others) = (&written.arguments, &declared.signature.arguments);
    let arguments = arguments.len() == others.len() && arguments.iter().zip(others).all(|(a, b)| is_same(&a.1, &b.1));
    match (arguments && is_same(&written.result, &declared.signature.result), strict) {
        (true, true) => None,
        (true, false) => Some(format!("{}() does not take NULL: it must be strict", declared.symbol)),
        (false, _) => Some(format!("is declared as {}, written in Rust as {}", declared.signature, written)),
    }
}

/// Oids have one shape, whatever they are of.
fn is_kin(a: &str, b: &str) -> bool {
    let oid = |name: &str| matches!(name, "oid" | "regrole" | "regclass" | "regproc" | "regprocedure" | "regtype");
    let ours = |name: &str| name.starts_with("frontdesk");
    let is_number = |name: &str| oid(name) || name == "bigint" || ours(name);
    is_number(a) && is_number(b) && (oid(a) && oid(b) || ours(a) || ours(b))
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list: Vec<String> = self.arguments.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        write!(f, "({}) returns {}", list.join(", "), self.result)
    }
}

fn signature(function: &ItemFn) -> Result<Signature, String> {
    let mut arguments = Vec::new();
    let mut strict = false;
    for argument in &function.sig.inputs {
        let FnArg::Typed(argument) = argument else { return Err("a method".to_string()) };
        let Pat::Ident(name) = argument.pat.as_ref() else { return Err("an argument without a name".to_string()) };
        let (kind, may_be_null) = sql_type(&argument.ty)?;
        strict |= !may_be_null;
        arguments.push((name.ident.to_string(), kind));
    }
    let result = match &function.sig.output {
        ReturnType::Default => "void".to_string(),
        ReturnType::Type(_, kind) => sql_type(kind)?.0,
    };
    Ok(Signature { arguments, result, strict })
}

/// The type as SQL names it, and whether it may be NULL.
fn sql_type(kind: &Type) -> Result<(String, bool), String> {
    let text = kind.to_token_stream().to_string();
    let known = |name: &str| Ok((name.to_string(), false));
    match kind {
        Type::Reference(reference) => match reference.elem.as_ref() {
            Type::Slice(slice) if slice.elem.to_token_stream().to_string() == "u8" => known("bytea"),
            inner => sql_type(inner),
        },
        Type::Tuple(tuple) if tuple.elems.is_empty() => known("void"),
        Type::Tuple(tuple) => {
            let columns: Result<Vec<String>, String> = tuple.elems.iter().map(column).collect();
            Ok((format!("table ({})", columns?.join(", ")), false))
        }
        Type::Path(path) => {
            let last = path.path.segments.last().ok_or("a type without a name")?;
            let inner = match &last.arguments {
                PathArguments::AngleBracketed(list) => list.args.iter().find_map(|argument| match argument {
                    GenericArgument::Type(inner) => Some(inner),
                    _ => None,
                }),
                _ => None,
            };
            match (last.ident.to_string().as_str(), inner) {
                ("Option", Some(inner)) => Ok((sql_type(inner)?.0, true)),
                ("Vec", Some(inner)) if inner.to_token_stream().to_string() == "u8" => known("bytea"),
                ("Vec", Some(inner)) => Ok((sql_type(inner)?.0 + "[]", false)),
                ("SetOfIterator", Some(inner)) => Ok((format!("setof {}", sql_type(inner)?.0), false)),
                ("TableIterator", Some(inner)) => sql_type(inner),
                ("str" | "String", _) => known("text"),
                ("bool", _) => known("boolean"),
                ("i16", _) => known("smallint"),
                ("i32", _) => known("integer"),
                ("i64", _) => known("bigint"),
                ("f32", _) => known("real"),
                ("f64", _) => known("double precision"),
                ("Jsonb" | "JsonB" | "Unread", _) => known("jsonb"),
                ("Uuid", _) => known("uuid"),
                ("Inet", _) => known("inet"),
                ("Oid", _) => known("oid"),
                ("AnyNumeric", _) => known("numeric"),
                ("Interval", _) => known("interval"),
                ("TimestampWithTimeZone", _) => known("timestamptz"),
                ("CStr" | "CString", _) => known("cstring"),
                _ => Err(format!("it is not known what {text} is in SQL")),
            }
        }
        _ => Err(format!("it is not known what {text} is in SQL")),
    }
}

/// `name!(path, String)`.
fn column(kind: &Type) -> Result<String, String> {
    let Type::Macro(named) = kind else { return Err("a column without name!()".to_string()) };
    let tokens = named.mac.tokens.to_string();
    let (name, inner) = tokens.split_once(',').ok_or("name!() without a type")?;
    let inner: Type = syn::parse_str(inner).map_err(|error| error.to_string())?;
    Ok(format!("{} {}", name.trim(), sql_type(&inner)?.0))
}

struct Declaration {
    line: usize,
    /// The function in Rust.
    symbol: String,
    signature: Signature,
}

/// Functions and procedures of the library: `… 'MODULE_PATHNAME', 'NAME_wrapper'`.
fn declarations(text: &str) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut start = None;
    for (number, line) in text.lines().enumerate() {
        if ["create function ", "create or replace function ", "create or replace procedure "]
            .iter()
            .any(|beginning| line.starts_with(beginning))
        {
            start = Some(number);
        }
        let symbol = line.split_once("'MODULE_PATHNAME', '").and_then(|(_, rest)| rest.split_once("_wrapper'"));
        if let (Some(first), Some((symbol, _))) = (start, symbol) {
            let statement: Vec<&str> = text.lines().skip(first).take(number - first + 1).collect();
            let signature = declared(&statement.join(" "));
            found.push(Declaration { line: first + 1, symbol: symbol.to_string(), signature });
        }
    }
    found
}

fn declared(statement: &str) -> Signature {
    let (arguments, rest) = parenthesis(statement);
    let (head, options) = rest.split_once("language c").unwrap_or((rest, ""));
    let strict = [head, options].iter().any(|part| part.split_whitespace().any(|word| word == "strict"));
    let returned = head.split_once("returns ").map_or("void", |(_, returned)| returned.trim());
    let result = match returned.strip_prefix("table ") {
        Some(columns) => {
            let columns: Vec<String> =
                split(parenthesis(columns).0).map(argument).map(|(name, kind)| name + " " + &kind).collect();
            format!("table ({})", columns.join(", "))
        }
        None => {
            let (many, returned) = returned.strip_prefix("setof ").map_or(("", returned), |rest| ("setof ", rest));
            let word = returned.split_whitespace().next().unwrap_or_default();
            many.to_string() + &named(if returned.starts_with("double precision") { "double precision" } else { word })
        }
    };
    Signature { arguments: split(arguments).map(argument).collect(), result, strict }
}

/// What stands in the first pair of parentheses, and what follows it.
fn parenthesis(text: &str) -> (&str, &str) {
    let Some(open) = text.find('(') else { return ("", text) };
    let mut depth = 0;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            return (&text[open + 1..at], &text[at + 1..]);
        }
    }
    ("", text)
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// `size int = 1000`: its name and its type; a type alone has no name.
fn argument(text: &str) -> (String, String) {
    let text = text.split('=').next().unwrap_or(text).trim();
    let (name, kind) = text.split_once(' ').unwrap_or(("", text));
    (name.trim_matches('"').to_string(), named(kind.trim()))
}

/// One name for a type.
fn named(kind: &str) -> String {
    match kind {
        "int" => "integer",
        "timestamp with time zone" => "timestamptz",
        kind => kind,
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str =
        "#[pg_extern(sql = false)] fn cut(text: &str, size: Option<i32>) -> Option<Vec<String>> { None }";

    fn found(sql: &str) -> Vec<String> {
        let tree = Tree::of(&[("src/cut.rs", RUST), ("sql/functions/10_cut.sql", sql)]);
        check(&tree).into_iter().map(|breach| breach.reason).collect()
    }

    #[test]
    fn a_declaration_that_is_as_the_function_is_written_is_right() {
        let sql = "create or replace function frontdesk.cut(text text, size int = 3) returns text[]\n\
                   immutable strict language c as 'MODULE_PATHNAME', 'cut_wrapper';";
        assert_eq!(found(sql), Vec::<String>::new());
    }

    #[test]
    fn another_type_another_result_and_a_null_that_rust_does_not_take_are_told() {
        let sql = |arguments: &str, result: &str, strict: &str| {
            found(&format!(
                "create or replace function frontdesk.cut({arguments}) returns {result}\n\
                 {strict} language c as 'MODULE_PATHNAME', 'cut_wrapper';"
            ))
        };
        assert!(sql("text text, size bigint", "text[]", "strict")[0].contains("size bigint"));
        assert_eq!(sql("text text, count int", "text[]", "strict"), Vec::<String>::new(), "names are SQL's own");
        assert!(sql("text text", "text[]", "strict")[0].starts_with("is declared as"));
        assert!(sql("text text, size int", "text", "strict")[0].contains("returns text,"));
        assert!(sql("text text, size int", "text[]", "")[0].contains("must be strict"));
    }

    #[test]
    fn what_one_side_lacks_is_told() {
        assert_eq!(found(""), ["cut() is declared nowhere in sql"]);
        let tree = Tree::of(&[(
            "sql/functions/10_cut.sql",
            "create or replace function frontdesk.cut() returns void\nlanguage c as 'MODULE_PATHNAME', 'cut_wrapper';",
        )]);
        assert!(check(&tree)[0].reason.starts_with("no function cut"));
    }
}
