//! The plan without a planner: fixed rules cut a brief into tasks when no model has handed in a usable plan.
//!
//! A rule applies when one of its words stands in the title or the brief as a whole word, case aside. When
//! several apply, the first in the order of `RULES` is taken and the others are not: a mission that mixes two
//! patterns would need edges between them that no rule knows. Where a rule of the control plane lets a part start
//! when another has started (start to start), the plan says finish to start: plans know no other edge, and the
//! later part is never wrong to wait.
use super::ids::TaskId;
use super::plan::{MAX_TITLE_CHARS, Plan, Priority, TaskSpec, one_line};
use std::fmt::Write;

/// The working time a rule divides, in minutes.
const PARENT_MINUTES: f64 = 240.0;

struct Rule {
    name: &'static str,
    words: &'static [&'static str],
    priority: Priority,
    /// What every part asks for beside its own capability.
    extra: &'static [&'static str],
    parts: &'static [Part],
}

struct Part {
    title: &'static str,
    capability: &'static str,
    /// Share of the parent's time.
    share: f64,
    /// Parts that come first, by position.
    after: &'static [usize],
    /// Whether the rule means start to start by `after`.
    loosely: bool,
}

const fn part(title: &'static str, capability: &'static str, share: f64, after: &'static [usize]) -> Part {
    Part { title, capability, share, after, loosely: false }
}

const fn loose(title: &'static str, capability: &'static str, share: f64, after: &'static [usize]) -> Part {
    Part { title, capability, share, after, loosely: true }
}

const RULES: &[Rule] = &[
    Rule {
        name: "security",
        words: &["auth", "authentication", "security"],
        priority: Priority::High,
        extra: &["security_audit"],
        parts: &[
            part("Design", "system_design", 1.5 / 4.0, &[]),
            part("Implementation", "code_generation", 1.5 / 4.0, &[0]),
            part("Testing", "testing", 1.5 / 4.0, &[1]),
            part("Audit", "code_review", 1.5 / 4.0, &[2]),
        ],
    },
    Rule {
        name: "microservice",
        words: &["microservice", "distributed"],
        priority: Priority::Normal,
        extra: &[],
        parts: &[
            part("Shared Auth", "backend_development", 1.0 / 6.0, &[]),
            part("Shared Database", "database_design", 1.0 / 6.0, &[]),
            part("Shared Api Gateway", "api_development", 1.0 / 6.0, &[]),
            loose("Service 1", "backend_development", 1.0 / 6.0, &[0, 1, 2]),
            loose("Service 2", "backend_development", 1.0 / 6.0, &[0, 1, 2]),
            loose("Service 3", "backend_development", 1.0 / 6.0, &[0, 1, 2]),
        ],
    },
    Rule {
        name: "crud",
        words: &["crud", "database", "model"],
        priority: Priority::Normal,
        extra: &[],
        parts: &[
            part("Create", "backend_development", 1.0 / 4.0, &[]),
            part("Read", "backend_development", 1.0 / 4.0, &[]),
            part("Update", "backend_development", 1.0 / 4.0, &[]),
            part("Delete", "backend_development", 1.0 / 4.0, &[]),
            part("Tests", "test_generation", 0.3, &[0, 1, 2, 3]),
        ],
    },
    Rule {
        name: "ui",
        words: &["ui", "frontend", "interface"],
        priority: Priority::Normal,
        extra: &[],
        parts: &[
            part("Layout", "frontend_development", 1.0 / 5.0, &[]),
            part("Navigation", "frontend_development", 1.0 / 5.0, &[]),
            loose("Forms", "frontend_development", 1.0 / 5.0, &[0]),
            loose("Tables", "frontend_development", 1.0 / 5.0, &[0]),
            loose("Charts", "frontend_development", 1.0 / 5.0, &[0]),
        ],
    },
];

/// Cuts a brief by the first rule that applies; without one the brief is a single task. The plan is sound as it
/// stands (at most six tasks, no cycle), and the same texts always give the same plan.
pub fn decompose(title: &str, brief: &str) -> Plan {
    let title = match one_line(title) {
        title if title.is_empty() => "Carry out the brief".to_string(),
        title => title,
    };
    let rule =
        RULES.iter().find_map(|rule| Some((rule, trigger(rule, &title).or_else(|| trigger(rule, brief))?)));
    match rule {
        Some((rule, word)) => Plan {
            summary: format!(
                "Cut by the rule {} of the fallback plan (the text says \"{word}\").",
                rule.name
            ),
            tasks: (0..rule.parts.len()).map(|i| task(rule, i, word, &title, brief)).collect(),
        },
        None => Plan {
            summary: "The whole brief as one task: no rule of the fallback plan applies.".into(),
            tasks: vec![whole(&title, brief)],
        },
    }
}

