//! The language servers that are known, and where they are looked for. Only what is on this machine is run.
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const RUST_ANALYZER: &str = "rust-analyzer is not installed: run `rustup component add rust-analyzer`";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Language {
    TypeScript,
    Python,
    Go,
    Rust,
}

/// A program to start, found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub program: PathBuf,
    pub args: &'static [&'static str],
}

impl Language {
    pub(super) fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        match extension {
            "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" => Some(Self::TypeScript),
            "py" | "pyi" => Some(Self::Python),
            "go" => Some(Self::Go),
            "rs" => Some(Self::Rust),
            _ => None,
        }
    }

    /// What the protocol calls the language of a file.
    pub(super) fn id(self, path: &str) -> &'static str {
        match (self, path.rsplit_once('.').map_or("", |(_, extension)| extension)) {
            (Self::TypeScript, "tsx") => "typescriptreact",
            (Self::TypeScript, "jsx") => "javascriptreact",
            (Self::TypeScript, "js" | "mjs" | "cjs") => "javascript",
            (Self::TypeScript, _) => "typescript",
            (Self::Python, _) => "python",
            (Self::Go, _) => "go",
            (Self::Rust, _) => "rust",
        }
    }

    /// A text for a file that is there and brings nothing in; none where that cannot be written.
    pub(super) fn without_content(self, text: &str) -> Option<String> {
        match self {
            Self::TypeScript => Some("export {}\n".into()),
            Self::Python | Self::Rust => Some(String::new()),
            Self::Go => {
                text.lines().find(|line| line.starts_with("package ")).map(|line| format!("{line}\n"))
            }
        }
    }

    /// What to do, where the reason of a failed start says that the server is not installed.
    pub(super) fn cure(self, why: &str) -> Option<&'static str> {
        // rustup has a program of this name for each toolchain, with or without the component.
        let is_proxy = why.contains("Unknown binary 'rust-analyzer'")
            || why.contains("'rust-analyzer' is not installed")
            || why.contains("rustup component add");
        (self == Self::Rust && is_proxy).then_some(RUST_ANALYZER)
    }

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TypeScript => "the TypeScript language server",
            Self::Python => "pyright",
            Self::Go => "gopls",
            Self::Rust => "rust-analyzer",
        }
    }

    /// The server for a project, else what to do to have one.
    pub(super) fn command(self, root: &Path, path: &OsStr) -> Result<Command, String> {
        match self {
            Self::TypeScript => typescript(root, path),
            Self::Python => python(root, path),
            Self::Go => on_path(path, "gopls").map(|program| Command { program, args: &[] }).ok_or_else(|| {
                "gopls is not installed: run `go install golang.org/x/tools/gopls@latest`, and put it on the PATH".into()
            }),
            Self::Rust => on_path(path, "rust-analyzer").map(|program| Command { program, args: &[] }).ok_or_else(|| {
                RUST_ANALYZER.into()
            }),
        }
    }
}

/// Where the programs of a project are: in its folder, and in those above it up to the root of its repository.
pub(super) fn folders(root: &Path) -> Vec<&Path> {
    let mut folders = Vec::new();
    for folder in root.ancestors() {
        folders.push(folder);
        if folder.join(".git").exists() {
            return folders;
        }
    }
    vec![root]
}

/// TypeScript from 7 on is a language server itself; before that one is put in front of it.
fn typescript(root: &Path, path: &OsStr) -> Result<Command, String> {
    let name = "typescript-language-server";
    for folder in folders(root) {
        let typescript = folder.join("node_modules/typescript");
        let native =
            typescript.join("package.json").is_file() && !typescript.join("lib/tsserver.js").is_file();
        if native && let Some(program) = program(&folder.join("node_modules/.bin/tsc")) {
            return Ok(Command { program, args: &["--lsp", "--stdio"] });
        }
        if let Some(program) = program(&folder.join("node_modules/.bin").join(name)) {
            return Ok(Command { program, args: &["--stdio"] });
        }
    }
    on_path(path, name).map(|program| Command { program, args: &["--stdio"] }).ok_or_else(|| {
        "typescript-language-server is not installed: run `npm install --save-dev typescript-language-server typescript` in the project, or add -g".into()
    })
}

fn python(root: &Path, path: &OsStr) -> Result<Command, String> {
    let places = [".venv/bin", "venv/bin", "node_modules/.bin"];
    let names = ["basedpyright-langserver", "pyright-langserver"];
    let folders = folders(root).into_iter().flat_map(|folder| places.map(|place| folder.join(place)));
    let local = folders.flat_map(|folder| names.map(|name| program(&folder.join(name))));
    let mut found = local.chain(names.iter().map(|name| on_path(path, name))).flatten();
    let would_download = |program: &PathBuf| downloads(program);
    match found.find(|program| !would_download(program)) {
        Some(program) => Ok(Command { program, args: &["--stdio"] }),
        None => Err("pyright is not installed: run `pip install basedpyright` or `npm install -g pyright` \
                     (the PyPI package named pyright is used after its first run, which downloads it)"
            .into()),
    }
}

/// The PyPI package `pyright` is a script that fetches the server when it is run for the first time.
fn downloads(program: &Path) -> bool {
    let is_script = std::fs::read(program).is_ok_and(|bytes| {
        bytes.starts_with(b"#!") && bytes.split(|b| *b == b'\n').next().is_some_and(mentions_python)
    });
    let named = program.file_name().is_some_and(|name| name == "pyright-langserver");
    named && is_script && !fetched()
}

fn mentions_python(line: &[u8]) -> bool {
    line.windows(6).any(|part| part == b"python")
}

fn fetched() -> bool {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    home.is_some_and(|cache| cache.join("pyright-python").is_dir())
}

fn on_path(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .find_map(|folder| program(&folder.join(name)))
}

/// The file, when it is one that can be run.
fn program(file: &Path) -> Option<PathBuf> {
    #[cfg(unix)]
    let runs = file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok();
    // A script (npm's `.cmd`) would need a shell between the server and us.
    #[cfg(not(unix))]
    let file = &file.with_added_extension(std::env::consts::EXE_EXTENSION);
    #[cfg(not(unix))]
    let runs = file.is_file();
    runs.then(|| file.to_path_buf())
}
