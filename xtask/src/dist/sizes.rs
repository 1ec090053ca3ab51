//! The sizes in the table of docs/packages.md.

/// The text with the size of a package as it is now; none where the table has no row for it.
pub fn with_size(text: &str, package: &str, bytes: u64) -> Option<String> {
    let head = format!("| `{package}` | ");
    let start = text.find(&head)? + head.len();
    let end = start + text.get(start..)?.find(" |")?;
    Some(format!("{}{}{}", text.get(..start)?, grouped(bytes), text.get(end..)?))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::PLATFORMS;

    #[test]
    fn one_row_gets_its_size() {
        let table = "| package | bytes | |\n|---|--:|---|\n| `a` | 1 | x |\n| `a-b` | 22,333 | y |\n";
        let wanted = table.replace("| 1 |", "| 1,234,567 |");
        assert_eq!(with_size(table, "a", 1_234_567), Some(wanted));
        assert_eq!(with_size(table, "a-b", 999), Some(table.replace("22,333", "999")));
        assert_eq!(with_size(table, "b", 1), None);
    }

    #[test]
    fn every_package_has_a_row() {
        let text = include_str!("../../../docs/packages.md");
        let packages = PLATFORMS.map(|platform| platform.package());
        for package in packages.iter().map(String::as_str).chain(["opencode-gantry"]) {
            assert!(with_size(text, package, 1).is_some(), "{package}");
        }
    }
}
