//! The plan file as text: items, their states, and edits that leave all other text alone.
//!
//! A file may hold the sections of several missions, each between two comments:
//! ```text
//! <!-- gantry:begin mission=ID version=N -->
//! ## Title of the mission
//! - [~] T2: Title (files: src/a.rs, docs) (after: T1) (running)
//! <!-- gantry:end -->
//! ```
//! The box says the state; a word repeats it where a Markdown viewer shows no box. A line is an item when it is
//! a list entry with a box and a task id; every other line, and all text around the sections, belongs to people
//! and is kept byte for byte (an open box without an id asks for a new task, see `edits`), as are the ends of lines, a byte order mark and the absence of a last line end.
//! The version counts the writes of the file: the newest section carries it.
mod edits;
mod item;
#[cfg(any(test, fuzzing))]
pub mod promises;
mod section;

pub use edits::Edit;
use item::Line;
use section::{Section, sections};
use std::collections::{HashMap, HashSet};

/// The file that exists for a moment beside the plan file called `name` while it is written. Whoever compares the
/// project's tree leaves it out, as the plan file itself.
pub fn temp_file_name(name: &str) -> String {
    format!(".{name}.gantry-tmp")
}

/// The plan file follows the mission and is no part of its result; nor is the file it is written through.
pub fn plan_files(todo: &str) -> Vec<String> {
    let (folder, name) = todo.rsplit_once('/').map_or(("", todo), |(folder, name)| (folder, name));
    let temp = temp_file_name(name);
    vec![todo.to_owned(), if folder.is_empty() { temp } else { format!("{folder}/{temp}") }]
}

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

impl TodoState {
    pub const ALL: [TodoState; 7] = [
        TodoState::Open,
        TodoState::Running,
        TodoState::Review,
        TodoState::Done,
        TodoState::Failed,
        TodoState::Skipped,
        TodoState::Blocked,
    ];

    /// The character in the box.
    pub fn mark(self) -> char {
        match self {
            TodoState::Open => ' ',
            TodoState::Running => '~',
            TodoState::Review => '?',
            TodoState::Done => 'x',
            TodoState::Failed => '!',
            TodoState::Skipped => '-',
            TodoState::Blocked => '=',
        }
    }

    /// The word at the end of the line; the two states that every viewer draws have none.
    pub fn word(self) -> Option<&'static str> {
        match self {
            TodoState::Open | TodoState::Done => None,
            TodoState::Running => Some("running"),
            TodoState::Review => Some("in review"),
            TodoState::Failed => Some("failed"),
            TodoState::Skipped => Some("skipped"),
            TodoState::Blocked => Some("blocked"),
        }
    }

    /// Nothing more will happen to the item by itself.
    fn is_over(self) -> bool {
        matches!(self, TodoState::Done | TodoState::Failed | TodoState::Skipped)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct TodoItem {
    pub id: String,
    pub title: String,
    pub state: TodoState,
    pub files: Vec<String>,
    pub depends_on: Vec<String>,
}

/// The file, line by line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// A byte order mark, or nothing.
    start: &'static str,
    lines: Vec<String>,
}

/// The file has no section of the mission: it was removed, or never written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSection;

impl Document {
    pub fn parse(text: &str) -> Self {
        let (start, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(text) => (BYTE_ORDER_MARK, text),
            None => ("", text),
        };
        Self { start, lines: text.split_inclusive('\n').map(String::from).collect() }
    }

    /// The text again, equal to what was parsed as long as nothing was set.
    pub fn render(&self) -> String {
        format!("{}{}", self.start, self.lines.concat())
    }

    /// Version of the newest section; 0 where there is none.
    pub fn version(&self) -> u64 {
        sections(&self.lines).iter().map(|section| section.version).max().unwrap_or(0)
    }

    /// The version at which the section of a mission was last written.
    pub fn section_version(&self, mission: &str) -> Option<u64> {
        self.section(mission).map(|section| section.version)
    }

    /// The missions that have a section, with the version at which it was last written.
    pub fn sections(&self) -> Vec<(String, u64)> {
        sections(&self.lines).into_iter().map(|section| (section.mission, section.version)).collect()
    }

    /// The items of a mission as they stand, those that people added included; empty without a section.
    pub fn items(&self, mission: &str) -> Vec<TodoItem> {
        self.section(mission).map(|section| self.items_of(&section)).unwrap_or_default()
    }

