//! What is wrong with a graph is found before it runs, and said so that it can be fixed.

mod drawing;

use std::time::{Duration, Instant};

use drawing::Drawing;
use flow::{Graph, Limits, Severity, Trigger, check, check_json};
use serde_json::{Value, json};

/// `node: message` of every finding; warnings with a `?`.
fn found(json: &Value) -> Vec<String> {
    let line = |finding: &flow::Finding| {
        assert!(!finding.hint.is_empty(), "no hint: {finding}");
        let mark = if finding.severity == Severity::Warning { "?" } else { "" };
        format!("{}{mark}: {}", finding.node.as_deref().unwrap_or("-"), finding.message)
    };
    check_json(json, &Limits::default()).iter().map(line).collect()
}

fn drawn(text: &str) -> Value {
    let mut drawing = Drawing::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        drawing.line(line).unwrap();
    }
    drawing.json()
}

#[track_caller]
fn finds(text: &str, wanted: &[&str]) {
    assert_eq!(found(&drawn(text)), wanted);
}

#[test]
fn what_is_no_graph() {
    assert_eq!(found(&json!([])), ["-: a graph is a JSON object"]);
    assert_eq!(found(&json!({"nodes": {}})), ["-: the graph's \"nodes\" is not an array"]);
    assert_eq!(found(&json!({"nodes": [], "edges": []})), ["-: the flow has no trigger"]);
    let many: Vec<Value> = (0..10_001).map(|n| json!({"id": n.to_string(), "type": "action-notify"})).collect();
    assert_eq!(found(&json!({"nodes": many})), ["-: the graph has 10001 nodes, at most 10000 are allowed"]);
    assert_eq!(
        found(
            &json!({"nodes": [{"id": "a", "type": "trigger-manual"}, {"id": "a", "type": "logic-stop"}, {"type": "logic-stop"}]})
        ),
        ["a: two nodes have this id", "-: node 3 has no id"]
    );
}

#[test]
fn types_and_settings() {
    finds(
        r#"
        t trigger-manual
        a logic-conditon {}
        b action-http {}
        c action-http {"url": "ftp://x", "timeout": 5}
        d action-http {"url": "https://x", "timeout": 31}
        e logic-condition {"groups": []}
        f logic-delay {}
        g action-sql {"sql": "select {{ trigger.x }}"}
        h transform-map {"items": "trigger.x"}
        i ai-classify {"input": "x", "categories": ["one"]}
        j action-create-booking {"duration": 500}
        k action-anything {"whatever": true}
        l logic-loop {"items": "trigger.x", "max_items": 5000}
        m transform-set-variable {"name": "no name", "value": 1}
        n action-emit {"event": "Not An Event"}
        o logic-wait {"event": "a..b"}
        t -> a
        t -> b, c, d, f, g, h, i, j, k, l, m, n, o
        t -> e
        "#,
        &[
            "a: there is no type of node \"logic-conditon\"",
            "b: \"url\" is missing",
            "c: \"url\" is no address of the web",
            "d: \"timeout\" is 31, not a whole number from 1 to 30",
            "e: there are no conditions",
            "f: the delay says neither how long nor until when",
            "g: templates in SQL are not filled in",
            "h: \"each\" is missing",
            "i: \"categories\" are fewer than two",
            "j: \"duration\" is 500, not a whole number from 5 to 480",
            "l: \"max_items\" is 5000, not a whole number from 1 to 1000",
            "m: \"no name\" is no name of a variable",
            "n: event type \"Not An Event\" contains ' '",
            "o: event pattern \"a..b\" has an empty part",
            "l?: a loop repeats nothing",
        ],
    );
}

#[test]
fn triggers() {
    finds(
        r#"
        t trigger-event {"event": "lead.created"}
        u trigger-schedule {"cron": "0 9 * * *"}
        "#,
        &["u: a second trigger: node \"t\" is one already"],
    );
    finds(
        "t trigger-schedule {\"cron\": \"0 25 * * *\"}",
        &[
            "t: schedule: hour at position 3 is \"25\", expected 0 to 23, a range such as 9-17, a step such as */6, or *",
        ],
    );
    finds("t trigger-ai-tool {\"toolName\": \"No\"}", &["t: \"toolName\" is not the name of a tool"]);
    finds("t trigger-event {}", &["t: \"event\" is missing"]);
}

#[test]
fn edges() {
    let mut json = drawn(
        r#"
        t trigger-manual
        if logic-condition {"conditions": [{"field": "trigger.x", "operator": "is_true"}]}
        a action-notify
        t -> if --maybe--> a
        if -> a
        a -> nowhere
        a -> t
        a --out--> if
        "#,
    );
    json["edges"].as_array_mut().unwrap().push(json!({"source": "a", "target": "a"}));
    assert_eq!(
        found(&json),
        [
            "if: an edge leaves by \"maybe\", which this node does not have",
            "if: an edge does not say by which way it leaves",
            "-: an edge from \"a\" to \"nowhere\": there is no node \"nowhere\"",
            "t: an edge leads to a trigger",
            "a: an edge leads back to its own node",
            "a?: no way leads here from the trigger",
        ]
    );
}

