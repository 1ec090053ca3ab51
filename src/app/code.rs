//! The code tools from the command line: the same questions and answers as in a mission.
use crate::adapters::search::TreeSearch;
use crate::adapters::system::{self, GitTree, LanguageServers};
use crate::ports::code::{Page, Stop};
use crate::ports::workspace::Tree;
use crate::protocol::answers::Answer;
use crate::protocol::code_tools::{SearchCodeArgs, SearchFilesArgs, SearchTextArgs, SeverityArg};
use crate::rpc::service::code::{CodeTools, Project, preview};
use anyhow::{Context, bail};
use std::path::Path;
use std::sync::Arc;

/// An answer in both forms.
pub struct Searched {
    pub json: String,
    pub text: String,
    /// Anything was found.
    pub hits: bool,
}

pub struct Diagnosed {
    pub json: String,
    pub text: String,
    pub errors: bool,
    pub unchecked: bool,
}

impl Searched {
    fn of<A: Answer>(answer: &A, hits: bool) -> anyhow::Result<Self> {
        Ok(Self { json: serde_json::to_string(answer)?, text: answer.text(), hits })
    }
}

pub fn search_text(project: &Path, args: SearchTextArgs) -> anyhow::Result<Searched> {
    ask(project, async |tools, project| {
        let answer = tools.text(&project, args, Stop::default()).await?;
        Searched::of(&answer, answer.extent.hits > 0)
    })
}

pub fn search_files(project: &Path, args: SearchFilesArgs) -> anyhow::Result<Searched> {
    ask(project, async |tools, project| {
        let answer = tools.files(&project, args, Stop::default()).await?;
        Searched::of(&answer, answer.extent.hits > 0)
    })
}

pub fn search_code(project: &Path, args: SearchCodeArgs) -> anyhow::Result<Searched> {
    ask(project, async |tools, project| {
        if args.rewrite.is_none() {
            let answer = tools.code(&project, args, Stop::default()).await?;
            return Searched::of(&answer, answer.extent.hits > 0);
        }
        let apply = args.apply;
        let found = tools.rewrite(&project, args, Stop::default()).await?;
        let preview = preview(&found);
        let answer = if apply { tools.apply(&project.root, found.items, preview).await? } else { preview };
        Searched::of(&answer, !answer.files.is_empty())
    })
}

pub fn diagnostics(project: &Path, paths: &[String], severity: SeverityArg) -> anyhow::Result<Diagnosed> {
    ask(project, async |tools, project| {
        let named = !paths.is_empty();
        let paths = if !named {
            let tree = GitTree::new(&std::env::temp_dir());
            let changed = tree.changed_since_commit(&project.root).await;
            changed.map_err(|_| {
                anyhow::anyhow!("there is no commit to compare with here: name the files to look at")
            })?
        } else {
            paths.to_vec()
        };
        let missing = paths.iter().find(|path| !project.root.join(path).exists());
        if let Some(missing) = missing {
            bail!("there is no {missing}: name a file of the project");
        }
        let whole = Page::first(usize::MAX);
        let answer = tools.diagnose(&project, &paths, named, Some(severity), whole).await?;
        Ok(Diagnosed {
            json: serde_json::to_string(&answer)?,
            text: answer.text(),
            errors: answer.errors > 0,
            unchecked: !answer.unchecked.is_empty(),
        })
    })
}

fn ask<T>(
    project: &Path,
    work: impl AsyncFnOnce(CodeTools, Project<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let root = system::real_path(project).with_context(|| project.display().to_string())?;
    let tree = GitTree::new(&std::env::temp_dir());
    let inside = |path: &str| tree.confine(&root, path).map_err(|error| error.to_string());
    let tools = CodeTools {
        search: Arc::new(TreeSearch::default()),
        diagnostics: Arc::new(LanguageServers::watched(super::watched())),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let project = Project { root: root.clone(), inside: &inside };
    runtime.block_on(work(tools, project))
}
