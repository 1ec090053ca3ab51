//! The model as a client sees it, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Fault, Model, Outcome, Role, Rule, Script, Turn};

const PATIENCE: Duration = Duration::from_secs(10);

fn body(tool: &str, messages: &[(&str, &str)]) -> Value {
    let messages: Vec<Value> =
        messages.iter().map(|(role, text)| json!({"role": role, "content": text})).collect();
    let tools = if tool.is_empty() { json!([]) } else { json!([{"function": {"name": tool}}]) };
    json!({"model": "scripted", "stream": true, "tools": tools, "messages": messages})
}

fn post_within(
    model: &Model,
    body: &Value,
    timeout: Duration,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let config = ureq::Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    agent.post(format!("{}/chat/completions", model.url())).send_json(body)
}

/// The text of an answer, with the names of its calls in brackets.
fn ask(model: &Model, tool: &str, messages: &[(&str, &str)]) -> String {
    let mut response = post_within(model, &body(tool, messages), PATIENCE).unwrap();
    assert_eq!(response.status(), 200);
    let stream = response.body_mut().read_to_string().unwrap();
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
    let mut said = String::new();
    for chunk in stream.split("\n\n").filter_map(|event| event.strip_prefix("data: {")) {
        let chunk: Value = serde_json::from_str(&format!("{{{chunk}")).unwrap();
        let delta = &chunk["choices"][0]["delta"];
        said.push_str(delta["content"].as_str().unwrap_or_default());
        if let Some(name) = delta["tool_calls"][0]["function"]["name"].as_str() {
            said.push_str(&format!("[{name}]"));
        }
    }
    said
}

fn outcomes(model: &Model) -> Vec<Outcome> {
    model.requests().into_iter().map(|record| record.outcome).collect()
}

#[test]
fn turns_follow_each_other_and_end_with_a_closing_text() {
    let rule = Rule::new(Role::Worker).contains("T1").call("read", json!({})).turn(Turn::echo());
    let script = Script::new().rule(rule).rule(Rule::new(Role::Planner).call("submit_plan", json!({})));
    let model = Model::start(script).unwrap();

    let first = [("user", "do T1")];
    assert_eq!(ask(&model, "submit_report", &first), "[read]");
    let second = [first[0], ("assistant", ""), ("tool", "the result")];
    assert_eq!(ask(&model, "submit_report", &second), "the result");
    assert_eq!(ask(&model, "submit_plan", &[("user", "plan"), ("assistant", "")]), "Done.");
    assert_eq!(model.misses(), [""; 0]);

    let requests = model.requests();
    let seen: Vec<(Role, usize)> = requests.iter().map(|r| (r.role, r.turn)).collect();
    assert_eq!(seen, [(Role::Worker, 0), (Role::Worker, 1), (Role::Planner, 1)]);
    assert_eq!(requests[0].body(), body("submit_report", &first));
    assert_eq!(requests[0].prompt, "do T1");
    assert_eq!(requests[0].tools(), ["submit_report"]);
    assert!(requests.iter().all(|r| r.ended.is_some_and(|end| end >= r.started)));
}

#[test]
fn what_the_script_lacks_is_answered_and_counted_as_a_miss() {
    let model = Model::start(Script::new().rule(Rule::new(Role::Worker).say("only this"))).unwrap();
    for (tool, messages, missing) in [
        (
            "submit_plan",
            [("user", "plan it"), ("system", "")],
            "no rule for a Planner request that says: plan it",
        ),
        ("submit_report", [("user", "go"), ("assistant", "only this")], "rule 0 has no turn 1 for: go"),
    ] {
        assert_eq!(ask(&model, tool, &messages), format!("The script has no answer: {missing}"));
        assert_eq!(model.misses().last().map(String::as_str), Some(missing));
    }
    assert_eq!(ask(&model, "", &[("user", "a title, please")]), "Lab conversation");
    assert_eq!(model.misses().len(), 2);
}

#[test]
fn first_matching_rule_wins() {
    let model = Model::start(
        Script::new()
            .rule(Rule::new(Role::Other).contains("a").say("general"))
            .first(Rule::new(Role::Other).contains("a").contains("b").say("special")),
    )
    .unwrap();
    assert_eq!(ask(&model, "bash", &[("user", "a b")]), "special");
    assert_eq!(ask(&model, "bash", &[("user", "a")]), "general");
    model.replace(Script::new().rule(Rule::new(Role::Other).say("replaced")));
    assert_eq!(ask(&model, "bash", &[("user", "a")]), "replaced");
}

