//! What a person changed in the items of a mission, told from what Gantry wrote there last (the base), and how a new
//! write leaves in place what nobody has taken notice of yet.
//!
//! Marks, titles, files, dependencies and lines that came or went are edits; whether the work may still be otherwise is for
//! the engine to say. Everything that is no item is text of people.
use super::item::{Bare, Line};
use super::{Document, NoSection, TodoItem, TodoState};
use crate::domain::plan::one_line;
use std::collections::{HashMap, HashSet};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    Marked {
        id: String,
        state: TodoState,
    },
    Reworded {
        id: String,
        title: String,
    },
    /// Other files, or another place in the order.
    Rearranged {
        id: String,
        files: Vec<String>,
        depends_on: Vec<String>,
    },
    Removed {
        id: String,
    },
    /// An open box that was put between the items, with an id or without one.
    Added {
        id: Option<String>,
        title: String,
        files: Vec<String>,
        depends_on: Vec<String>,
    },
}

impl Document {
    /// The edits since `base` was written, in the order of the lines, removals last. Without a section there is nothing
    /// to tell: it was taken away as a whole, or is being written at this moment.
    pub fn edits(&self, mission: &str, base: &[TodoItem]) -> Vec<Edit> {
        let Some(section) = self.section(mission) else { return Vec::new() };
        let known: HashMap<&str, &TodoItem> = base.iter().map(|item| (item.id.as_str(), item)).collect();
        let mut there = HashSet::new();
        let mut edits = Vec::new();
        for at in section.body() {
            let raw = &self.lines[at];
            let Some(line) = Line::parse(raw) else {
                edits.extend(Bare::parse(raw).map(|bare| bare.added()));
                continue;
            };
            // A line that was copied has the id of its original: the first one counts.
            if !there.insert(line.id) {
                continue;
            }
            // Runs of blanks are no other words.
            let mut item = line.item();
            item.title = one_line(&item.title);
            let Some(before) = known.get(line.id) else {
                if item.state == TodoState::Open && !raw.starts_with([' ', '\t']) {
                    let TodoItem { id, title, files, depends_on, .. } = item;
                    edits.push(Edit::Added { id: Some(id), title, files, depends_on });
                }
                continue;
            };
            let reworded = item.title != one_line(&before.title);
            if reworded {
                edits.push(Edit::Reworded { id: item.id.clone(), title: item.title });
            }
            // Who writes a line anew in other words may leave the rest of it away; who takes only that out means it.
            let said = |now: Vec<String>, before: &Vec<String>| {
                if now.is_empty() && reworded { before.clone() } else { now }
            };
            let files = said(item.files, &before.files);
            let depends_on = said(item.depends_on, &before.depends_on);
            if files != before.files || depends_on != before.depends_on {
                edits.push(Edit::Rearranged { id: item.id.clone(), files, depends_on });
            }
            if item.state != before.state {
                edits.push(Edit::Marked { id: item.id, state: item.state });
            }
        }
        let gone = base.iter().filter(|item| !there.contains(item.id.as_str()));
        edits.extend(gone.map(|item| Edit::Removed { id: item.id.clone() }));
        edits
    }

    /// Sets states as `set_states` does, and in the base. A mark that a person made and that is not among those `seen`
    /// stays in the file: it is told as an edit as long as it differs from the base.
    pub fn merge_states(
        &mut self,
        mission: &str,
        states: &[(String, TodoState)],
        version: u64,
        base: &mut [TodoItem],
        seen: &[Edit],
    ) -> Result<bool, NoSection> {
        let edits = self.edits(mission, base);
        let unseen: HashSet<&str> =
            edits.iter().filter(|edit| !seen.contains(edit)).filter_map(Edit::marked).collect();
        let free: Vec<_> = states.iter().filter(|(id, _)| !unseen.contains(id.as_str())).cloned().collect();
        let changed = self.set_states(mission, &free, version)?;
        let wanted: HashMap<&str, TodoState> =
            states.iter().map(|(id, state)| (id.as_str(), *state)).collect();
        for item in base {
            item.state = wanted.get(item.id.as_str()).copied().unwrap_or(item.state);
        }
        Ok(changed)
    }

