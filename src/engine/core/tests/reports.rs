//! The report reaches the conversation exactly once, in whatever order things happen.
use super::outside::*;
use super::*;
use crate::domain::ids::{HostSessionId, MissionId};
use crate::engine::core::event::Options;
use crate::engine::core::{Control, Input};
use crate::ports::host::{HostError, TurnState};

const PARENT: &str = "u0";

fn one_task() -> World {
    planned(vec![task("T1", "a", "")])
}

fn delivered_once(w: &mut World, m: &MissionId, how: &str) {
    w.run();
    w.run_for(120_000);
    assert_eq!(w.trace(m, &["handed"]), [format!("handed back: {how}")]);
    let expected = usize::from(how != "Nobody");
    assert_eq!(w.outside.delivered.len(), expected, "{:?}", w.outside.delivered);
}

#[test]
fn to_the_call_that_waits() {
    let mut w = one_task();
    let m = w.task("do it");
    delivered_once(&mut w, &m, "ToolResult");
}

#[test]
fn to_the_conversation_later_when_the_user_does_not_want_to_wait() {
    let mut w = one_task();
    let options = Options { background: Some(true), ..w.options() };
    let m = w.task_in(PARENT, "/p", "do it", options);
    w.run_until(|w| !w.outside.delivered.is_empty());
    assert!(w.mission(&m).state.is_open(), "the call returned before the end");
    w.run();
    w.run_for(120_000);
    let [said, report] = &w.outside.delivered[..] else { panic!("{:?}", w.outside.delivered) };
    assert!(said.starts_with("Mission m1 is at work in the background."), "{said}");
    assert!(report.starts_with("Mission m1: completed"), "{report}");
    assert_eq!(w.trace(&m, &["handed"]), ["handed back: Message"]);
}

#[test]
fn to_the_conversation_when_no_call_waits() {
    let mut w = one_task();
    w.outside.script("Commander", vec![vec![(100, Step::Say("no tools for me"))]]);
    let m = w.task("do it");
    delivered_once(&mut w, &m, "Message");
}

#[test]
fn not_into_a_turn_of_the_users() {
    let mut w = one_task();
    w.outside.script(
        "Commander",
        vec![vec![(100, Step::Say("no tools for me"))], vec![(300_000, Step::Say("long talk"))]],
    );
    let m = w.task("do it");
    w.run_for(2_000);
    let parent = HostSessionId::from(PARENT);
    w.outside.begin(w.now, &parent, "meanwhile, something else");
    w.run_until(|w| w.core.missions().any(|m| m.owes_report()));
    w.run_for(60_000);
    assert_eq!(w.outside.delivered.len(), 0, "the user's turn runs");
    delivered_once(&mut w, &m, "Message");
}

#[test]
fn to_nobody_when_the_conversation_is_gone() {
    // Deleted while the mission works, or while the report is owed.
    for owed in [false, true] {
        let mut w = one_task();
        w.outside
            .script("Commander", vec![vec![(100, Step::Say("x"))], vec![(300_000, Step::Say("long talk"))]]);
        let m = w.task("do it");
        w.run_for(2_000);
        let parent = HostSessionId::from(PARENT);
        w.outside.begin(w.now, &parent, "meanwhile");
        if owed {
            w.run_until(|w| w.core.missions().any(|m| m.owes_report()));
        }
        w.outside.delete(w.now, &parent);
        delivered_once(&mut w, &m, "Nobody");
        assert_eq!(w.state(&m), if owed { "completed" } else { "orphaned" });
        assert!(
            w.outside.sessions.values().all(|s| !s.busy || s.key.is_none()),
            "no turn goes on for nobody"
        );
    }
}

#[test]
fn a_mission_that_waits_is_cancelled_with_its_conversation() {
    let mut w = one_task();
    let first = w.task("first");
    let second = w.task_in("u9", "/p", "second", w.options());
    assert_eq!(w.state(&second), "queued");
    w.outside.delete(w.now, &"u9".into());
    w.run();
    assert_eq!((w.state(&first), w.state(&second)), ("completed", "cancelled"));
}

#[test]
fn once_when_the_confirmation_of_the_call_is_lost() {
    let mut w = one_task();
    w.outside.script("Commander", vec![vec![(100, Step::Call(brief("b"))), (100, Step::EndUnseen("told"))]]);
    let m = w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.owes_report()));
    w.outside.lose_events();
    delivered_once(&mut w, &m, "ToolResult");
}

#[test]
fn once_when_the_host_took_the_message_and_did_not_say_so() {
    let mut w = one_task();
    w.outside.script("Commander", vec![vec![(100, Step::Say("x"))]]);
    w.outside.hand_back_faults.extend([HostError::TimedOut(30_000)]);
    let m = w.task("do it");
    delivered_once(&mut w, &m, "Message");
}