#[test]
fn a_status_is_served_as_often_as_said_and_then_the_turn_itself() {
    let fault = Fault::Status { code: 429, retry_after: Some(3), body: "slow down".into(), times: 2 };
    let turn = Turn { fault: Some(fault), ..Turn::text("at last") };
    let model = Model::start(Script::new().rule(Rule::new(Role::Other).turn(turn))).unwrap();
    let request = body("bash", &[("user", "go")]);
    for _ in 0..2 {
        let mut response = post_within(&model, &request, PATIENCE).unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(response.body_mut().read_to_string().unwrap(), "slow down");
    }
    assert_eq!(ask(&model, "bash", &[("user", "go")]), "at last");
    assert_eq!(outcomes(&model), [Outcome::Faulted, Outcome::Faulted, Outcome::Answered]);
}

#[test]
fn a_closed_stream_breaks_off_after_its_text() {
    let turn = Turn { text: "half a".into(), ..Turn::fault(Fault::Close) };
    let model = Model::start(Script::new().rule(Rule::new(Role::Other).turn(turn))).unwrap();
    let mut response = post_within(&model, &body("bash", &[("user", "go")]), PATIENCE).unwrap();
    assert!(response.body_mut().read_to_string().is_err());
    assert_eq!(outcomes(&model), [Outcome::Faulted]);
}

#[test]
fn a_client_that_hangs_up_is_noticed_at_once() {
    let hang = Rule::new(Role::Other).contains("hang").turn(Turn::fault(Fault::Hang));
    let slow = Rule::new(Role::Other).contains("slow").turn(Turn::text("late").after(PATIENCE * 10));
    let model = Model::start(Script::new().rule(hang).rule(slow)).unwrap();
    for prompt in ["hang", "slow"] {
        let answer = post_within(&model, &body("bash", &[("user", prompt)]), Duration::from_millis(200));
        assert!(answer.and_then(|mut response| response.body_mut().read_to_string()).is_err());
        let dropped =
            |record: &super::Recorded| record.prompt == prompt && record.outcome == Outcome::Dropped;
        model.wait_for(PATIENCE, |records| records.iter().any(dropped).then_some(())).unwrap();
    }
}

#[test]
fn a_gate_holds_its_turn_and_two_held_turns_overlap() {
    let model =
        Model::start(Script::new().rule(Rule::new(Role::Other).turn(Turn::text("on").gate("g")))).unwrap();
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| ask(&model, "bash", &[("user", "go")]))).collect();
        model.wait_for(PATIENCE, |records| (records.len() == 2).then_some(())).unwrap();
        assert_eq!(outcomes(&model), [Outcome::Running, Outcome::Running]);
        model.open("g");
        for thread in both {
            assert_eq!(thread.join().unwrap(), "on");
        }
    });
    assert_eq!(ask(&model, "bash", &[("user", "go")]), "on", "an open gate stays open");
    let requests = model.requests();
    assert!(requests[0].overlaps(&requests[1]));
    assert!(!requests[0].overlaps(&requests[2]));
}

#[test]
fn waiting_in_vain_says_what_was_seen() {
    let model = Model::start(Script::new().rule(Rule::new(Role::Other).say("yes"))).unwrap();
    ask(&model, "bash", &[("user", "hello")]);
    let error = model.wait_for(Duration::from_millis(10), |_| None::<()>).unwrap_err().to_string();
    assert!(error.contains("Other turn 0 Answered: \"hello\""), "{error}");
}

#[test]
fn what_is_no_streamed_completion_is_refused() {
    let model = Model::start(Script::new()).unwrap();
    let mut request = body("bash", &[]);
    request["stream"] = json!(false);
    assert_eq!(post_within(&model, &request, PATIENCE).unwrap().status(), 400);
    let other =
        ureq::get(format!("{}/models", model.url())).config().http_status_as_error(false).build().call();
    assert_eq!(other.unwrap().status(), 404);
    assert!(model.requests().is_empty());
}

#[test]
fn a_script_is_readable_json() {
    let text = json!({
        "rules": [{
            "role": "worker",
            "contains": ["T1"],
            "turns": [
                {"delay_ms": 5, "calls": [{"name": "read", "args": {"filePath": "/a"}}]},
                {"fault": {"status": {"code": 500, "body": "", "times": 1}}},
                {"fault": "hang"},
                {"text": "Result: ", "echo": true, "gate": "g"}
            ]
        }]
    });
    let script: Script = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(script).unwrap(), text);
    let typo = json!({"rules": [{"role": "worker", "turn": []}]});
    assert!(serde_json::from_value::<Script>(typo).is_err());
}
