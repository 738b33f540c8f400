//! What docs/flows.md promises, flow by flow.

mod drawing;

use drawing::play;

#[track_caller]
fn plays(text: &str) {
    if let Err(error) = play(text) {
        panic!("{error}");
    }
}

#[test]
fn every_drawing_of_the_manual_does_what_it_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/flows.md")).unwrap();
    let blocks: Vec<&str> = page.split("```flow\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 12, "{} drawings", blocks.len());
    for block in blocks {
        if let Err(error) = play(block) {
            panic!("{block}\n{error}");
        }
    }
}

#[test]
fn a_node_waits_for_all_its_edges_and_runs_once() {
    plays(
        r#"
        start trigger-manual
        slow action-notify
        quick transform-set-variable {"name": "a", "value": 1}
        both action-notify
        start -> slow -> both
        start -> quick -> both
        by hand
        given
        runs start quick
        answer slow
        runs slow
        asks slow both
        answer both
        runs both
        ends completed
        "#,
    );
}

#[test]
fn a_branch_not_taken_is_dead_to_its_end_and_what_waits_for_it_is_told() {
    plays(
        r#"
        start trigger-manual
        if logic-condition {"conditions": [{"field": "trigger.x", "operator": "is_true"}]}
        a action-notify
        a2 action-notify
        b action-notify
        end action-notify
        only logic-merge {"mode": "all"}
        start -> if --true--> a -> a2 -> end
        if --false--> b -> end
        a2 -> only
        b -> only
        given {"x": false}
        runs start if b end
        skips a a2 only
        ends completed
        "#,
    );
}

#[test]
fn a_merge_runs_for_the_first_and_not_again_for_the_second() {
    plays(
        r#"
        start trigger-manual
        a action-notify
        b action-notify
        c action-notify
        first logic-merge {"mode": "any"}
        two logic-merge {"mode": "count", "count": 2}
        after1 action-notify
        start -> a, b, c
        a -> first
        b -> first
        a -> two
        b -> two
        c -> two
        first -> after1
        by hand
        given
        runs start
        answer b
        runs b first
        asks a b c after1
        answer after1
        runs after1
        answer c
        runs c two
        output two {"b": {}, "c": {}}
        answer a
        runs a
        ends completed
        "#,
    );
}

#[test]
fn retries_wait_twice_as_long_each_time_and_ask_for_the_same_again() {
    plays(
        r#"
        start trigger-manual
        call action-http {"url": "https://example.com", "retries": 2, "retryDelay": 10}
        start -> call
        by hand
        given
        fail call no route
        runs start call~
        after 9 s
        asks call
        after 1 s
        asks call
        answer call {"status": 503}
        runs call~
        after 20 s
        answer call {"status": 404}
        runs call!
        ends failed the answer has status 404
        "#,
    );
}

#[test]
fn an_error_handle_takes_what_failed_and_the_usual_way_is_dead() {
    plays(
        r#"
        start trigger-manual
        call action-sql {"sql": "select 1"}
        ok action-notify
        sorry action-notify {"text": "{{ node.call.error.message }}"}
        go_on action-sql {"sql": "select 2", "on_error": "continue"}
        last action-notify
        start -> call -> ok
        call --error--> sorry -> go_on -> last
        by hand
        given
        fail call division by zero
        runs start call!
        skips ok
        answer sorry
        fail go_on no
        answer last
        runs sorry go_on! last
        ends completed
        "#,
    );
}

#[test]
fn a_loop_keeps_the_order_of_its_results_whatever_the_order_of_answers() {
    plays(
        r#"
        start trigger-manual
        each logic-loop {"items": "trigger.list", "parallelism": 2, "result": "{{ item }}-{{ node.ask.n }}"}
        ask action-notify {"text": "{{ item }}"}
        done action-notify
        start -> each --body--> ask
        each --done--> done
        by hand
        given {"list": ["a", "b", "c"]}
        asks ask/0 ask/1
        answer ask/1 {"n": 1}
        asks ask/2
        answer ask/2 {"n": 2}
        answer ask/0 {"n": 0}
        output each {"count": 3, "results": ["a-0", "b-1", "c-2"], "failed": 0, "errors": []}
        runs start ask/1 ask/2 ask/0 each
        answer done
        ends completed
        "#,
    );
}

