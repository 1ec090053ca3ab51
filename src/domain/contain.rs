//! Whether a shell command of a worker in a working tree of its own names the user's working tree.
//!
//! The words of the command are all there is to go by: a path that it puts together while it runs, or that a program it
//! starts knows, is not seen. That keeps a mistake from happening, not a will.

/// Whether `command` names `project`, or anything in it, other than as a part of the path `own`.
pub fn names(command: &str, project: &str, own: &str) -> bool {
    let (project, own) = (project.trim_end_matches('/'), own.trim_end_matches('/'));
    // The root of the file system is a part of every path.
    if project.is_empty() {
        return false;
    }
    // As the shell takes `my\ project` and `"/a/b"/c`.
    let plain: String = command.chars().filter(|c| !matches!(c, '\\' | '"' | '\'')).collect();
    [command, &plain].iter().any(|text| {
        let mut found = text.match_indices(project).filter(|(at, _)| is_path(text, *at, project));
        found.any(|(at, _)| !(text[at..].starts_with(own) && is_path(text, at, own)))
    })
}

/// Whether a path begins and ends there, and is not a piece of a longer name.
fn is_path(text: &str, at: usize, path: &str) -> bool {
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let before = text[..at].chars().next_back();
    let mut after = text[at + path.len()..].chars();
    let ends = match after.next() {
        // The end of a sentence or of a name.
        Some('.') => !after.next().is_some_and(of_name),
        Some(c) => !of_name(c),
        None => true,
    };
    ends && !before.is_some_and(of_name)
}

#[cfg(test)]
mod tests {
    use super::names;

    const PROJECT: &str = "/home/ada/calc";
    const OWN: &str = "/home/ada/.local/share/gantry/worktrees/x/1/calc";

    #[test]
    fn a_command_is_told_by_the_paths_it_names() {
        let table = [
            ("echo x > /home/ada/calc/list.txt", true),
            ("cd /home/ada/calc && npm test", true),
            ("git -C /home/ada/calc status", true),
            ("cat '/home/ada/calc'/a", true),
            ("cat \"/home/ada\"/calc/a", true),
            ("P=/home/ada/calc; touch $P/a", true),
            ("open file:///home/ada/calc/a", true),
            ("ls /home/ada/calc.", true),
            ("ls /home/ada/calc2 /home/ada/calc.old /home/ada/calc-1", false),
            ("ls /mnt/home/ada/calc", false),
            ("ls /home/ada", false),
            ("npm test -- list.txt", false),
            ("cd /home/ada/.local/share/gantry/worktrees/x/1/calc && npm test", false),
            ("cp /home/ada/.local/share/gantry/worktrees/x/1/calc/a /home/ada/calc/a", true),
        ];
        for (command, named) in table {
            assert_eq!(names(command, PROJECT, OWN), named, "{command}");
        }
        assert!(names(r"touch /home/my\ own/a", "/home/my own", OWN));
    }

    #[test]
    fn a_project_around_the_worktree_is_told_from_it() {
        let home = |command| names(command, "/home/ada", OWN);
        assert!(!home("ls /home/ada/.local/share/gantry/worktrees/x/1/calc/src"));
        assert!(home("ls /home/ada/.local/share/gantry/worktrees/x/2/calc/src"));
        assert!(home("touch /home/ada/notes.txt"));
        assert!(!names("ls /usr/bin", "/", OWN));
    }
}
