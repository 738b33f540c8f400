//! Templates that make text.

use report::Report;
use serde_json::{Value, json};
use template::{Template, TemplateError};

fn render(source: &str, context: Value) -> String {
    let template = Template::parse(source).unwrap();
    assert!(!template.is_json());
    template.render(&context, 10_000).unwrap()
}

fn parse_error(source: &str) -> String {
    Template::parse(source).unwrap_err().to_string()
}

fn render_error(source: &str, context: Value) -> TemplateError {
    Template::parse(source).unwrap().render(&context, 10_000).unwrap_err()
}

#[test]
fn values_are_written_as_they_are() {
    let context = json!({"name": "O\"Hara <b>", "n": 1.5, "big": 9_007_199_254_740_993_i64, "yes": true});
    assert_eq!(
        render("Dear {{ name }}, {{ n }} {{ big }} {{ yes }}", context),
        "Dear O\"Hara <b>, 1.5 9007199254740993 true"
    );
}

#[test]
fn what_is_missing_or_null_is_empty() {
    let context = json!({"n": null, "list": [null]});
    for source in [
        "{{ a }}",
        "{{ a.b.c }}",
        "{{ a[0]['x'] }}",
        "{{ n }}",
        "{{ n.x }}",
        "{{ n|upper }}",
        "{{ n|trim|replace('a', 'b') }}",
        "{{ list|join }}",
        "{{ list|first }}",
        "{% for x in n %}{{ x }}{% endfor %}",
        "{% if n or n is defined or n is not none or a is not none %}x{% endif %}",
    ] {
        assert_eq!(render(source, context.clone()), "", "{source}");
    }
    assert_eq!(render("{{ n|default('nobody') }} {{ a.b|default('nowhere') }}", context.clone()), "nobody nowhere");
    assert_eq!(render("{{ n|length }} {{ list|length }} {{ 'ab'|count }}", context), "0 1 2");
}

#[test]
fn other_values_are_json() {
    let context = json!({"a": [1, null, "x"], "b": {"c": false}});
    assert_eq!(render("{{ a }} {{ b }} {{ b.c }}", context), "[1,null,\"x\"] {\"c\":false} false");
}

#[test]
fn statements() {
    let context = json!({"items": [{"n": 1}, {"n": 2}], "name": "Ann"});
    assert_eq!(render("{% for i in items %}{{ i.n }}{{ ',' if not loop.last }}{% endfor %}", context.clone()), "1,2");
    assert_eq!(render("{% if name is startingwith 'A' %}A{% else %}B{% endif %}", context.clone()), "A");
    assert_eq!(render("{% for i in items %}{{ loop.cycle('a', 'b') }}{% endfor %}", context.clone()), "ab");
    assert_eq!(
        render("{{ '%.2f EUR'|format(12.345) }} {{ name|replace('n', 'b') }}", context.clone()),
        "12.35 EUR Abb"
    );
    assert_eq!(render("{{ items|map(attribute='n')|join('+') }}", context), "1+2");
}

#[test]
fn mistakes_are_found_when_it_is_declared() {
    assert_eq!(parse_error("a\nb {{ x"), "template, line 2: unexpected end of input, expected end of variable block");
    assert_eq!(parse_error("{% if x %}"), "template, line 1: unexpected end of input, expected end of block");
    assert_eq!(parse_error("{% if a %}\n{{ b|uper }}{% endif %}"), "template, line 2: unknown filter \"uper\"");
    assert_eq!(parse_error("{{ 1 if a is postive }}"), "template, line 1: unknown test \"postive\"");
    assert_eq!(parse_error("{{ now() }}"), "template, line 1: unknown function \"now\"");
    assert_eq!(parse_error("{{ a.upper() }}"), "template, line 1: unknown method \"upper\"");
    assert_eq!(parse_error("{% include 'x' %}"), "template, line 1: unknown statement include");
    assert_eq!(parse_error("{% macro m() %}{% endmacro %}"), "template, line 1: unknown statement macro");
    assert_eq!(parse_error(&" ".repeat(65_537)), "template is too long: 65537 bytes, at most 65536 are allowed");
}