    /// Writes the section of a mission with the given version.
    ///
    /// Where the mission has one already, items with a known id are renewed in place and new ones follow them;
    /// all other lines stay, so an item that a person added is never lost. Otherwise the section takes the place
    /// of one whose items are all over (of that, notes of people stay and items go), or the end of the file.
    pub fn set_section(&mut self, mission: &str, title: &str, items: &[TodoItem], version: u64) {
        match self.section(mission) {
            Some(section) => self.renew(section, title, items),
            None => {
                let place = self.make_room();
                let ending = self.ending();
                let begin = section::begin_line(mission, version);
                let lines = [begin, heading(title)]
                    .into_iter()
                    .chain(items.iter().map(item::render))
                    .chain([section::END.to_string()]);
                self.lines.splice(place..place, lines.map(|line| line + ending));
            }
        }
        self.stamp(mission, version);
    }

    /// Sets the states of some items of a mission and gives its section the version; ids that the section does
    /// not have are passed over. Nothing else on a line changes. Whether anything was to be done: where every
    /// item stands as it should, the version stays too.
    pub fn set_states(
        &mut self,
        mission: &str,
        states: &[(String, TodoState)],
        version: u64,
    ) -> Result<bool, NoSection> {
        let section = self.section(mission).ok_or(NoSection)?;
        // The last word on an id counts, as if the states had been set one after another.
        let wanted: HashMap<&str, TodoState> =
            states.iter().map(|(id, state)| (id.as_str(), *state)).collect();
        let mut changed = false;
        for at in section.body() {
            let Some(line) = Line::parse(&self.lines[at]) else { continue };
            let Some(state) = wanted.get(line.id) else { continue };
            let text = line.with_state(*state);
            if text != self.lines[at] {
                self.lines[at] = text;
                changed = true;
            }
        }
        if changed {
            self.stamp(mission, version);
        }
        Ok(changed)
    }

    fn section(&self, mission: &str) -> Option<Section> {
        sections(&self.lines).into_iter().find(|section| section.mission == mission)
    }

    fn items_of(&self, section: &Section) -> Vec<TodoItem> {
        section.body().filter_map(|at| Some(Line::parse(&self.lines[at])?.item())).collect()
    }

    fn stamp(&mut self, mission: &str, version: u64) {
        if let Some(section) = self.section(mission) {
            self.lines[section.begin] = section::with_version(&self.lines[section.begin], mission, version);
        }
    }

    /// The title and the items with a known id are renewed where they stand, new items go below the last of them.
    fn renew(&mut self, mut section: Section, title: &str, items: &[TodoItem]) {
        let ending = self.ending();
        let head = section.body().find(|&at| self.lines[at].starts_with("## ")).unwrap_or_else(|| {
            self.lines.insert(section.begin + 1, String::new());
            section.end += 1;
            section.begin + 1
        });
        self.lines[head] = heading(title) + ending;
        let known: HashMap<&str, &TodoItem> = items.iter().map(|item| (item.id.as_str(), item)).collect();
        let mut there = HashSet::new();
        let mut place = head + 1;
        for at in section.body() {
            let Some(line) = Line::parse(&self.lines[at]) else { continue };
            let Some(item) = known.get(line.id) else { continue };
            self.lines[at] = line.renewed(item);
            there.insert(item.id.as_str());
            place = at + 1;
        }
        let new = items.iter().filter(|item| !there.contains(item.id.as_str()));
        self.lines.splice(place..place, new.map(|item| item::render(item) + ending));
    }

    /// Takes out the sections whose items are all over, but for the notes of people in them. Answers with the
    /// line where the first one was, else with the end of the file, a blank line below what stands there.
    fn make_room(&mut self) -> usize {
        let mut place = None;
        for section in sections(&self.lines).iter().rev() {
            if self.items_of(section).iter().all(|item| item.state.is_over()) {
                let head = section.body().find(|&at| self.lines[at].starts_with("## "));
                let ours = |at: &usize| Some(*at) == head || Line::parse(&self.lines[*at]).is_some();
                let notes: Vec<String> =
                    section.body().filter(|at| !ours(at)).map(|at| self.lines[at].clone()).collect();
                place = Some(section.begin + notes.len());
                self.lines.splice(section.begin..=section.end, notes);
            }
        }
        place.unwrap_or_else(|| {
            let ending = self.ending();
            if let Some(last) = self.lines.last_mut() {
                if !last.ends_with('\n') {
                    last.push_str(ending);
                }
                if !last.trim().is_empty() {
                    self.lines.push(ending.into());
                }
            }
            self.lines.len()
        })
    }

    /// The line ending that the file uses.
    fn ending(&self) -> &'static str {
        if self.lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

fn heading(title: &str) -> String {
    match super::plan::one_line(title) {
        title if title.is_empty() => "## Mission".into(),
        title => format!("## {title}"),
    }
}

#[cfg(test)]
mod tests;
