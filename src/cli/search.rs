//! `gantry search`
use super::{exit, output};
use crate::app::{self, Searched};
use crate::protocol::code_tools::{CaseArg, OrderArg, SearchCodeArgs, SearchFilesArgs, SearchTextArgs};
use std::path::PathBuf;

/// What only a search of text does.
const OF_TEXT: [&str; 8] =
    ["literal", "ignore_case", "smart_case", "word", "multiline", "context", "binary", "encoding"];

#[derive(clap::Args)]
#[command(after_help = "Exit code: 0 when something was found, 1 when not, 2 when the question was wrong.")]
pub struct Args {
    /// A regular expression; with --files a glob, with --code a piece of code
    #[arg(required_unless_present_any = ["patterns", "files"])]
    pattern: Option<String>,
    /// The project; this folder when not given
    #[arg(long, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// A file or folder of the project to search
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// Find files by name, the last changed first
    #[arg(long, conflicts_with = "code", conflicts_with_all = OF_TEXT)]
    files: bool,
    /// Find code by structure: $A for one expression, $$$A for any number
    #[arg(long, value_name = "LANGUAGE", conflicts_with = "types", conflicts_with_all = OF_TEXT)]
    code: Option<String>,
    /// With --code: what each hit becomes; shown, not written
    #[arg(long, requires = "code", value_name = "CODE")]
    rewrite: Option<String>,
    /// With --rewrite: write it to the files
    #[arg(long, requires = "rewrite")]
    apply: bool,
    /// A further pattern; a line that fits any of them is a hit
    #[arg(short = 'e', long = "pattern", value_name = "PATTERN", allow_hyphen_values = true)]
    patterns: Vec<String>,
    /// Take the patterns as they stand
    #[arg(short = 'F', long)]
    literal: bool,
    /// Ignore case
    #[arg(short, long, conflicts_with = "smart_case")]
    ignore_case: bool,
    /// Ignore case unless a pattern has an upper-case letter
    #[arg(short = 'S', long)]
    smart_case: bool,
    /// Whole words only
    #[arg(short, long)]
    word: bool,
    /// Let a hit go over the end of a line
    #[arg(short = 'U', long)]
    multiline: bool,
    /// Lines shown around each hit, 0 to 20
    #[arg(short = 'C', long, value_name = "LINES")]
    context: Option<u32>,
    /// Only files that fit, or with ! none of them
    #[arg(short, long = "glob", value_name = "GLOB", allow_hyphen_values = true)]
    globs: Vec<String>,
    /// Only files of a type, such as rust, ts, py
    #[arg(short, long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Also names that begin with a dot
    #[arg(long)]
    hidden: bool,
    /// Also what .gitignore and .ignore leave out
    #[arg(long)]
    ignored: bool,
    /// Search files with NUL bytes to their end
    #[arg(long)]
    binary: bool,
    /// Encoding of the files, such as latin1
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// With --files: by path instead of by time
    #[arg(long, requires = "files")]
    by_path: bool,
    /// Hits at most
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
    /// Go on after an answer that ended with this cursor
    #[arg(long)]
    cursor: Option<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    match ask(args) {
        Ok(answer) => {
            output::text(&if args.json { format!("{}\n", answer.json) } else { answer.text });
            if answer.hits { exit::DONE } else { exit::FAILED }
        }
        Err(error) => {
            output::error(&format!("{error:#}"));
            exit::USAGE
        }
    }
}

fn ask(args: &Args) -> anyhow::Result<Searched> {
    // With -e, what stands first is the path.
    let (first, path) = match (&args.pattern, &args.path, args.patterns.is_empty()) {
        (Some(first), None, false) => (None, Some(first.clone())),
        (Some(first), Some(second), false) => {
            anyhow::bail!(
                "with -e at most one path is searched, and there are two, {first} and {second}: name the folder of both, or use --glob"
            )
        }
        (first, path, _) => (first.clone(), path.clone()),
    };
    let patterns: Vec<String> = first.iter().chain(&args.patterns).cloned().collect();
    let (globs, types) = (args.globs.clone(), args.types.clone());
    let (hidden, ignored, limit, cursor) = (args.hidden, args.ignored, args.limit, args.cursor.clone());
    if args.files {
        let globs = patterns.into_iter().chain(globs).collect();
        let order = args.by_path.then_some(OrderArg::Path);
        return app::search_files(
            &args.project,
            SearchFilesArgs { globs, path, types, order, hidden, ignored, limit, cursor },
        );
    }
    if let Some(language) = args.code.clone() {
        let pattern = patterns.join("\n");
        let (rewrite, apply) = (args.rewrite.clone(), args.apply);
        let asked =
            SearchCodeArgs { pattern, language, path, globs, rewrite, apply, hidden, ignored, limit, cursor };
        return app::search_code(&args.project, asked);
    }
    let case = match (args.ignore_case, args.smart_case) {
        (true, _) => Some(CaseArg::Insensitive),
        (_, true) => Some(CaseArg::Smart),
        _ => None,
    };
    let asked = SearchTextArgs {
        patterns,
        path,
        globs,
        types,
        literal: args.literal,
        case,
        word: args.word,
        multiline: args.multiline,
        context: args.context,
        hidden,
        ignored,
        binary: args.binary,
        encoding: args.encoding.clone(),
        limit,
        cursor,
    };
    app::search_text(&args.project, asked)
}