    /// Writes the section as `set_section` does, but for edits that are not among those `seen`: they stay in the file.
    /// Where an item was reworded on both sides, the person's words stay on its line and the plan's are put below it.
    /// A box without an id whose words are those of a new item becomes that item.
    pub fn merge_section(
        &mut self,
        mission: &str,
        title: &str,
        items: &[TodoItem],
        version: u64,
        base: &[TodoItem],
        seen: &[Edit],
    ) {
        let before: HashMap<&str, &TodoItem> = base.iter().map(|item| (item.id.as_str(), item)).collect();
        let mut items = items.to_vec();
        let mut both = Vec::new();
        let edits = self.edits(mission, base);
        let unseen = || edits.iter().filter(|edit| !seen.contains(edit));
        let meant: HashSet<&str> = unseen().filter_map(Edit::id).collect();
        let left = |id: &str| before.contains_key(id) && !meant.contains(id);
        let dropped = |id: &str| left(id) && items.iter().all(|item| item.id != id);
        self.remove_lines(mission, dropped);
        for edit in unseen() {
            let Some(at) = items.iter().position(|item| Some(item.id.as_str()) == edit.id()) else {
                continue;
            };
            match edit {
                Edit::Marked { state, .. } => items[at].state = *state,
                Edit::Reworded { id, title } => {
                    let ours = std::mem::replace(&mut items[at].title, title.clone());
                    if ours != *title && before.get(id.as_str()).is_some_and(|item| item.title != ours) {
                        both.push((id.clone(), ours));
                    }
                }
                Edit::Rearranged { files, depends_on, .. } => {
                    items[at].files.clone_from(files);
                    items[at].depends_on.clone_from(depends_on);
                }
                Edit::Removed { .. } => {
                    items.remove(at);
                }
                Edit::Added { .. } => {}
            }
        }
        // What was removed, and seen so, does not come back as long as nothing new is to be said of it.
        let gone: HashSet<String> = seen
            .iter()
            .filter(|edit| matches!(edit, Edit::Removed { .. }))
            .filter_map(|edit| edit.id().map(String::from))
            .collect();
        items.retain(|item| !gone.contains(&item.id));
        self.name_boxes(mission, &items);
        self.set_section(mission, title, &items, version);
        for (id, ours) in both {
            self.note_below(mission, &id, &format!("  - Gantry's plan says: {ours}"));
        }
    }

    /// Lines that Gantry wrote of what is in the plan no more.
    fn remove_lines(&mut self, mission: &str, which: impl Fn(&str) -> bool) {
        let Some(section) = self.section(mission) else { return };
        for at in section.body().rev() {
            if Line::parse(&self.lines[at]).is_some_and(|line| which(line.id)) {
                self.lines.remove(at);
            }
        }
    }

    fn name_boxes(&mut self, mission: &str, items: &[TodoItem]) {
        let Some(section) = self.section(mission) else { return };
        let there: HashSet<String> = self.items(mission).into_iter().map(|item| item.id).collect();
        let mut new: Vec<&TodoItem> = items.iter().filter(|item| !there.contains(&item.id)).collect();
        for at in section.body() {
            if Line::parse(&self.lines[at]).is_some() {
                continue;
            }
            let named = Bare::parse(&self.lines[at]).and_then(|bare| {
                let which = new.iter().position(|item| item.title == bare.title())?;
                Some(bare.named(&new.remove(which).id))
            });
            if let Some(named) = named {
                self.lines[at] = named;
            }
        }
    }

    fn note_below(&mut self, mission: &str, id: &str, note: &str) {
        let Some(section) = self.section(mission) else { return };
        let ending = self.ending();
        let of_item = |at: &usize| Line::parse(&self.lines[*at]).is_some_and(|line| line.id == id);
        if let Some(at) = section.body().find(of_item) {
            self.lines.insert(at + 1, format!("{note}{ending}"));
        }
    }
}

impl Edit {
    /// The item it is about.
    pub fn id(&self) -> Option<&str> {
        match self {
            Edit::Marked { id, .. }
            | Edit::Reworded { id, .. }
            | Edit::Rearranged { id, .. }
            | Edit::Removed { id } => Some(id),
            Edit::Added { id, .. } => id.as_deref(),
        }
    }

    fn marked(&self) -> Option<&str> {
        self.id().filter(|_| matches!(self, Edit::Marked { .. }))
    }
}

#[cfg(test)]
mod tests;
