//! What can be wrong with a draft, said so that the model that wrote it can mend it.
use super::{MAX_TITLE_CHARS, validate::MAX_ESTIMATE_MINUTES};
use crate::domain::lease::PathFault;
use std::fmt;

/// One fault. `task` is the task's id, or its place in the list where the id cannot serve.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    NoTasks,
    TooMany {
        count: usize,
        cap: usize,
    },
    EmptyId {
        task: String,
    },
    IllFormedId {
        id: String,
    },
    DuplicateId {
        id: String,
    },
    EmptyTitle {
        task: String,
    },
    LongTitle {
        task: String,
        chars: usize,
    },
    SelfDependency {
        task: String,
    },
    DuplicateDependency {
        task: String,
        on: String,
    },
    UnknownDependency {
        task: String,
        on: String,
        nearest: Option<String>,
    },
    /// Every member depends on the next one, the last on the first.
    Cycle {
        members: Vec<String>,
    },
    Path {
        task: String,
        path: String,
        reason: PathFault,
    },
    Estimate {
        task: String,
        minutes: f64,
    },
    UnknownPriority {
        task: String,
        priority: String,
    },
    /// The list was cut: so many faults more than it shows.
    More {
        count: usize,
    },
}

/// Members of a cycle that are shown; a model does not need ten thousand names to find its error.
const SHOWN_MEMBERS: usize = 20;

/// What a model wrote, made fit for one line of an answer.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(cut);
        line.push('…');
    }
    format!("`{line}`")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoTasks => f.write_str("the plan has no tasks: give at least one"),
            Fault::TooMany { count, cap } => {
                write!(f, "the plan has {count} tasks and may have {cap}: join small tasks into larger ones")
            }
            Fault::EmptyId { task } => write!(f, "{task} has no id: give it a short one of its own, like T1"),
            Fault::IllFormedId { id } => write!(
                f,
                "the id {} is not usable: begin with a letter and go on with at most 31 letters, digits, `_`, `.` or `-`",
                quote(id)
            ),
            Fault::DuplicateId { id } => {
                write!(f, "the id {} is used more than once: give each task its own", quote(id))
            }
            Fault::EmptyTitle { task } => write!(f, "{task} has no title: say in a few words what it does"),
            Fault::LongTitle { task, chars } => write!(
                f,
                "the title of {task} has {chars} characters and may have {MAX_TITLE_CHARS}: move the details to the description"
            ),
            Fault::SelfDependency { task } => {
                write!(f, "{task} depends on itself: remove {task} from its depends_on")
            }
            Fault::DuplicateDependency { task, on } => {
                write!(f, "{task} names {} twice in depends_on: name it once", quote(on))
            }
            Fault::UnknownDependency { task, on, nearest } => {
                write!(f, "{task} depends on {}, which is no task of this plan: ", quote(on))?;
                match nearest {
                    Some(id) => write!(f, "did you mean {id}?"),
                    None => f.write_str("use the id of one of its tasks, or remove it"),
                }
            }
            Fault::Cycle { members } => cycle(f, members),
            Fault::Path { task, path, reason } => {
                write!(f, "{task} lists the file {}: {reason}", quote(path))
            }
            Fault::Estimate { task, minutes } => write!(
                f,
                "the estimate of {task} is {minutes} minutes: give a number above 0 and up to {MAX_ESTIMATE_MINUTES}, or none"
            ),
            Fault::UnknownPriority { task, priority } => {
                write!(f, "the priority of {task} is {}: use high, normal or low", quote(priority))
            }
            Fault::More { count } => write!(f, "and {count} more faults that are not listed"),
        }
    }
}

fn cycle(f: &mut fmt::Formatter<'_>, members: &[String]) -> fmt::Result {
    let shown = members.iter().take(SHOWN_MEMBERS).map(String::as_str).collect::<Vec<_>>().join(" needs ");
    write!(f, "tasks depend on each other in a circle: {shown} needs ")?;
    if members.len() > SHOWN_MEMBERS {
        write!(f, "… ({} tasks in all) needs ", members.len())?;
    }
    write!(f, "{}; remove one of these dependencies", members.first().map_or("", String::as_str))
}