/// The word of `rule` that stands in `text` by itself: `auth` in "add auth." and in "auth-service", not in
/// "author" and not in "auth_token".
fn trigger(rule: &Rule, text: &str) -> Option<&'static str> {
    let found = |word: &&str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part.eq_ignore_ascii_case(word))
    };
    rule.words.iter().copied().find(found)
}

fn id(position: usize) -> TaskId {
    TaskId(format!("T{}", position + 1))
}

fn task(rule: &Rule, position: usize, word: &str, title: &str, brief: &str) -> TaskSpec {
    let part = &rule.parts[position];
    let mut description = format!(
        "Part {} of {} made by the rule {} of the fallback plan (the text says \"{word}\"). Do this part only: {}.",
        position + 1,
        rule.parts.len(),
        rule.name,
        part.title
    );
    if part.loosely {
        let before: Vec<&str> = part.after.iter().map(|&i| rule.parts[i].title).collect();
        let _ = write!(
            description,
            " The rule lets it start together with {}; here it starts when that is done.",
            before.join(", ")
        );
    }
    carry(&mut description, brief);
    TaskSpec {
        id: id(position),
        title: clip(&format!("{}: {title}", part.title)),
        description,
        files: Vec::new(),
        depends_on: part.after.iter().map(|&i| id(i)).collect(),
        capabilities: [part.capability].iter().chain(rule.extra).map(|c| c.to_string()).collect(),
        priority: rule.priority,
        checks: Vec::new(),
        estimate_minutes: PARENT_MINUTES * part.share,
        mode: None,
        parent: None,
    }
}

fn whole(title: &str, brief: &str) -> TaskSpec {
    let mut description =
        "No rule of the fallback plan applies, so this task is the whole mission.".to_string();
    carry(&mut description, brief);
    TaskSpec {
        id: id(0),
        title: clip(title),
        description,
        files: Vec::new(),
        depends_on: Vec::new(),
        capabilities: vec!["code_generation".into()],
        priority: Priority::Normal,
        checks: Vec::new(),
        estimate_minutes: PARENT_MINUTES,
        mode: None,
        parent: None,
    }
}

fn carry(description: &mut String, brief: &str) {
    if !brief.trim().is_empty() {
        let _ = write!(description, "\n\nThe brief of the mission:\n{}", brief.trim());
    }
}