#[test]
fn a_failure_in_a_loop_ends_it_or_is_counted() {
    let body = r#"
        tell action-notify
        start -> each --body--> tell
        by hand
        given {"list": [1, 2]}
        fail tell/0 broken
    "#;
    plays(&format!(
        r#"
        start trigger-manual
        each logic-loop {{"items": "trigger.list", "parallelism": 2}}
        {body}
        runs start tell/0! each!
        cancels tell/1
        ends failed item 0: node "tell": broken
        "#
    ));
    plays(&format!(
        r#"
        start trigger-manual
        each logic-loop {{"items": "trigger.list", "on_error": "continue"}}
        {body}
        answer tell/1 {{"ok": 1}}
        output each {{"count": 2, "results": [null, {{"ok": 1}}], "failed": 1, "errors": ["item 0: node \"tell\": broken"]}}
        ends completed
        "#
    ));
}

#[test]
fn loops_nest_and_each_sees_its_own_item_and_those_around() {
    plays(
        r#"
        start trigger-manual
        rows logic-loop {"items": "trigger.rows"}
        cells logic-loop {"items": "{{ item }}"}
        set transform-set-variable {"name": "seen", "value": "{{ variables.seen }}{{ item }}of{{ node.rows|length }} "}
        start -> rows --body--> cells --body--> set
        given {"rows": [[1, 2], [3]]}
        variables {"seen": "1of2 2of2 3of1 "}
        ends completed
        "#,
    );
}

#[test]
fn a_stop_ends_an_iteration_a_loop_or_the_run() {
    for (ends, seen, rest) in [("iteration", "\"abde\"", "last"), ("loop", "\"ab\"", "last"), ("run", "\"ab\"", "")] {
        let runs = if rest.is_empty() { "" } else { "output last {\"last\": true}" };
        plays(&format!(
            r#"
            start trigger-manual
            each logic-loop {{"items": "trigger.list"}}
            if logic-condition {{"conditions": [{{"field": "item", "value": "c"}}]}}
            stop logic-stop {{"ends": "{ends}"}}
            set transform-set-variable {{"name": "seen", "value": "{{{{ variables.seen }}}}{{{{ item }}}}"}}
            last transform-set-variable {{"name": "last", "value": true}}
            start -> each --body--> if --true--> stop
            if --false--> set
            each --done--> last
            given {{"list": ["a", "b", "c", "d", "e"]}}
            {runs}
            variables {{"seen": {seen}{}}}
            ends completed
            "#,
            if rest.is_empty() { "" } else { ", \"last\": true" }
        ));
    }
}

#[test]
fn a_wait_takes_the_first_of_several_and_looks_back() {
    let flow = r#"
        start trigger-event {"event": "lead.created"}
        wait logic-wait {"events": [
            {"name": "booked", "event": "appointment.created", "conditions": [{"field": "event.new.lead_id", "value": "{{ trigger.new.id }}"}]},
            {"name": "lost", "event": "lead.lost"}], "timeout": "2 days"}
        yes action-notify
        no action-notify
        late action-notify
        start -> wait --booked--> yes
        wait --lost--> no
        wait --timeout--> late
    "#;
    plays(&format!(
        r#"{flow}
        given {{"new": {{"id": 7}}}}
        event {{"type": "appointment.created", "new": {{"lead_id": 8}}}}
        ends open
        event {{"type": "appointment.created", "new": {{"lead_id": 7}}}}
        runs start wait yes
        skips no late
        ends completed
        "#
    ));
    plays(&format!(
        r#"{flow}
        seen {{"type": "lead.lost"}}
        seen {{"type": "appointment.created", "new": {{"lead_id": 7}}}}
        given {{"new": {{"id": 7}}}}
        runs start wait no
        ends completed
        "#
    ));
    plays(&format!(
        r#"{flow}
        given {{"new": {{"id": 7}}}}
        after 47 hours
        ends open
        after 1 hour
        runs start wait late
        ends completed
        "#
    ));
}