#[test]
fn once_when_the_call_comes_only_after_the_end() {
    // The sidecar was restarted while the call waited; the mission ends before the shim asks again.
    let mut w = one_task();
    w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.phase == Some(crate::domain::mission::Phase::Integrating)));
    let moment = w.moments.last().expect("a commit").clone();
    let (call, tool) =
        moment.after.sessions[&HostSessionId::from(PARENT)].open_call.clone().expect("a call waits");
    let mut outside = moment.after.clone();
    outside.sessions.values_mut().for_each(|s| s.open_call = None);
    let mut w = w.take_over(moment.now, moment.events, &outside, false);
    w.run_until(|w| w.core.missions().any(|m| m.owes_report()));
    w.outside.session(&PARENT.into()).open_call = Some((call.clone(), tool.clone()));
    w.tool(PARENT.into(), call, tool);
    delivered_once(&mut w, &"m1".into(), "ToolResult");
}

#[test]
fn once_when_two_calls_wait() {
    let mut w = one_task();
    let m = w.task("do it");
    w.run_for(2_000);
    let reply = w.reply();
    w.step(Input::Tool { reply, session: PARENT.into(), call: "second".into(), tool: brief("again") });
    w.run();
    assert!(w.answers.contains_key(&reply), "the second call is answered as well");
    delivered_once(&mut w, &m, "ToolResult");
}

#[test]
fn to_the_conversation_the_mission_was_attached_to() {
    let mut w = one_task();
    w.outside.script("Commander", vec![vec![(100, Step::Say("x"))]]);
    let m = w.task("do it");
    w.run_for(3_000);
    let other = Session { title: "Commander".into(), ..Session::default() };
    w.outside.sessions.insert("u7".into(), other);
    let reply = w.reply();
    w.step(Input::Attach { reply, mission: m.clone(), parent: "u7".into() });
    delivered_once(&mut w, &m, "Message");
    assert_eq!(w.outside.session(&"u7".into()).messages.len(), 1);
}

#[test]
fn a_look_at_an_idle_conversation_that_says_busy_first_waits() {
    // The idle event comes before the status call agrees: the next look decides.
    let mut w = one_task();
    w.outside.script("Commander", vec![vec![(100, Step::Say("x"))], vec![(40_000, Step::EndUnseen("late"))]]);
    let m = w.task("do it");
    w.run_for(2_000);
    w.outside.begin(w.now, &PARENT.into(), "meanwhile");
    w.run_until(|w| w.core.missions().any(|m| m.owes_report()));
    let idle = crate::engine::core::HostInput::Status {
        session: PARENT.into(),
        state: TurnState::Idle,
        retry_at: None,
        message: None,
    };
    w.step(Input::Host { event: idle });
    delivered_once(&mut w, &m, "Message");
}

#[test]
fn a_second_report_of_the_same_end_is_delivered_beside_the_first() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
    let fails = || vec![(10, Step::Fail("ProviderAuthError", Some(401)))];
    w.outside.script("T2", (0..6).map(|_| fails()).collect());
    w.outside.script("Commander", vec![vec![(100, Step::Say("x"))]]);
    let m = w.task("do it");
    for times in 1..=2 {
        w.run();
        w.run_for(120_000);
        assert_eq!(w.state(&m), "partially_completed");
        assert_eq!(w.outside.delivered.len(), times, "{:?}", w.outside.delivered);
        if times == 1 {
            w.control(&m, Control::Retry).unwrap();
        }
    }
    let first_line = |text: &String| text.lines().next().map(String::from);
    assert_eq!(first_line(&w.outside.delivered[0]), first_line(&w.outside.delivered[1]));
}

#[test]
fn the_answer_to_an_earlier_report_says_nothing_of_a_later_one() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
    let fails = || vec![(10, Step::Fail("ProviderAuthError", Some(401)))];
    w.outside.script("T2", (0..6).map(|_| fails()).collect());
    w.outside.script("Commander", vec![vec![(100, Step::Say("x"))]]);
    let m = w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.owes_report()));
    let quick = std::mem::replace(&mut w.host_ms, 20_000);
    w.run_until(|w| w.outside.delivered.len() == 1);
    // The host has the first report and has not said so when the mission goes on.
    w.control(&m, Control::Retry).unwrap();
    w.host_ms = quick;
    w.run();
    w.run_for(300_000);
    assert_eq!(w.state(&m), "partially_completed");
    assert_eq!(w.outside.delivered.len(), 2, "{:?}", w.outside.delivered);
    assert_eq!(w.trace(&m, &["handed"]).last().map(String::as_str), Some("handed back: Message"));
}
