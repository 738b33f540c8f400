//! Values of every type that functions of ours take: at the edges of the type, beyond sense, and other people's.

/// An expression of the type, another one for each number.
pub fn value(kind: &str, number: usize) -> String {
    let kind = kind.trim();
    if let Some(element) = kind.strip_suffix("[]") {
        let values = [
            "null".into(),
            format!("'{{}}'::{kind}"),
            format!("array[null]::{kind}"),
            format!("array[{}, {}]::{kind}", value(element, number + 1), value(element, number + 2)),
            format!("array[array[null], array[null]]::{kind}"),
        ];
        return values[number % values.len()].clone();
    }
    let values = values(kind);
    match values[number % values.len()] {
        "null" => format!("null::{}", castable(kind)),
        // Pseudo-types take the type of what comes.
        literal if castable(kind) != kind => literal.to_string(),
        literal if literal.starts_with("repeat(") || literal.starts_with("(repeat(") => format!("({literal})::{kind}"),
        literal => format!("'{}'::{kind}", literal.replace('\'', "''")),
    }
}

fn castable(kind: &str) -> &str {
    match kind {
        "anyelement" | "\"any\"" | "anynonarray" | "record" | "anyarray" | "internal" | "cstring" | "trigger" => "text",
        _ => kind,
    }
}

fn values(kind: &str) -> &'static [&'static str] {
    match kind {
        "text" | "character varying" | "name" | "character" => &[
            "",
            "house",
            "others-job",
            "null",
            "'; drop table public.lead; --",
            "{{ ('a' * 100000000) | length }}",
            "*/1 * * * *",
            "public.lead",
            "sample-viewer",
            "repeat('[', 100000)",
            "{\"$regex\": \"(a+)+$\"}",
            "https://receiver.example/house",
            "America/Mexico_City",
            "\u{feff}é\u{202e}確認",
            "lead.*",
            "select pg_sleep(10)",
        ],
        "numeric" => &["0", "NaN", "Infinity", "-Infinity", "null", "1e1000", "1e-1000", "-1", "3.3333333333"],
        "bigint" => &["1", "0", "-1", "9223372036854775807", "-9223372036854775808", "null", "2", "3"],
        "integer" => &["1", "0", "-1", "2147483647", "-2147483648", "null", "2"],
        "smallint" => &["1", "0", "-1", "32767", "-32768", "null"],
        "oid" | "xid" | "cid" => &["1", "0", "4294967295", "null"],
        "xid8" => &["1", "0", "18446744073709551615", "null"],
        "double precision" | "real" => &["0", "NaN", "Infinity", "-Infinity", "null", "1e30", "-1e-30"],
        "boolean" => &["true", "false", "null"],
        "jsonb" | "json" => &[
            "{}",
            "[]",
            "null",
            "\"x\"",
            "9e131071",
            "{\"id\": 1, \"name\": \"x\", \"state\": {\"$regex\": \"(a+)+$\"}}",
            "[{\"filter\": {\"$or\": [[]]}, \"points\": 1e400}, null]",
            "{\"$and\": [{\"$and\": [{\"$and\": [{}]}]}]}",
            "(repeat('[', 5000) || repeat(']', 5000))",
            "{\"$ref\": \"#\", \"type\": [\"object\", 7], \"pattern\": \"(\"}",
            "{\"email\": \"a@b.c\", \"phone\": \"+5215512340077\", \"whatsapp\": {}}",
        ],
        "timestamp with time zone" | "timestamp without time zone" | "date" => {
            &["infinity", "-infinity", "4713-01-01 BC", "294276-12-31", "2026-03-29 02:30", "null", "epoch"]
        }
        "interval" => &["0", "-1 day", "178000000 years", "1 microsecond", "-178000000 years", "null", "1 mon -1 day"],
        "uuid" => &[
            "00000000-0000-0000-0000-000000000000",
            "5a4d91e0-0000-4000-8000-000000000001",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "null",
        ],
        "regclass" => &[
            "other.visit",
            "public.lead",
            "tenant.visit",
            "pg_class",
            "frontdesk.event",
            "frontdesk_internal.endpoint",
            "null",
            "0",
        ],
        "regrole" => &["hostile_other", "postgres", "hostile_nobody", "pg_read_all_data", "null", "0"],
        "regproc" | "regprocedure" => &["0", "null", "16384"],
        "regtype" => &["integer", "0", "null"],
        "bytea" => &["", "\\x00ff", "null"],
        "\"char\"" => &["x", "", "null"],
        "inet" | "cidr" => &["127.0.0.1", "::1", "0.0.0.0/0", "null"],
        "tstzrange" => &["empty", "(,)", "[infinity,)", "null"],
        "vector" => &["[1,2,3]", "[0]", "null"],
        "anyelement" | "\"any\"" | "anynonarray" | "record" => &["1", "'x'::text", "null", "row(1, null)"],
        _ => &["null"],
    }
}
