//! The tools that models see: names, descriptions, arguments and which roles may call them.
//!
//! Arguments come from a language model. They are described strictly and read leniently: unknown keys are
//! ignored here, and what matters is checked by the engine, which answers with a list of faults the model can act on.
use super::code_tools::*;
use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct MissionArgs {
    /// What is to be achieved, with everything the conversation has settled, in full sentences.
    pub brief: String,
    /// Conditions that must hold at the end, each checkable.
    #[serde(default)]
    pub acceptance: Vec<String>,
    /// What must not be touched or done.
    #[serde(default)]
    pub constraints: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SubmitPlanArgs {
    /// One or two sentences on how the work is cut.
    #[serde(default)]
    pub summary: String,
    /// 1 to 200 tasks. When the rest of a mission is planned anew: only those that are new or change.
    pub tasks: Vec<PlanTask>,
    /// Only when the rest of a mission is planned anew: ids of tasks that are not wanted any more.
    #[serde(default)]
    pub drop: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct PlanTask {
    /// Short and unique, for example T1.
    pub id: String,
    pub title: String,
    /// All a worker needs to know that the brief does not say.
    #[serde(default)]
    pub description: String,
    /// Files the task may change: paths or globs relative to the project.
    #[serde(default)]
    pub files: Vec<String>,
    /// Ids of tasks that must be accepted before this one starts.
    #[serde(default)]
    pub depends_on: Vec<String>,
    #[serde(default)]
    pub capabilities: Vec<String>,
    #[serde(default)]
    pub priority: Option<PlanPriority>,
    /// Commands that must pass for this task: the project's own checks, narrowed to paths of the project.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Expected working time in minutes.
    #[serde(default)]
    pub estimate_minutes: Option<f64>,
    /// fractal: too large for one worker, to be planned further when its turn comes. race: several workers try it side by
    /// side and the best try is taken. normal: neither.
    #[serde(default)]
    pub mode: Option<PlanMode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanMode {
    Normal,
    Fractal,
    Race,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanPriority {
    High,
    Normal,
    Low,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SubmitReportArgs {
    pub status: ReportStatus,
    /// What was done and what the next task should know.
    pub summary: String,
    #[serde(default)]
    pub files_changed: Vec<String>,
    #[serde(default)]
    pub notes: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportStatus {
    Done,
    Partial,
    Blocked,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SubmitReviewArgs {
    pub verdict: ReviewVerdict,
    pub summary: String,
    #[serde(default)]
    pub findings: Vec<FindingArg>,
    /// Only where several tries at one task are compared: the one to take, as in T1.r2.
    #[serde(default)]
    pub choice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewVerdict {
    Approve,
    Changes,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct FindingArg {
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub line: Option<u32>,
    /// high, medium or low.
    pub severity: String,
    pub message: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ContextPutArgs {
    /// Words with dots between, as in api.errors.
    pub key: String,
    /// What the others should know; left out, the note is taken away.
    #[serde(default)]
    pub value: Option<String>,
    /// mission: for all agents of the mission; task: for those who work on or review the same task, until it is over.
    #[serde(default)]
    pub scope: Option<NoteScope>,
    /// The version you read, so that nobody's change is lost; 0 for a note that must be new.
    #[serde(default)]
    pub expected_version: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteScope {
    Mission,
    Task,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ContextGetArgs {
    /// A name, with all below it; all notes when absent.
    #[serde(default)]
    pub key: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct MissionStatusArgs {
    /// Mission id; the mission of this conversation when absent.
    #[serde(default)]
    pub mission: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct MissionControlArgs {
    #[serde(default)]
    pub mission: Option<String>,
    pub action: ControlArg,
    /// For steer: what to tell the workers. For accept: the user's reason.
    #[serde(default)]
    pub text: Option<String>,
    /// For steer: interrupt who is at work on it, and tell him at once.
    #[serde(default)]
    pub now: Option<bool>,
    /// For steer: the task it is about; all when absent. For accept, only when the user has said so: the task that counts as done from then on; the mission as a whole when
    /// absent. For rollback: only what this task changed. For expand: the
    /// task, not begun yet, that is to be planned further.
    #[serde(default)]
    pub task: Option<String>,
    /// For restore: the checkpoint to take a paused or failed mission back to; for rollback: only what changed since it.
    #[serde(default)]
    pub checkpoint: Option<u32>,
    /// For restore: take the files back too.
    #[serde(default)]
    pub files: Option<bool>,
    /// For rollback: take the last rollback back.
    #[serde(default)]
    pub undo: Option<bool>,
    /// For rollback: only say what would be done.
    #[serde(default)]
    pub dry_run: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlArg {
    Pause,
    Suspend,
    Resume,
    Cancel,
    Retry,
    Steer,
    Accept,
    Expand,
    Checkpoint,
    Restore,
    Rollback,
}

/// One tool as the shim registers it.
pub struct Tool {
    pub name: &'static str,
    pub description: &'static str,
    /// Agents that may call it; every other agent neither sees nor runs it.
    pub roles: &'static [&'static str],
    /// The permission of the host that a call asks for, before it is sent here.
    pub permission: Option<&'static str>,
    pub schema: fn() -> Schema,
}

fn schema<T: JsonSchema>() -> Schema {
    let mut schema = SchemaSettings::draft2020_12()
        .with(|s| {
            s.inline_subschemas = true;
            s.meta_schema = None;
        })
        .into_generator()
        .into_root_schema_for::<T>();
    RecursiveTransform(lean).transform(&mut schema);
    schema
}

/// Drops what a model need not read. An optional field is one that is not required: several model providers
/// refuse a list of types, so `null` is taken out here and is still understood when it comes.
fn lean(schema: &mut Schema) {
    for key in ["title", "default", "format"] {
        schema.remove(key);
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
}

/// Every tool, in the order they are registered.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "mission",
        description: "Starts the mission of this conversation with its brief, and returns with the report when it has ended.",
        roles: &["commander"],
        permission: None,
        schema: schema::<MissionArgs>,
    },
    Tool {
        name: "mission_status",
        description: "Says where a mission stands: state, phase, tasks.",
        roles: &["commander"],
        permission: None,
        schema: schema::<MissionStatusArgs>,
    },
    Tool {
        name: "mission_control",
        description: "Pauses, suspends (ends its turns for now), resumes, cancels, retries or steers a mission, accepts a task on the user's word, has one planned further, makes a checkpoint, takes its work back to one, or takes back the files it changed.",
        roles: &["commander"],
        permission: None,
        schema: schema::<MissionControlArgs>,
    },
    Tool {
        name: "submit_plan",
        description: "Hands in the plan: a graph of tasks. Call it once; faults come back as a list to mend.",
        roles: &["planner"],
        permission: None,
        schema: schema::<SubmitPlanArgs>,
    },
    Tool {
        name: "submit_report",
        description: "Hands in the result of the task. Call it once, after the last change.",
        roles: &["worker"],
        permission: None,
        schema: schema::<SubmitReportArgs>,
    },
    Tool {
        name: "submit_review",
        description: "Hands in the verdict on the change: approve, or changes with findings.",
        roles: &["reviewer"],
        permission: None,
        schema: schema::<SubmitReviewArgs>,
    },
    Tool {
        name: "context_put",
        description: "Leaves a note for the other agents of the mission: a decision, a name, an interface they have to keep to. Not for secrets, and not for the report.",
        roles: &["planner", "worker", "reviewer"],
        permission: None,
        schema: schema::<ContextPutArgs>,
    },
    Tool {
        name: "context_get",
        description: "Reads the notes of the mission's agents, with their versions.",
        roles: &["planner", "worker", "reviewer"],
        permission: None,
        schema: schema::<ContextGetArgs>,
    },
    Tool {
        name: "search_text",
        description: "Finds lines by regular expressions or words, in all files of the project at once, in milliseconds. Skips what .gitignore leaves out unless asked. Says how many hits there are in all and how to go on.",
        roles: &["commander", "planner", "worker", "reviewer"],
        permission: Some("grep"),
        schema: schema::<SearchTextArgs>,
    },
    Tool {
        name: "search_files",
        description: "Finds files by name and type, the last changed first.",
        roles: &["commander", "planner", "worker", "reviewer"],
        permission: Some("glob"),
        schema: schema::<SearchFilesArgs>,
    },
    Tool {
        name: "search_code",
        description: "Finds code by its structure (ast-grep patterns), and rewrites it: as a preview, or in the files with `apply`.",
        roles: &["planner", "worker", "reviewer"],
        permission: Some("grep"),
        schema: schema::<SearchCodeArgs>,
    },
    Tool {
        name: "diagnostics",
        description: "Errors and warnings of the language server for files as they are on disk. A file nobody could check is named, never called clean.",
        roles: &["worker", "reviewer"],
        permission: Some("lsp"),
        schema: schema::<DiagnosticsArgs>,
    },
    Tool {
        name: "tree_diff",
        description: "What your task, or the whole mission, has changed so far, as a diff.",
        roles: &["commander", "worker", "reviewer"],
        permission: None,
        schema: schema::<TreeDiffArgs>,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_plain_objects_for_every_provider() {
        for tool in TOOLS {
            let schema = (tool.schema)().to_value();
            assert_eq!(schema["type"], "object", "{}", tool.name);
            let text = schema.to_string();
            for word in ["null", "$ref", "$defs", "anyOf", "oneOf"] {
                assert!(!text.contains(word), "{}: {word} in {text}", tool.name);
            }
        }
    }

    #[test]
    fn a_plan_may_leave_out_or_null_what_is_optional() {
        for task in [
            r#"{"id":"T1","title":"x"}"#,
            r#"{"id":"T1","title":"x","priority":null,"mode":null,"estimate_minutes":null,"extra":1}"#,
        ] {
            let plan: SubmitPlanArgs = serde_json::from_str(&format!("{{\"tasks\":[{task}]}}")).expect(task);
            assert_eq!(plan.tasks[0].priority, None, "{task}");
        }
    }
}