#[test]
fn cycles_and_loops() {
    finds(
        r#"
        t trigger-manual
        a action-notify
        b action-notify
        t -> a -> b -> a
        "#,
        &["a: the edges make a cycle: a → b → a"],
    );
    finds(
        r#"
        t trigger-manual
        each logic-loop {"items": "trigger.x"}
        in action-notify
        out action-notify
        t -> each --body--> in -> out
        each --done--> out
        stray logic-loop {"items": []}
        out -> stray
        stop logic-stop {"ends": "loop"}
        stray -> stop
        "#,
        &["out: edges lead here from inside and from outside a loop's body", "stray?: a loop repeats nothing"],
    );
    let mut deep = String::from("t trigger-manual\n");
    for n in 0..12 {
        deep.push_str(&format!("l{n} logic-loop {{\"items\": [1]}}\n"));
    }
    deep.push_str("t -> l0");
    (1..12).for_each(|n| deep.push_str(&format!(" --body--> l{n}")));
    let found = found(&drawn(&deep));
    assert!(found.contains(&"l9: loops are nested more than 8 deep".to_owned()), "{found:?}");
}

#[test]
fn templates_and_names() {
    finds(
        r#"
        t trigger-manual
        a action-notify {"text": "{{ leed.name }}"}
        b action-notify {"deep": {"text": "{{ lead.name|uper }}"}}
        c action-notify {"text": "{{ node.gone.x }}"}
        d action-notify {"text": "{{ node.e.x }}"}
        e action-notify {"text": "{{ secrets.KEY }}"}
        f action-notify {"text": "{{ item }}"}
        g action-http {"url": "https://x", "headers": {"authorization": "Bearer {{ secrets.KEY }}"}}
        h logic-condition {"conditions": [{"field": "nobody.x", "value": 1}]}
        i action-notify {"text": "{% if %}"}
        t -> a -> b -> c -> d -> e -> f -> g -> h
        t -> i
        "#,
        &[
            "b: \"deep.text\": template, line 1: unknown filter \"uper\"",
            "i: \"text\": template, line 1: unexpected end of block",
            "a: nothing is called \"leed\"",
            "c: there is no node \"gone\" to take a value from",
            "d?: node \"e\" has no output here: it does not come before",
            "e: secrets are for action-http nodes only",
            "f: there is no \"item\" here",
            "h: nothing is called \"nobody\"",
        ],
    );
}

#[test]
fn merges_that_never_run_and_flows_that_feed_themselves() {
    finds(
        r#"
        t trigger-event {"event": "lead.*"}
        if logic-condition {"conditions": [{"field": "trigger.x", "operator": "is_true"}]}
        a action-update-lead {"fields": {"status": "hot"}}
        b action-emit {"event": "other.thing"}
        m logic-merge {"mode": "all"}
        n logic-merge {"mode": "count", "count": 3}
        t -> if --true--> a -> m
        if --false--> b -> m
        m -> n
        "#,
        &[
            "a?: this node makes \"lead.updated\", which this flow starts on",
            "m?: a merge waits for two ways of which only one can be taken",
            "n: a merge waits for 3 ways, and 1 lead to it",
        ],
    );
}

#[test]
fn a_trigger_says_what_starts_the_flow() {
    let graph = |config: Value| {
        let json = json!({"nodes": [{"id": "t", "type": "trigger-event", "data": {"config": config}}]});
        let graph = Graph::parse(&json, &Limits::default()).unwrap();
        assert_eq!(check(&graph), []);
        graph.trigger().cloned().unwrap()
    };
    let event = |patterns: &[&str], filter: Value| Trigger::Event {
        patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        filter: (!filter.is_null()).then_some(filter),
        on_failure: None,
    };
    assert_eq!(graph(json!({"event_source": "lead", "event_type": "INSERT"})), event(&["lead.created"], Value::Null));
    assert_eq!(
        graph(json!({"event_source": "conversation", "event_type": "any"})),
        event(&["conversation.*"], Value::Null)
    );
    assert_eq!(
        graph(json!({"event": "lead.updated", "filters": {"status": {"$in": ["hot"]}}})),
        event(&["lead.updated"], json!({"new.status": {"$in": ["hot"]}}))
    );
    assert_eq!(
        graph(
            json!({"event": "lead.updated", "conditions": [{"field": "trigger.new.score", "operator": "gt", "value": 5}]})
        ),
        event(&["lead.updated"], json!({"new.score": {"$gt": 5}}))
    );
}

#[test]
fn ten_thousand_nodes_are_read_at_once() {
    let config = json!({"text": "Dear {{ trigger.new.name }}", "n": 1});
    let mut nodes = vec![json!({"id": "n0", "type": "trigger-manual", "data": {}})];
    nodes.extend(
        (1..10_000).map(|n| json!({"id": format!("n{n}"), "type": "action-notify", "data": {"config": config}})),
    );
    let mut edges: Vec<Value> =
        (1..10_000).map(|n| json!({"source": format!("n{}", n - 1), "target": format!("n{n}")})).collect();
    edges.extend((0..9_998).map(|n| json!({"source": format!("n{n}"), "target": "n9999"})));
    let started = Instant::now();
    let graph = Graph::parse(&json!({"nodes": nodes, "edges": edges}), &Limits::default()).unwrap();
    assert_eq!(check(&graph), []);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