#[test]
fn values_that_do_not_suit() {
    let error = render_error("{{ a.b }}\n{{ a - 1 }}", json!({"a": "x"}));
    assert_eq!(
        error.to_string(),
        "template, line 2, cannot be rendered: tried to use - operator on unsupported types string and number"
    );
    assert!(error.hint().is_some());
}

#[test]
fn work_is_bounded() {
    let loops = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
    assert_eq!(render_error(loops, json!({})), TemplateError::OutOfFuel);
    let long = "{% for a in range(10000) %}xxxxxxxxxx{% endfor %}";
    assert_eq!(render_error(long, json!({})), TemplateError::OutputTooLarge { max_bytes: 10_000 });
    let exact = Template::parse("{{ a }}").unwrap();
    assert_eq!(exact.render(&json!({"a": "12345"}), 5).unwrap(), "12345");
    assert_eq!(exact.render(&json!({"a": "123456"}), 5), Err(TemplateError::OutputTooLarge { max_bytes: 5 }));
}

#[test]
fn filters_that_make_much_of_little() {
    for source in ["{{ '%999999999d'|format(1) }}", "{{ '%.100f'|format(1) }}", "{{ '%*d'|format(999999999, 1) }}"] {
        let message = render_error(source, json!({})).to_string();
        assert_eq!(message, "template, line 1, cannot be rendered: format takes widths up to 99", "{source}");
    }
    let context = json!({"a": "x".repeat(10_000)});
    assert_eq!(
        render_error("{{ a|replace('x', a)|length }}", context).to_string(),
        "template works with more than 16777216 bytes of values"
    );
    assert_eq!(render("{{ '100%% of %s in 12345'|format('x') }}", json!({})), "100% of x in 12345");
    assert_eq!(parse_error("{{ a|indent(999999999999) }}"), "template, line 1: unknown filter \"indent\"");
    assert_eq!(parse_error("{{ loop.cycle() }}"), "template, line 1: unknown method \"cycle\"");
    assert_eq!(parse_error("{% set n = namespace() %}"), "template, line 1: unknown function \"namespace\"");
}

/// A server's stack has 8 MiB. Without optimization the library needs eight times as much.
#[test]
fn deep_sources_do_not_exhaust_the_stack() {
    let stack = if cfg!(debug_assertions) { 8 << 20 } else { 1 << 20 };
    let thread = std::thread::Builder::new().stack_size(stack).spawn(deep_sources).unwrap();
    thread.join().unwrap();
}

fn deep_sources() {
    let before = [
        "(", "[", "{", "not ", "-", "a.", "a[", "a|upper|", "a ~ ", "a + ", "a if ", "a and ", "1 ** ", "a in ",
        "a == ", "a(", "a,",
    ];
    let after = [".b", "[0]", "|upper", "()", " is none", " if a else a", " < a", " ~ a"];
    let blocks = "{% if a %}".repeat(140);
    for count in [95, 130, 195, 395, 30_000] {
        for part in before {
            let expression = format!("{{{{ {}a }}}}", part.repeat(count));
            parse_and_render(&expression);
            parse_and_render(&format!("{blocks}{expression}{}", "{% endif %}".repeat(140)));
        }
        for part in after {
            parse_and_render(&format!("{{{{ a{} }}}}", part.repeat(count)));
        }
    }
    for part in ["{% if a %}", "{% for x in a %}", "{% with %}", "{% set x %}", "{{ a }}", "{% if a %}{% else %}"] {
        parse_and_render(&part.repeat(5000));
    }
    let elifs = |count: usize| format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(count));
    assert_eq!(render(&elifs(100), json!({})), "");
    assert_eq!(parse_error(&elifs(101)), "template, line 1: more than 100 elif");
    assert_eq!(
        parse_error(&format!("\n{{{{ a{} }}}}", " ~ a".repeat(200))),
        "template, line 2: expression has more than 400 words and signs"
    );
}

fn parse_and_render(source: &str) {
    if let Ok(template) = Template::parse(source) {
        let _ = template.render(&json!({"a": "x"}), 1000);
    }
}
