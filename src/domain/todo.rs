//! The plan file as text: items, their states, and edits that leave all other text alone.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TodoState {
    Open,
    Running,
    Review,
    Done,
    Failed,
    Skipped,
    Blocked,
}

#[derive(Clone, PartialEq, Debug)]
pub struct TodoItem {
    pub id: String,
    pub title: String,
    pub state: TodoState,
    pub files: Vec<String>,
    pub depends_on: Vec<String>,
}
