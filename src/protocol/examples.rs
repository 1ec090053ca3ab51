//! One example of every call: published with the schema, and proof that schema and types say the same.
use serde_json::{Value, json};

/// Params and result of a method. A method without an example fails the tests here.
pub(super) fn of_method(name: &str) -> (Value, Value) {
    let checkpoint = json!({
        "sequence": 17,
        "at": 1_767_225_900_000_u64,
        "trigger": "task_state",
        "phase": "executing",
        "completed": 2,
        "total": 5,
        "tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    });
    let detail = || {
        json!({ "mission": mission("running"), "tasks": [task()], "tokens": 48_200, "cost": 0.31, "awaitsApproval": false,
            "asks": [ask()],
            "checkpoints": [checkpoint.clone()], "lastEvent": log_line(),
            "budget": { "tokens": 500_000, "tokensSpent": 41_250, "costSpent": 0.27 },
            "forecast": { "minutes": 12.5, "turns": 5, "tokens": 90_000, "cost": 0.7 } })
    };
    let of_session = || json!({ "directory": "/home/ann/shop", "session": "ses_7" });
    match name {
        "initialize" => (
            json!({
                "protocolVersion": 1,
                "client": { "name": "opencode-gantry", "version": "0.1.0" },
                "host": { "line": "v1", "version": "1.18.33", "pid": 4711 },
            }),
            json!({
                "protocolVersion": 1,
                "server": { "name": "gantry", "version": "0.1.0" },
                "pid": 4712,
                "home": "/home/ann/.local/share/gantry",
                "store": "/home/ann/.local/share/gantry/gantry.db",
            }),
        ),
        "workspace/open" => (
            json!({
                "directory": "/home/ann/shop",
                "worktree": "/home/ann/shop",
                "options": { "resume": "report", "checks": ["npm test"], "workers": 4 },
                "reattach": false,
            }),
            json!({ "missions": [mission("running")], "sessions": ["ses_1", "ses_7"] }),
        ),
        "workspace/close" => (json!({ "directory": "/home/ann/shop" }), json!({})),
        "mission/create" => (
            json!({
                "directory": "/home/ann/shop",
                "parentSession": "ses_1",
                "text": "Round invoice totals to cents",
                "key": "ses_1/msg_3",
            }),
            json!({ "mission": mission("queued"), "queuedBehind": [] }),
        ),
        "mission/attach" => {
            (json!({ "directory": "/home/ann/shop", "mission": "m1", "parentSession": "ses_9" }), detail())
        }
        "mission/status" => (json!({ "directory": "/home/ann/shop" }), detail()),
        "mission/view" => (
            json!({ "directory": "/home/ann/shop", "parentSession": "ses_1" }),
            json!({
                "detail": detail(),
                "summary": "Rounding first, then the callers.",
                "attempts": [{
                    "role": "worker",
                    "task": "T2",
                    "ordinal": 1,
                    "session": "ses_7",
                    "state": "failed",
                    "reason": "no report",
                    "openedAt": 1_767_225_700_000_u64,
                    "closedAt": 1_767_225_800_000_u64,
                }],
                "findings": [{
                    "task": "T2",
                    "severity": "high",
                    "file": "src/tax.js",
                    "line": 12,
                    "message": "Half a cent is lost.",
                }],
                "log": [log_line()],
            }),
        ),
        "mission/list" => (
            json!({ "directory": "/home/ann/shop", "open": true }),
            json!({ "missions": [mission("running")] }),
        ),
        "notice/list" => (
            json!({ "directory": "/home/ann/shop", "after": 1_767_225_800_000_u64 }),
            json!({ "notices": [{
                "number": 1_767_225_900_000_u64,
                "title": "Mission completed",
                "message": "Round totals: 4/4 tasks in 6:12",
                "variant": "success",
            }] }),
        ),
        "mission/rollback" => (
            json!({
                "directory": "/home/ann/shop",
                "mission": "m1",
                "task": "T2",
                "undo": false,
                "dryRun": true,
                "force": false,
            }),
            json!({
                "mission": mission("completed"),
                "done": false,
                "files": [{ "path": "src/invoice.js", "what": "changed back" }],
                "conflicts": ["src/tax.js: it was edited since"],
                "others": [],
                "left": [],
                "text": "Nothing was changed, for 1 file would be lost.",
            }),
        ),
        "mission/control" => (
            json!({
                "directory": "/home/ann/shop",
                "mission": "m1",
                "action": "steer",
                "text": "Leave the tax rules alone",
            }),
            detail(),
        ),
        "command/run" => (
            json!({
                "directory": "/home/ann/shop",
                "session": "ses_1",
                "command": "steer",
                "text": "Leave the tax rules alone",
            }),
            json!({ "text": "The workers are told: 0199a1b2-c3d4 executing, 2/5 done: Round invoice totals to cents." }),
        ),
        "tool/list" => (
            json!({}),
            json!({ "tools": [{
                "name": "submit_report",
                "description": "Hands in the result of the task.",
                "inputSchema": { "type": "object" },
                "roles": ["worker"],
            }] }),
        ),
        "tool/call" => (
            json!({
                "directory": "/home/ann/shop",
                "session": "ses_7",
                "message": "msg_12",
                "call": "call_2",
                "agent": "worker",
                "tool": "submit_report",
                "args": { "status": "done", "summary": "Totals are rounded half to even." },
            }),
            json!({ "title": "Report received", "output": "Thank you. End your turn now.", "metadata": { "task": "T2" } }),
        ),
        "lease/check" => (
            json!({
                "directory": "/home/ann/shop",
                "session": "ses_7",
                "call": "call_1",
                "tool": "write",
                "paths": ["src/tax.js"],
            }),
            json!({ "allow": false, "reason": "src/tax.js is being changed by task T3; work on your own files." }),
        ),
        "metrics/read" => (
            json!({}),
            json!({
                "pid": 4712,
                "counters": { "commits": 214, "actions.prompt": 31 },
                "gauges": { "missions.running": 1, "attempts.open.worker": 3 },
                "queues": [{
                    "name": "store writes",
                    "waiting": 0,
                    "limit": 1024,
                    "whenFull": "callers wait",
                    "turnedAway": 0,
                }],
            }),
        ),
        "shutdown" => (json!({}), json!({})),
        "host/session.create" => (
            json!({
                "directory": "/home/ann/shop",
                "parent": "ses_1",
                "title": "T2 Round the totals",
                "agent": "worker",
                "key": "m1/T2/1",
                "adopt": false,
            }),
            json!({ "session": "ses_7" }),
        ),
        "host/folder.open" => (
            json!({ "directory": "/home/ann/shop", "folder": "/home/ann/.local/share/gantry/worktrees/4f/1/shop" }),
            json!({}),
        ),
        "host/session.prompt" => (
            json!({
                "directory": "/home/ann/shop",
                "session": "ses_7",
                "agent": "worker",
                "text": "Task T2: Round the totals",
                "noReply": false,
            }),
            json!({}),
        ),
        "host/session.abort" | "host/session.delete" => (of_session(), json!({})),
        "host/session.messages" => (
            json!({ "directory": "/home/ann/shop", "session": "ses_7", "limit": 20 }),
            json!({ "messages": [message()] }),
        ),
        "host/session.status" => (
            json!({ "directory": "/home/ann/shop", "sessions": ["ses_7", "ses_8"] }),
            json!({ "sessions": [
                { "session": "ses_7", "state": "busy" },
                { "session": "ses_8", "state": "absent" },
            ] }),
        ),
        "host/toast" => (
            json!({
                "directory": "/home/ann/shop",
                "title": "Mission m1",
                "message": "Completed: 5 of 5 tasks",
                "variant": "success",
                "duration": 5000,
            }),
            json!({}),
        ),
        "host/permission.ask" => (
            json!({
                "directory": "/home/ann/shop",
                "session": "ses_1",
                "call": "call_9",
                "permission": "edit",
                "patterns": ["src/cart.ts"],
                "metadata": { "filepath": "src/cart.ts", "diff": "-add(a)\n+sum(a)\n" },
            }),
            json!({ "allow": false, "reason": "The user refused it." }),
        ),
        "host/permission.list" => (
            of_session(),
            json!({ "asks": [{ "id": "per_1", "session": "ses_7", "permission": "bash", "patterns": ["npm publish"] }] }),
        ),
        "host/permission.reply" => (
            json!({ "directory": "/home/ann/shop", "session": "ses_7", "id": "per_1", "refusal": "Nothing is published." }),
            json!({}),
        ),
        "host/progress" => (
            json!({
                "directory": "/home/ann/shop",
                "session": "ses_1",
                "call": "call_9",
                "title": "executing: 2 of 5 done, 2 running",
                "metadata": { "mission": "m1" },
            }),
            json!({}),
        ),
        other => panic!("{other} has no example: add one to src/protocol/examples.rs"),
    }
}

/// Params of a notification.
pub(super) fn of_notification(name: &str) -> Value {
    match name {
        "event/batch" => json!({
            "directory": "/home/ann/shop",
            "events": [
                { "type": "tool", "session": "ses_7", "call": "call_2", "tool": "write", "state": "completed" },
                { "type": "message", "session": "ses_7", "message": message() },
                { "type": "permission", "session": "ses_7", "id": "per_1", "open": true, "permission": "bash", "patterns": ["npm publish"], "rejected": false },
                { "type": "error", "session": "ses_8", "error": { "name": "APIError", "message": "overloaded", "status": 529 } },
                { "type": "status", "session": "ses_7", "state": "idle" },
                { "type": "status", "session": "ses_8", "state": "retry", "retryAt": 1_767_225_660_000_u64 },
                { "type": "deleted", "session": "ses_9" },
            ],
        }),
        "$/cancel" => json!({ "id": 17 }),
        other => panic!("{other} has no example: add one to src/protocol/examples.rs"),
    }
}

fn ask() -> Value {
    json!({
        "id": "per_1",
        "session": "ses_7",
        "task": "T2",
        "permission": "bash",
        "patterns": ["npm publish"],
        "at": 1_767_225_800_000_u64,
        "allowed": false,
        "by": "user",
    })
}

fn log_line() -> Value {
    json!({ "at": 1_767_225_800_000_u64, "text": "T2 in review" })
}

fn mission(state: &str) -> Value {
    json!({
        "id": "m1",
        "title": "Round invoice totals to cents",
        "state": state,
        "parentSession": "ses_1",
        "directory": "/home/ann/shop",
        "done": 2, "running": 2, "waiting": 1, "failed": 0, "total": 5,
        "createdAt": 1_767_225_600_000_u64,
    })
}

fn task() -> Value {
    json!({
        "id": "T2",
        "title": "Round the totals",
        "state": "running",
        "dependsOn": ["T1"],
        "files": ["src/invoice.js"],
        "checks": ["npm test"],
        "attempts": 1,
    })
}

fn message() -> Value {
    json!({
        "id": "msg_12",
        "role": "assistant",
        "text": "The totals are rounded.",
        "completed": true,
        "finish": "stop",
        "usage": { "input": 1200, "output": 80, "reasoning": 0, "cacheRead": 900, "cacheWrite": 0, "cost": 0.004 },
        "calls": [{ "call": "call_3", "tool": "mission", "state": "completed" }],
    })
}

mod tests {
    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::{Value, json};
    use ts_rs::TS;

    use super::{super::emit::rpc_schema, of_method, of_notification};
    use crate::protocol::methods::{Method, MethodInfo, Notification, NotificationInfo, Rows, visit_rows};

    /// Checks every example against its schema and its Rust type.
    struct Check {
        schema: Value,
        checked: usize,
    }

    impl Check {
        fn example<T: Serialize + DeserializeOwned>(
            &mut self,
            table: &str,
            name: &str,
            part: &str,
            example: Value,
        ) {
            let what = format!("{part} of {name}");
            let validator = self.validator(table, name, part);
            let faults: Vec<_> = validator.iter_errors(&example).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{what}: {faults:?}");
            let value: T = serde_json::from_value(example.clone()).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(serde_json::to_value(&value).expect("JSON"), example, "{what} changes on its way");

            let mut strange = example;
            strange["notAField"] = json!(1);
            assert!(!validator.is_valid(&strange), "the schema lets an unknown field into {what}");
            assert!(
                serde_json::from_value::<T>(strange).is_err(),
                "the type lets an unknown field into {what}"
            );
            self.checked += 1;
        }

        fn validator(&self, table: &str, name: &str, part: &str) -> jsonschema::Validator {
            let mut schema = self.schema[table][name][part].clone();
            schema["$defs"] = self.schema["$defs"].clone();
            jsonschema::draft202012::new(&schema).expect("a valid schema")
        }
    }

    impl Rows for Check {
        fn method<M: Method<Params: TS, Result: TS>>(&mut self, row: &MethodInfo) {
            let (params, result) = of_method(row.name);
            self.example::<M::Params>("methods", row.name, "params", params);
            self.example::<M::Result>("methods", row.name, "result", result);
        }

        fn notification<N: Notification<Params: TS>>(&mut self, row: &NotificationInfo) {
            self.example::<N::Params>("notifications", row.name, "params", of_notification(row.name));
        }
    }

    #[test]
    fn every_example_fits_its_schema_and_its_type() {
        let mut check = Check { schema: rpc_schema(), checked: 0 };
        visit_rows(&mut check);
        assert_eq!(
            check.checked,
            2 * super::super::methods::METHODS.len() + super::super::methods::NOTIFICATIONS.len()
        );
    }

    #[test]
    fn schemas_refuse_what_the_types_refuse() {
        let check = Check { schema: rpc_schema(), checked: 0 };
        let cases = [
            ("mission/create", json!({ "directory": "/p", "parentSession": "s", "text": "x" })),
            ("mission/control", json!({ "directory": "/p", "action": "explode" })),
            (
                "initialize",
                json!({ "protocolVersion": -1, "client": { "name": "x", "version": "1" }, "host": { "line": "v1", "pid": 1 } }),
            ),
            ("host/session.status", json!({ "directory": "/p", "sessions": "ses_1" })),
        ];
        for (name, params) in cases {
            assert!(!check.validator("methods", name, "params").is_valid(&params), "{name} takes {params}");
        }
    }
}
