//! Every option: its name, what it takes, and what it is for. Validation, the JSON Schema and the reference in
//! docs/configuration.md come from this table.
use crate::domain::inside::is_inside;
use crate::domain::permission::Rule;
use crate::domain::race::{MAX_TRIES, is_model};
use serde_json::{Map, Value, json};

pub struct Field {
    pub name: &'static str,
    /// Variable of the environment.
    pub env: &'static str,
    pub kind: Kind,
    pub about: &'static str,
    /// JSON text; none where the value is found from the project.
    pub default: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// A whole number, both ends included.
    Whole {
        least: u64,
        most: u64,
        unit: &'static str,
    },
    Amount {
        least: f64,
        most: f64,
        unit: &'static str,
    },
    Choice(&'static [&'static str]),
    /// Whole numbers from one on, by name.
    Ceilings {
        most: u64,
    },
    /// A list of shell commands.
    Commands,
    /// A list of rules for permissions.
    Rules,
    /// A path below the project's root.
    InsidePath,
    InsidePaths,
    /// Models by their names in OpenCode, with their provider.
    Models,
}

/// Of a `Ceilings`.
const MAX_NAMES: usize = 50;

pub const FIELDS: [Field; 29] = [
    Field {
        name: "budgetDollars",
        env: "GANTRY_BUDGET_DOLLARS",
        kind: Kind::Amount { least: 0.01, most: 1_000_000.0, unit: "US dollars" },
        about: "Most money a mission may spend, as OpenCode counts it; what is done by then is kept. A retry is given the same again",
        default: None,
    },
    Field {
        name: "budgetMinutes",
        env: "GANTRY_BUDGET_MINUTES",
        kind: Kind::Whole { least: 1, most: 1_440, unit: "minutes" },
        about: "Minutes from a mission's start after which no turn is begun; those under way may end, and what is done is kept",
        default: None,
    },
    Field {
        name: "budgetTokens",
        env: "GANTRY_BUDGET_TOKENS",
        kind: Kind::Whole { least: 1_000, most: 1_000_000_000_000, unit: "tokens" },
        about: "Most tokens a mission may spend, of all kinds together, cached ones too",
        default: None,
    },
    Field {
        name: "checks",
        env: "GANTRY_CHECKS",
        kind: Kind::Commands,
        about: "The project's own checks, as commands; an empty list for none. Found from Cargo.toml, package.json, pytest, go.mod or Makefile when not set",
        default: None,
    },
    Field {
        name: "diagnostics",
        env: "GANTRY_DIAGNOSTICS",
        kind: Kind::Choice(&["auto", "off"]),
        about: "Send a change back when it brings errors that a language server finds; auto where one is on this machine",
        default: Some("\"auto\""),
    },
    Field {
        name: "fractal",
        env: "GANTRY_FRACTAL",
        kind: Kind::Choice(&["auto", "off"]),
        about: "Whether a task that its planner finds too large is planned further, up to three levels; off has each worked by one worker",
        default: Some("\"auto\""),
    },
    Field {
        name: "integrate",
        env: "GANTRY_INTEGRATE",
        kind: Kind::Choice(&["apply", "branch"]),
        about: "What becomes of the result when isolation is worktree: apply puts it into your files, branch leaves it as gantry/MISSION",
        default: Some("\"apply\""),
    },
    Field {
        name: "isolation",
        env: "GANTRY_ISOLATION",
        kind: Kind::Choice(&["shared", "worktree"]),
        about: "Whether tasks work in your files, or each in a working tree of its own until all of it is checked (/task --worktree asks for one mission)",
        default: Some("\"shared\""),
    },
    Field {
        name: "maxDurationSeconds",
        env: "GANTRY_MAX_DURATION_SECONDS",
        kind: Kind::Whole { least: 60, most: 86_400, unit: "seconds" },
        about: "Time from its start after which a mission is ended; retry goes on with it",
        default: Some("86400"),
    },
    Field {
        name: "permissionTimeoutSeconds",
        env: "GANTRY_PERMISSION_TIMEOUT_SECONDS",
        kind: Kind::Whole { least: 5, most: 86_400, unit: "seconds" },
        about: "Time after which a permission that an agent asks for, and nobody answers, is refused; the agent is told and goes on",
        default: Some("600"),
    },
    Field {
        name: "permissions",
        env: "GANTRY_PERMISSIONS",
        kind: Kind::Rules,
        about: "Rules of a mission's own, in order, the last that fits counts: ACTION PERMISSION [PATTERN], with OpenCode's names of permissions (`bash` and `shell` are one). PATTERN, where `*` is any text and `?` any character, is compared with each command of a shell line, the path in the project of what is read or changed, an address, a search, the name of an agent. What is allowed is not asked of you, what is denied is refused to the agents at once; what OpenCode itself denies stays denied",
        default: None,
    },
    Field {
        name: "planApproval",
        env: "GANTRY_PLAN_APPROVAL",
        kind: Kind::Choice(&["auto", "ask"]),
        about: "Whether work begins with the plan, or waits until you have accepted it (/task --approve asks for one mission)",
        default: Some("\"auto\""),
    },
    Field {
        name: "planners",
        env: "GANTRY_PLANNERS",
        kind: Kind::Whole { least: 1, most: 50, unit: "planners" },
        about: "Most planners at one time",
        default: Some("10"),
    },
    Field {
        name: "providers",
        env: "GANTRY_PROVIDERS",
        kind: Kind::Ceilings { most: 50 },
        about: "Most turns at one time on a model provider, or on one of its models, by their names in OpenCode",
        default: None,
    },
    Field {
        name: "race",
        env: "GANTRY_RACE",
        kind: Kind::Whole { least: 1, most: MAX_TRIES as u64, unit: "tries" },
        about: "Tries at each task side by side, of which the best is taken; more than one brings isolation worktree with it, 1 means no races. When not set, tasks that a planner calls race have 3, in missions with worktrees (/task --race N asks for one mission)",
        default: None,
    },
    Field {
        name: "raceModels",
        env: "GANTRY_RACE_MODELS",
        kind: Kind::Models,
        about: "What the tries at one task run on, one after the other; the model of the conversation when not set",
        default: None,
    },
    Field {
        name: "resume",
        env: "GANTRY_RESUME",
        kind: Kind::Choice(&["auto", "report"]),
        about: "After OpenCode was stopped in the middle: auto goes on at the next start in that project, report pauses and says so",
        default: Some("\"auto\""),
    },
    Field {
        name: "reviewers",
        env: "GANTRY_REVIEWERS",
        kind: Kind::Whole { least: 1, most: 50, unit: "reviewers" },
        about: "Most reviewers at one time",
        default: Some("10"),
    },
    Field {
        name: "sessionReuse",
        env: "GANTRY_SESSION_REUSE",
        kind: Kind::Choice(&["off", "follow"]),
        about: "Whether a worker goes on in the conversation of a task that its own depends on: it need not read again what was read there, and its prompts are longer. off gives each task a clean one",
        default: Some("\"off\""),
    },
    Field {
        name: "taskBudgetDollars",
        env: "GANTRY_TASK_BUDGET_DOLLARS",
        kind: Kind::Amount { least: 0.01, most: 1_000_000.0, unit: "US dollars" },
        about: "Most money for one task with all its attempts, reviews and parts; the task fails when it would need more",
        default: None,
    },
    Field {
        name: "taskBudgetMinutes",
        env: "GANTRY_TASK_BUDGET_MINUTES",
        kind: Kind::Whole { least: 1, most: 1_440, unit: "minutes" },
        about: "Minutes of work on one task and its parts after which it is given no further turn",
        default: None,
    },
    Field {
        name: "taskBudgetTokens",
        env: "GANTRY_TASK_BUDGET_TOKENS",
        kind: Kind::Whole { least: 1_000, most: 1_000_000_000_000, unit: "tokens" },
        about: "Most tokens for one task with all its attempts, reviews and parts",
        default: None,
    },
    Field {
        name: "toasts",
        env: "GANTRY_TOASTS",
        kind: Kind::Choice(&["quiet", "normal", "verbose"]),
        about: "What toasts tell: quiet that you are waited for and how a mission ended, normal also what begins, fails or waits, verbose each step",
        default: Some("\"normal\""),
    },
    Field {
        name: "todo",
        env: "GANTRY_TODO",
        kind: Kind::InsidePath,
        about: "The plan file, relative to the project",
        default: Some("\"TODO.md\""),
    },
    Field {
        name: "turnTimeoutSeconds",
        env: "GANTRY_TURN_TIMEOUT_SECONDS",
        kind: Kind::Whole { least: 10, most: 86_400, unit: "seconds" },
        about: "Time without progress after which a turn of an agent is ended",
        default: Some("600"),
    },
    Field {
        name: "workers",
        env: "GANTRY_WORKERS",
        kind: Kind::Whole { least: 1, most: 50, unit: "workers" },
        about: "Most workers at one time",
        default: Some("10"),
    },
    Field {
        name: "worktreeLinks",
        env: "GANTRY_WORKTREE_LINKS",
        kind: Kind::InsidePaths,
        about: "Paths of the project that worktrees share for reading, such as what an installation made",
        default: Some("[\"node_modules\", \".venv\", \"venv\"]"),
    },
    Field {
        name: "worktreeSetup",
        env: "GANTRY_WORKTREE_SETUP",
        kind: Kind::Commands,
        about: "Commands that make a worktree ready, run in it once, and again when a manifest or lock file is another; what they install belongs out of worktreeLinks",
        default: Some("[]"),
    },
    Field {
        name: "worktreesAhead",
        env: "GANTRY_WORKTREES_AHEAD",
        kind: Kind::Whole { least: 0, most: 50, unit: "worktrees" },
        about: "Worktrees made ready, and opened in OpenCode, while the plan of a mission is being made, so that its first tasks begin at once; each takes OpenCode some 40 MB of memory",
        default: Some("4"),
    },
];

