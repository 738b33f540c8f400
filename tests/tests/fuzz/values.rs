//! Types, and values at their edges.

/// What the generated tables use beside the types of PostgreSQL.
pub const TYPES: &str = "
    create type mood as enum ('', 'happy', 'a \"quoted\" one', '確認');
    create type pair as (a int, b text);
    create type nested as (p pair, q pair[], m mood);
    create domain short as text check (length(value) < 100000);
    create domain positive as numeric check (value > 0);
    create extension if not exists hstore;";

const KINDS: [(&str, &[&str]); 34] = [
    ("int", &["0", "-2147483648", "2147483647"]),
    ("bigint", &["9223372036854775807", "-9223372036854775808"]),
    (
        "numeric",
        &["'NaN'", "'Infinity'", "'-Infinity'", "1e131071", "1e-16383", "0.1000", "-0.0", "12345678901234567890.12345"],
    ),
    ("numeric(10,2)", &["100", "'NaN'", "-99999999.99"]),
    ("float4", &["'NaN'", "'-Infinity'", "1e-45", "3.4e38", "0.1", "'-0'"]),
    ("float8", &["'NaN'", "'Infinity'", "5e-324", "1.7976931348623157e308", "0.1", "'-0'"]),
    ("boolean", &["true", "false"]),
    (
        "text",
        &[
            "''",
            "repeat('x', 100000)",
            "E'\\u0001\\t\\n\\\\\\\"'",
            "U&'\\+01F600'",
            "'確認'",
            "'null'",
            "repeat('\"', 20000)",
        ],
    ),
    ("varchar(20)", &["'x'", "''"]),
    ("char(5)", &["'x'", "'     '"]),
    ("\"char\"", &["'x'", "''", "E'\\001'"]),
    ("name", &["'a name'", "''"]),
    ("bytea", &["''", "'\\x00ff'", "decode(repeat('00', 50000), 'hex')"]),
    ("date", &["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'", "'2026-02-03'"]),
    ("time", &["'24:00'", "'00:00:00.000001'"]),
    ("timetz", &["'24:00+14'", "'00:00-15:59:59'"]),
    ("timestamp", &["'infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59.999999'", "'2026-02-03 04:05:06'"]),
    (
        "timestamptz",
        &["'-infinity'", "'4713-01-02 00:00:00+00 BC'", "'294276-12-30 00:00:00+00'", "'2026-02-03 04:05:06+00'"],
    ),
    ("interval", &["'infinity'", "'-178000000 years'", "'1 mon -1 day 00:00:00.1'", "'0'"]),
    ("uuid", &["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'00000000-0000-0000-0000-000000000000'"]),
    ("json", &["'{\"a\": 1, \"a\": 2}'", "'\"\\u0000\"'", "'1e400'", "(repeat('[', 2000) || repeat(']', 2000))::json"]),
    (
        "jsonb",
        &[
            "'{}'",
            "'null'",
            "'1e400'",
            "'[9e131071, 100.00, -0.0]'",
            "(repeat('[', 2000) || repeat(']', 2000))::jsonb",
            "(('[' || repeat('9e131071,', 40)) || '1]')::jsonb",
            "jsonb_build_object(repeat('k', 10000), repeat('v', 100000))",
        ],
    ),
    ("xml", &["'<a>&lt;</a>'"]),
    ("inet", &["'::1/64'", "'255.255.255.255'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("bit varying", &["B''", "B'101'"]),
    ("tsvector", &["'a:1 b:2'", "''"]),
    ("tstzrange", &["'empty'", "'(,)'", "'[2026-01-01 00:00:00+00,infinity]'"]),
    ("int4multirange", &["'{}'", "'{[1,2),[5,7)}'"]),
    ("point", &["'(NaN,Infinity)'", "'(0.1,-0)'"]),
    ("mood", &["''", "'happy'", "'a \"quoted\" one'", "'確認'"]),
    ("pair", &["row(null, null)", "row(1, 'x,\"y')", "null"]),
    ("nested", &["row(null, null, null)", "row(row(1, null), array[row(2, 'x')::pair, null], 'happy')"]),
    ("hstore", &["'a=>1, b=>NULL'", "''"]),
];

const DOMAINS: [(&str, &[&str]); 3] =
    [("short", &["'x'"]), ("positive", &["1e1000", "0.001"]), ("vector", &["'[1,2.5,-3e-10]'"])];

/// Numbers that look like chance.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// The types of a table's columns: few, sometimes very many.
pub fn columns(chance: &mut Chance) -> Vec<String> {
    let many = chance.below(40) == 0;
    let count = if many { 1599 } else { 1 + chance.below(8) };
    (0..count).map(|_| if many { small(chance) } else { kind(chance) }).collect()
}

fn kind(chance: &mut Chance) -> String {
    let number = chance.below(KINDS.len() + DOMAINS.len());
    let name = KINDS.iter().chain(&DOMAINS).nth(number).map_or("int", |(name, _)| name);
    match chance.below(5) {
        0 => format!("{name}[]"),
        _ => name.to_string(),
    }
}

fn small(chance: &mut Chance) -> String {
    ["int", "boolean", "\"char\"", "float4"][chance.below(4)].to_string()
}

/// An expression for a column of this type.
pub fn value(kind: &str, chance: &mut Chance) -> String {
    if let Some(element) = kind.strip_suffix("[]") {
        return match chance.below(6) {
            0 => "'{}'".to_string(),
            1 => format!("array[null, null]::{kind}"),
            2 => format!("array_fill(null::{element}, array[20000])"),
            3 => format!("array[array[null, null], array[null, null]]::{kind}"),
            _ => format!("array[{}, {}]::{kind}", value(element, chance), value(element, chance)),
        };
    }
    if chance.below(6) == 0 {
        return "null".to_string();
    }
    let values =
        KINDS.iter().chain(&DOMAINS).find(|(name, _)| *name == kind).map_or(&["null"][..], |(_, values)| values);
    format!("({})::{kind}", values[chance.below(values.len())])
}

/// For watch(): none, or one that reads the row.
pub fn condition(chance: &mut Chance) -> &'static str {
    const CONDITIONS: [&str; 6] = [
        "null",
        "null",
        r#"'{"new.id": {"$gte": 0}}'"#,
        r#"'{"new.c0": {"$exists": true}}'"#,
        r#"'{"$or": [{"new.c0": {"$gt": 1}}, {"new.c1": {"$regex": "^x"}}, {"op": "delete"}]}'"#,
        r#"'{"new.c0.a": {"$ne": 1}}'"#,
    ];
    CONDITIONS[chance.below(CONDITIONS.len())]
}
