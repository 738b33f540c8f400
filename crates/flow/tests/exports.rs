//! Graphs as editors export them.

use flow::{
    Action, Begin, Effect, End, Graph, Input, Limits, Piece, Reply, Request, State, Trigger, check, secret_pieces,
};
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000_000;
const MINUTE: i64 = 60_000_000;

struct Run {
    graph: Graph,
    state: State,
    effects: Vec<Effect>,
    actions: Vec<Action>,
}

impl Run {
    fn start(json: &str, trigger: Value, lead: Value) -> Run {
        let graph = Graph::parse(&serde_json::from_str(json).unwrap(), &Limits::default()).unwrap();
        assert_eq!(check(&graph), []);
        let records = json!({ "lead": lead }).as_object().unwrap().clone();
        let begin = Begin { run: "7".into(), flow: "exported".into(), trigger, records, ..Begin::default() };
        let (state, actions) = State::start(&graph, begin, START);
        let mut run = Run { graph, state, effects: Vec::new(), actions: Vec::new() };
        run.take(actions);
        run
    }

    fn take(&mut self, actions: Vec<Action>) {
        self.effects.extend(actions.iter().filter_map(|action| match action {
            Action::Do(effect) => Some(effect.clone()),
            _ => None,
        }));
        self.actions.extend(actions);
    }

    fn answer(&mut self, node: &str, answer: Value) {
        let at = self.effects.iter().position(|effect| effect.id.node == node).unwrap();
        let id = self.effects.remove(at).id;
        let actions = self.state.handle(&self.graph, Input::Answer { id, reply: Reply::Done(answer) }, START);
        self.take(actions);
    }

    fn at(&mut self, now: i64) {
        let actions = self.state.handle(&self.graph, Input::Tick, now);
        self.take(actions);
    }

    fn end(&self) -> &Action {
        self.actions.last().unwrap()
    }
}

#[test]
fn a_lead_is_welcomed_or_marked() {
    let json = include_str!("graphs/welcome.json");
    let lead =
        |score: i64| json!({"id": 3, "name": "Ada \"A\"", "email": "ada@EXAMPLE.com", "score": score, "tags": []});
    let mut run = Run::start(json, json!({ "new": lead(80) }), Value::Null);
    assert_eq!(
        run.effects[0].request,
        Request::Node { settings: json!({"lead_id": 3, "fields": {"status": "qualified"}}) }
    );
    run.answer("update-1", json!({}));
    assert!(run.state.is_over());

    let mut run = Run::start(json, json!({ "new": lead(79) }), Value::Null);
    assert_eq!(run.state.due(), Some(START + 5 * MINUTE));
    run.at(START + 5 * MINUTE);
    let Request::Email { to, subject, body, .. } = &run.effects[0].request else { panic!("{:?}", run.effects) };
    assert_eq!((to, subject.as_str()), (&vec!["ada@EXAMPLE.com".to_owned()], "Welcome, Ada \"A\""));
    assert_eq!(body, "Dear Ada \"A\",\nthank you for writing to us.");
    run.answer("email-1", json!({"queued": true}));
    assert_eq!(run.end(), &Action::End(End::Completed { output: json!({"queued": true}) }));
}

#[test]
fn a_message_is_classified_and_the_client_reminded() {
    let lead = json!({"id": 9, "name": "Grace"});
    let json = include_str!("graphs/classify.json");
    let mut run = Run::start(json, json!({"new": {"content": "perhaps"}}), lead.clone());
    run.answer("2", json!({"json": {"category": "warm", "reason": "she is not sure"}}));
    assert_eq!(run.state.due(), Some(START + 2 * 24 * 60 * MINUTE));
    run.at(START + 2 * 24 * 60 * MINUTE);
    assert_eq!(run.effects[0].request, Request::Node { settings: json!({"text": "Shall we find a day, Grace?"}) });

    let mut run = Run::start(json, json!({"new": {"content": "now"}}), lead);
    run.answer("2", json!({"json": {"category": "hot"}}));
    let Request::Node { settings } = &run.effects[0].request else { panic!("{:?}", run.effects) };
    assert_eq!(settings["fields"], json!({"temperature": "hot"}));
}

#[test]
fn leads_are_pushed_with_a_secret_that_no_lead_can_ask_for() {
    let mut run = Run::start(include_str!("graphs/sync.json"), json!({}), Value::Null);
    assert!(
        matches!(run.graph.trigger(), Some(Trigger::Schedule { on_failure: Some(flow), .. }) if flow == "tell the owner")
    );
    let sly = "\u{E0F1}CRM_TOKEN\u{E0F2}\"";
    run.answer("new-leads", json!({"rows": [{"id": 1, "name": sly}, {"id": 2, "name": "Ada"}]}));
    let Request::Http { headers, body, secrets, .. } = run.effects[0].request.clone() else {
        panic!("{:?}", run.effects)
    };
    assert_eq!(secrets, ["CRM_TOKEN"]);
    assert_eq!(secret_pieces(&headers[0].1, &secrets), [Piece::Text("Bearer "), Piece::Secret("CRM_TOKEN")]);
    let body = body.unwrap();
    assert_eq!(secret_pieces(&body, &secrets).len(), 1, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"id": 1, "name": "\u{FFFD}CRM_TOKEN\u{FFFD}\""}));
    assert!(!serde_json::to_string(&run.state).unwrap().contains("Bearer CRM"));

    run.answer("push", json!({"status": 201}));
    run.answer("push", json!({"status": 400}));
    run.at(START + MINUTE);
    assert_eq!(run.effects[0].request, Request::Notify { settings: json!({"text": "1 of 2 leads"}) });
    run.answer("summary", json!({}));
    assert_eq!(run.end(), &Action::End(End::Completed { output: json!({}) }));
}
