//! Where a path really leads.
use std::io;
use std::path::{Path, PathBuf};

/// Every link followed, and written as the host, git and the user write it.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if !cfg!(windows) {
        return Ok(real);
    }
    Ok(real.to_str().and_then(plain).map_or(real.clone(), PathBuf::from))
}

/// Longest path that every program takes on Windows.
const SHORT: usize = 247;

/// `C:\a` for `\\?\C:\a`, which is what Windows answers and few programs take. A longer one has to stay as it is.
fn plain(real: &str) -> Option<String> {
    let rest = real.strip_prefix(r"\\?\")?;
    let plain = match rest.strip_prefix(r"UNC\") {
        Some(share) => format!(r"\\{share}"),
        None if rest.get(1..3) == Some(r":\") => rest.to_owned(),
        None => return None,
    };
    (plain.len() <= SHORT).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_paths_are_written_as_programs_take_them() {
        let long = format!(r"\\?\C:\{}", "a".repeat(SHORT));
        let cases = [
            (r"\\?\C:\a b\c", Some(r"C:\a b\c")),
            (r"\\?\UNC\host\share\a", Some(r"\\host\share\a")),
            (r"\\?\Volume{1}\a", None),
            (r"C:\a", None),
            (long.as_str(), None),
        ];
        for (real, expected) in cases {
            assert_eq!(plain(real).as_deref(), expected, "{real}");
        }
    }
}