impl Field {
    pub fn named(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }

    /// By its name, or what to say of one that does not exist.
    pub fn wanted(name: &str) -> Result<&'static Self, String> {
        Self::wanted_or(name, &[])
    }

    /// The same where there are names besides.
    pub fn wanted_or(name: &str, besides: &[&str]) -> Result<&'static Self, String> {
        let names = || FIELDS.iter().map(|field| field.name).chain(besides.iter().copied());
        let nearest = || nearest(name, names()).map_or("", |(nearest, _)| nearest);
        Self::named(name).ok_or_else(|| format!("no option {name:?}; did you mean {:?}?", nearest()))
    }
}

/// The name that is most like one that does not exist, and by how many letters they differ.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    let lower = name.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &lower);
    names.map(|known| (known, distance(known))).min_by_key(|(_, distance)| *distance)
}

impl Kind {
    /// What is wrong with a value, as the end of a sentence.
    pub fn fault(self, value: &Value) -> Option<String> {
        let good = match self {
            Self::Whole { least, most, .. } => value.as_u64().is_some_and(|n| (least..=most).contains(&n)),
            Self::Amount { least, most, .. } => value.as_f64().is_some_and(|n| (least..=most).contains(&n)),
            Self::Choice(names) => value.as_str().is_some_and(|text| names.contains(&text)),
            Self::Ceilings { most } => value.as_object().is_some_and(|named| {
                let good = |n: &Value| n.as_u64().is_some_and(|n| (1..=most).contains(&n));
                named.len() <= MAX_NAMES && named.iter().all(|(name, n)| !name.trim().is_empty() && good(n))
            }),
            Self::Commands => value.as_array().is_some_and(|list| {
                list.iter().all(|item| item.as_str().is_some_and(|text| !text.trim().is_empty()))
            }),
            Self::Models => value.as_array().is_some_and(|list| {
                (1..=MAX_TRIES as usize).contains(&list.len())
                    && list.iter().all(|item| item.as_str().is_some_and(is_model))
            }),
            Self::Rules => value.as_array().is_some_and(|list| {
                list.iter().all(|item| item.as_str().is_some_and(|text| Rule::parse(text).is_some()))
            }),
            Self::InsidePath => value.as_str().is_some_and(is_inside),
            Self::InsidePaths => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| item.as_str().is_some_and(is_inside))),
        };
        (!good).then(|| format!("is {value}: it must be {}", self.wants()))
    }

    pub fn wants(self) -> String {
        match self {
            Self::Whole { least, most, .. } => format!("a whole number from {least} to {most}"),
            Self::Amount { least, most, .. } => format!("a number from {least} to {most}"),
            Self::Choice(names) => names.map_quoted().join(" or "),
            Self::Ceilings { most } => {
                format!(
                    "names with whole numbers from 1 to {most}, as in {{\"anthropic\": 4}}, at most {MAX_NAMES}"
                )
            }
            Self::Commands => "a list of commands, as in [\"npm test\"]".into(),
            Self::Models => {
                format!(
                    "1 to {MAX_TRIES} models with their provider, as in [\"anthropic/claude-sonnet-4-5\"]"
                )
            }
            Self::Rules => {
                "a list of rules (allow, ask or deny, a permission, a pattern), as in [\"allow bash npm test*\", \"deny webfetch\"]".into()
            }
            Self::InsidePath => "a path inside the project, such as \"TODO.md\"".into(),
            Self::InsidePaths => "a list of paths inside the project, as in [\"node_modules\"]".into(),
        }
    }

    /// A value as the environment has it.
    pub fn read(self, text: &str) -> Value {
        match self {
            Self::Whole { .. }
            | Self::Amount { .. }
            | Self::Ceilings { .. }
            | Self::Commands
            | Self::Models
            | Self::Rules
            | Self::InsidePaths => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            Self::Choice(_) | Self::InsidePath => json!(text),
        }
    }

    /// A value as `read` takes it.
    pub fn written(value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    fn schema(self) -> Value {
        match self {
            Self::Whole { least, most, .. } => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Amount { least, most, .. } => json!({"type": "number", "minimum": least, "maximum": most}),
            Self::Choice(names) => json!({"enum": names}),
            Self::Ceilings { most } => json!({
                "type": "object",
                "maxProperties": MAX_NAMES,
                "propertyNames": {"pattern": "\\S"},
                "additionalProperties": {"type": "integer", "minimum": 1, "maximum": most},
            }),
            Self::Commands => json!({"type": "array", "items": {"type": "string", "pattern": "\\S"}}),
            Self::Models => json!({
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_TRIES,
                "items": {"type": "string", "pattern": "^[^/\\s]+/\\S+$"},
            }),
            Self::Rules => {
                json!({"type": "array", "items": {"type": "string", "pattern": "^\\s*(allow|ask|deny)\\s+\\S"}})
            }
            Self::InsidePath => inside_path(),
            Self::InsidePaths => json!({"type": "array", "items": inside_path()}),
        }
    }
}

fn inside_path() -> Value {
    json!({"type": "string", "pattern": "^(?!\\.{0,2}(/|$))[^\\\\/]+(/(?!\\.{0,2}(/|$))[^\\\\/]+)*$"})
}

trait MapQuoted {
    fn map_quoted(&self) -> Vec<String>;
}

impl MapQuoted for [&str] {
    fn map_quoted(&self) -> Vec<String> {
        self.iter().map(|name| format!("\"{name}\"")).collect()
    }
}

/// The JSON Schema of a file of options.
pub fn schema() -> Value {
    let mut properties = Map::new();
    properties.insert("$schema".into(), json!({"type": "string"}));
    for field in &FIELDS {
        let mut of_field = field.kind.schema();
        of_field["description"] = json!(field.about);
        if let Some(default) = field.default {
            of_field["default"] = serde_json::from_str(default).unwrap_or_default();
        }
        properties.insert(field.name.into(), of_field);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Options of Gantry",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}