#[test]
fn an_approval_is_decided_once() {
    plays(
        r#"
        start trigger-manual
        ok logic-approval {"message": "send it?", "timeout": {"hours": 1}}
        send action-notify
        drop action-notify
        start -> ok --approved--> send
        ok --rejected--> drop
        given
        signal other true
        ends open
        signal ok {"approved": false, "reason": "no"}
        signal ok true
        runs start ok drop
        ends completed
        "#,
    );
}

#[test]
fn disabled_nodes_are_passed_through() {
    plays(
        r#"
        start trigger-manual
        if logic-condition {"conditions": [{"field": "trigger.x", "value": 1}]}
        call action-http {"url": "https://example.com"}
        yes action-notify
        no action-notify
        off if
        off call
        start -> if --true--> call -> yes
        if --false--> no
        given
        runs start if call yes
        asks yes
        skips no
        ends completed
        "#,
    );
}

#[test]
fn a_run_is_bounded_in_steps_bytes_and_items() {
    plays(
        r#"
        start trigger-manual
        each logic-loop {"items": "trigger.list"}
        set transform-set-variable {"name": "a", "value": "{{ item }} of many and more than many items"}
        start -> each --body--> set
        limits {"steps": 5}
        given {"list": [1, 2, 3, 4, 5, 6]}
        ends failed the run takes more than 5 steps
        limits {"items": 2}
        given {"list": [1, 2, 3]}
        ends failed there are 3 items, at most 2 are allowed. "max_items" of the node allows up to 2.
        limits {"run_bytes": 400}
        given {"list": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]}
        ends failed the outputs of the run take more than 400 bytes
        limits {"steps_at_once": 2}
        given {"list": [1, 2, 3, 4, 5, 6]}
        ends completed
        "#,
    );
}

#[test]
fn cancelling_calls_off_what_is_open() {
    plays(
        r#"
        start trigger-manual
        a action-notify
        b logic-delay {"days": 1}
        c logic-wait {"event": "x.y"}
        start -> a, b, c
        by hand
        given
        cancel enough
        cancels a b c
        ends cancelled enough
        "#,
    );
}

#[test]
fn an_agent_asks_its_tools_until_it_answers() {
    plays(
        r#"
        start trigger-manual
        agent ai-agent {"prompt": "Book {{ trigger.day }}", "tools": ["book"], "maxTurns": 3}
        done transform-set-variable {"name": "said", "value": "{{ node.agent.text }}"}
        start -> agent -> done
        by hand
        given {"day": "monday"}
        answer agent {"tool_calls": [{"id": "1", "name": "book", "arguments": {"day": "monday"}}, {"id": "2", "name": "rm", "arguments": {}}]}
        asks agent agent
        answer agent {"booked": true}
        asks agent
        answer agent {"text": "Done."}
        variables {"said": "Done."}
        ends completed
        given {"day": "monday"}
        answer agent {"tool_calls": [{"id": "1", "name": "none"}]}
        answer agent {"tool_calls": [{"id": "1", "name": "none"}]}
        answer agent {"tool_calls": [{"id": "1", "name": "none"}]}
        ends failed the agent has not answered after 3 turns
        "#,
    );
}

#[test]
fn a_model_that_answers_otherwise_is_asked_again_or_fails() {
    plays(
        r#"
        start trigger-manual
        kind ai-classify {"input": "{{ trigger.text }}", "categories": ["hot", "cold"], "retries": 1}
        how logic-switch {"value": "{{ node.kind.category }}", "cases": ["hot", "cold"]}
        call action-notify
        start -> kind -> how --hot--> call
        by hand
        given {"text": "now!"}
        answer kind {"text": "It seems quite warm to me."}
        runs start kind~
        after 1 s
        answer kind {"json": {"category": "HOT"}}
        answer call
        runs kind how call
        ends completed
        "#,
    );
}