fn clip(title: &str) -> String {
    match title.char_indices().nth(MAX_TITLE_CHARS) {
        None => title.into(),
        Some(_) => title.chars().take(MAX_TITLE_CHARS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{Draft, DraftTask, PlanRules, validate};

    /// Each part as "title minutes <dependencies", the contract's table written out by hand.
    fn shape(plan: &Plan) -> Vec<String> {
        let line = |t: &TaskSpec| {
            let after: Vec<&str> = t.depends_on.iter().map(|d| d.as_str()).collect();
            let part = t.title.split(':').next().unwrap_or_default();
            format!("{} {part} {:.0} <{}", t.id, t.estimate_minutes, after.join(","))
        };
        plan.tasks.iter().map(line).collect()
    }

    #[test]
    fn each_rule_makes_the_parts_of_its_row() {
        let rows: &[(&str, &[&str])] = &[
            (
                "Add auth",
                &["T1 Design 90 <", "T2 Implementation 90 <T1", "T3 Testing 90 <T2", "T4 Audit 90 <T3"],
            ),
            (
                "Build a distributed shop",
                &[
                    "T1 Shared Auth 40 <",
                    "T2 Shared Database 40 <",
                    "T3 Shared Api Gateway 40 <",
                    "T4 Service 1 40 <T1,T2,T3",
                    "T5 Service 2 40 <T1,T2,T3",
                    "T6 Service 3 40 <T1,T2,T3",
                ],
            ),
            (
                "CRUD for books",
                &[
                    "T1 Create 60 <",
                    "T2 Read 60 <",
                    "T3 Update 60 <",
                    "T4 Delete 60 <",
                    "T5 Tests 72 <T1,T2,T3,T4",
                ],
            ),
            (
                "A new frontend",
                &[
                    "T1 Layout 48 <",
                    "T2 Navigation 48 <",
                    "T3 Forms 48 <T1",
                    "T4 Tables 48 <T1",
                    "T5 Charts 48 <T1",
                ],
            ),
            ("Rename the parser", &["T1 Rename the parser 240 <"]),
        ];
        for (title, expected) in rows {
            assert_eq!(shape(&decompose(title, "")), *expected, "{title}");
        }
    }

    #[test]
    fn triggers_are_whole_words_in_title_or_brief() {
        let rows = [
            ("Rework AUTHENTICATION.", "", "security"),
            ("Shop", "one (microservice)", "microservice"),
            ("auth-service", "", "security"),
            ("Shop", "a data model", "crud"),
            ("Shop", "the UI!", "ui"),
            ("authors", "auth_token securityish interfaces", "none"),
            ("models, databases, guide", "", "none"),
            ("", "", "none"),
        ];
        for (title, brief, rule) in rows {
            let plan = decompose(title, brief);
            let made = RULES.iter().find(|r| plan.summary.contains(&format!("rule {} of", r.name)));
            assert_eq!(made.map_or("none", |r| r.name), rule, "{title} / {brief}");
            assert_eq!(plan.tasks.len() == 1, rule == "none");
        }
    }

    #[test]
    fn the_stated_order_decides_between_rules() {
        let rows = [
            ("interface to the database of a distributed auth", "security"),
            ("interface to the database of a distributed shop", "microservice"),
            ("interface to the database", "crud"),
        ];
        for (brief, rule) in rows {
            let plan = decompose("ui", brief);
            assert!(plan.summary.contains(&format!("the rule {rule} ")), "{brief}: {}", plan.summary);
        }
    }

    #[test]
    fn security_is_urgent_and_asks_for_an_audit() {
        for task in decompose("auth", "").tasks {
            assert_eq!(task.priority, Priority::High);
            assert!(task.capabilities.contains(&"security_audit".to_string()));
        }
        assert_eq!(decompose("ui", "").tasks[0].priority, Priority::Normal);
    }

    #[test]
    fn every_task_says_its_rule_and_carries_the_brief() {
        for word in ["auth", "microservice", "crud", "ui"] {
            let brief = format!("Please add {word}.\nKeep the old URLs.");
            for task in decompose("Work", &brief).tasks {
                assert!(task.description.contains("made by the rule"), "{}", task.description);
                assert!(task.description.ends_with(&brief), "{}", task.description);
            }
        }
        let ui = decompose("ui", "");
        assert!(
            ui.tasks[2].description.contains("start together with Layout; here it starts when that is done")
        );
        assert!(!ui.tasks[1].description.contains("start together"));
        assert!(
            decompose("x", "the brief").tasks[0]
                .description
                .ends_with("The brief of the mission:\nthe brief")
        );
    }

    /// The fallback is what stands when validation has failed: it must pass it, whatever the texts.
    #[test]
    fn every_fallback_plan_is_valid_and_small() {
        let long = "x".repeat(5000);
        for title in ["", "ui", "auth", "crud", "microservice", "a\nb\t c\u{7}", long.as_str()] {
            for brief in ["", "ui", "a security\u{0} thing", long.as_str()] {
                let plan = decompose(title, brief);
                assert!(plan.tasks.len() <= 50);
                assert_eq!(plan, decompose(title, brief));
                let rules = PlanRules { max_tasks: 50, ..PlanRules::default() };
                let (read, remarks) = validate(draft(&plan), &rules).expect("a sound plan");
                assert_eq!((read, remarks), (plan, Vec::new()));
            }
        }
    }

    fn draft(plan: &Plan) -> Draft {
        let task = |t: &TaskSpec| DraftTask {
            id: t.id.0.clone(),
            title: t.title.clone(),
            description: t.description.clone(),
            files: t.files.clone(),
            depends_on: t.depends_on.iter().map(|d| d.0.clone()).collect(),
            capabilities: t.capabilities.clone(),
            priority: Some(t.priority.name().into()),
            checks: t.checks.clone(),
            estimate_minutes: Some(t.estimate_minutes),
            mode: None,
        };
        Draft {
            summary: plan.summary.clone(),
            tasks: plan.tasks.iter().map(task).collect(),
            ..Draft::default()
        }
    }
}
