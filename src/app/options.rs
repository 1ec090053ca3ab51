//! The configuration of a mission, from the values that the layers have settled.
use crate::engine::handle::{Ceiling, Options, Toasts};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One field for each of `FIELDS`, which has judged them; what is left open by it stays open.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Values {
    budget_dollars: Option<f64>,
    budget_minutes: Option<u32>,
    budget_tokens: Option<u64>,
    checks: Option<Vec<String>>,
    diagnostics: Option<String>,
    fractal: Option<String>,
    integrate: Option<String>,
    isolation: Option<String>,
    max_duration_seconds: Option<u64>,
    permission_timeout_seconds: Option<u64>,
    permissions: Option<Vec<String>>,
    plan_approval: Option<String>,
    planners: Option<u32>,
    providers: BTreeMap<String, u32>,
    race: Option<u32>,
    race_models: Option<Vec<String>>,
    resume: Option<String>,
    reviewers: Option<u32>,
    session_reuse: Option<String>,
    task_budget_dollars: Option<f64>,
    task_budget_minutes: Option<u32>,
    task_budget_tokens: Option<u64>,
    toasts: Option<String>,
    todo: Option<String>,
    turn_timeout_seconds: Option<u64>,
    workers: Option<u32>,
    worktree_links: Option<Vec<String>>,
    worktree_setup: Option<Vec<String>>,
    worktrees_ahead: Option<u32>,
}

/// An object of option names and values, each of which has been found to be good.
pub fn options(values: Value) -> Result<Options, String> {
    let values: Values = serde_json::from_value(values).map_err(|error| error.to_string())?;
    let is = |value: Option<String>, wanted: &str| value.map(|value| value == wanted);
    let defaults = Options::default();
    Ok(Options {
        budget_dollars: values.budget_dollars,
        budget_minutes: values.budget_minutes,
        budget_tokens: values.budget_tokens,
        checks: values.checks,
        diagnostics: is(values.diagnostics, "auto"),
        fractal: is(values.fractal, "auto"),
        as_branch: is(values.integrate, "branch"),
        worktrees: is(values.isolation, "worktree"),
        max_duration_ms: values.max_duration_seconds.map_or(defaults.max_duration_ms, |s| s * 1000),
        permission_timeout_ms: values.permission_timeout_seconds.map(|s| s * 1000),
        permissions: values.permissions,
        approval: is(values.plan_approval, "ask"),
        planners: values.planners,
        providers: values.providers.into_iter().map(|(name, most)| Ceiling { name, most }).collect(),
        race: values.race,
        race_models: values.race_models,
        auto_resume: values.resume.as_deref() != Some("report"),
        reviewers: values.reviewers,
        follow: is(values.session_reuse, "follow"),
        task_budget_dollars: values.task_budget_dollars,
        task_budget_minutes: values.task_budget_minutes,
        task_budget_tokens: values.task_budget_tokens,
        toasts: values.toasts.map(|toasts| match toasts.as_str() {
            "quiet" => Toasts::Quiet,
            "verbose" => Toasts::Verbose,
            _ => Toasts::Normal,
        }),
        todo: values.todo.unwrap_or(defaults.todo),
        turn_timeout_ms: values.turn_timeout_seconds.map_or(defaults.turn_timeout_ms, |s| s * 1000),
        workers: values.workers.unwrap_or(defaults.workers),
        worktree_links: values.worktree_links,
        worktree_setup: values.worktree_setup,
        worktrees_ahead: values.worktrees_ahead,
        background: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::config::{FIELDS, Kind};
    use serde_json::json;

    /// A good value that is not the default.
    fn other_than_default(kind: Kind, default: Option<&str>) -> Value {
        match kind {
            Kind::Whole { least, most, .. } => {
                json!(if default == Some(most.to_string().as_str()) { least } else { most })
            }
            Kind::Amount { least, .. } => json!(least),
            Kind::Choice(names) => {
                json!(names.iter().find(|name| default != Some(&format!("\"{name}\""))))
            }
            Kind::Ceilings { most } => json!({ "lab": most }),
            Kind::Commands => json!(["make"]),
            Kind::Rules => json!(["deny webfetch"]),
            Kind::InsidePath => json!("PLAN.md"),
            Kind::InsidePaths => json!(["vendor"]),
            Kind::Models => json!(["lab/x"]),
        }
    }

    #[test]
    fn each_option_says_something_of_the_mission() {
        let of = |values| options(values).expect("good values");
        for field in &FIELDS {
            let value = other_than_default(field.kind, field.default);
            assert_eq!(field.kind.fault(&value), None, "{}", field.name);
            assert_ne!(of(json!({ field.name: value })), of(json!({})), "{}", field.name);
        }
        let defaults: serde_json::Map<_, _> = FIELDS
            .iter()
            .filter_map(|field| {
                let value = serde_json::from_str(field.default?).expect("JSON");
                Some((field.name.to_owned(), value))
            })
            .collect();
        let (said, unsaid) = (of(json!(defaults)), of(json!({})));
        assert_eq!(
            (said.workers, said.turn_timeout_ms, said.max_duration_ms, &said.todo, said.auto_resume),
            (
                unsaid.workers,
                unsaid.turn_timeout_ms,
                unsaid.max_duration_ms,
                &unsaid.todo,
                unsaid.auto_resume
            )
        );
        assert_eq!(said.ceilings().collect::<Vec<_>>(), unsaid.ceilings().collect::<Vec<_>>());
        assert!(options(json!({ "wrokers": 3 })).is_err());
    }
}
