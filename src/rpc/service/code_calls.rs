//! Calls of the code tools by models: where they may look, and what a write has to pass.
use super::code::{self, Project};
use super::{Service, tool_args};
use crate::domain::ids::{Directory, HostSessionId};
use crate::engine::handle::{Inspection, Refusal};
use crate::ports::code::{CodeError, Stop};
use crate::ports::workspace::CUT;
use crate::protocol::answers::{Answer, DiffAnswer, RewriteAnswer};
use crate::protocol::code_tools::*;
use crate::protocol::errors::{CANCELLED, NOT_FOUND};
use crate::protocol::methods::HostPermissionAsk;
use crate::protocol::types::{PermissionAskParams, ToolCallParams, ToolCallResult};
use crate::rpc::{CallContext, RpcError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest diff of a change, in bytes.
const DIFF_BYTES: usize = 32 * 1024;
/// Names of changed files beside it, in bytes.
const NAMES_BYTES: usize = 16 * 1024;
/// For a person to answer.
const ASK: Duration = Duration::from_secs(600);

/// Tools that are answered here and not by the engine.
const SERVED: [&str; 5] = ["search_text", "search_files", "search_code", "diagnostics", "tree_diff"];

enum Fault {
    /// A text the model can act on; the call itself did not fail.
    Said(String),
    Failed(RpcError),
}

impl From<RpcError> for Fault {
    fn from(error: RpcError) -> Self {
        Self::Failed(error)
    }
}

impl From<CodeError> for Fault {
    fn from(error: CodeError) -> Self {
        Self::Said(error.to_string())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Said(refusal.to_string())
    }
}

pub(super) fn serves(tool: &str) -> bool {
    SERVED.contains(&tool)
}

impl Service {
    pub(super) async fn code_call(
        &self,
        p: &ToolCallParams,
        context: &CallContext,
    ) -> Result<ToolCallResult, RpcError> {
        let stop = Stop::default();
        let answer = tokio::select! {
            answer = self.code_answer(p, context, stop.clone()) => answer,
            () = context.cancel.cancelled() => {
                stop.pull();
                Err(Fault::Failed(RpcError::new(CANCELLED, "the call was cancelled")))
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(Fault::Failed(error)) => Err(error),
            Err(Fault::Said(fault)) => Ok(ToolCallResult {
                title: "not answered".into(),
                output: format!("{}: {}.", p.tool, fault.trim_end_matches('.')),
                metadata: Map::new(),
            }),
        }
    }

    async fn code_answer(
        &self,
        p: &ToolCallParams,
        context: &CallContext,
        stop: Stop,
    ) -> Result<ToolCallResult, Fault> {
        let workspace = self.workspace(&Directory(p.directory.clone()))?;
        let session = HostSessionId(p.session.clone());
        let of_project = || (PathBuf::from(&workspace.worktree), PathBuf::from(&p.directory));
        let (root, folder) = self.engine.place_of(&session).unwrap_or_else(of_project);
        let inside = |path: &str| {
            let written = folder.join(path);
            self.engine.confine(&root, &written.to_string_lossy()).map_err(|refusal| refusal.to_string())
        };
        let project = Project { root: root.clone(), inside: &inside };
        match p.tool.as_str() {
            "search_text" => Ok(told(&self.code.text(&project, args(p)?, stop).await?)),
            "search_files" => Ok(told(&self.code.files(&project, args(p)?, stop).await?)),
            "search_code" => {
                let args: SearchCodeArgs = args(p)?;
                let apply = args.apply;
                if args.rewrite.is_none() && !apply {
                    return Ok(told(&self.code.code(&project, args, stop).await?));
                }
                let found = self.code.rewrite(&project, args, stop).await?;
                let preview = code::preview(&found);
                if !apply || found.items.is_empty() {
                    return Ok(told(&preview));
                }
                self.may_write(p, context, &session, &root, &preview).await.map_err(Fault::Said)?;
                Ok(told(&self.code.apply(&root, found.items, preview).await?))
            }
            "diagnostics" => {
                let args: DiagnosticsArgs = args(p)?;
                let mut paths = args.paths;
                let named = !paths.is_empty();
                if !named {
                    let changed = self.engine.change(&session, false, None, None).await;
                    let changed =
                        changed.map_err(|e| Fault::Said(format!("{e}: name the files in `paths`")))?.changed;
                    paths = changed.into_iter().filter(|path| root.join(path).is_file()).collect();
                }
                Ok(told(
                    &self
                        .code
                        .diagnose(&project, &paths, named, args.severity, code::answer(args.cursor))
                        .await?,
                ))
            }
            "tree_diff" => {
                let args: TreeDiffArgs = args(p)?;
                let only = args
                    .paths
                    .iter()
                    .map(|path| inside(path))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(Fault::Said)?;
                let only = Some(only.as_slice()).filter(|only| !only.is_empty());
                let whole = args.of == Some(ChangeArg::Mission);
                let max_bytes = (!args.names_only).then_some(DIFF_BYTES);
                let change = self.engine.change(&session, whole, only, max_bytes).await?;
                Ok(told(&diff_answer(change, max_bytes.is_some())))
            }
            other => Err(RpcError::new(NOT_FOUND, format!("there is no tool {other}")).into()),
        }
    }

    /// A rewrite writes as any other tool does: where its task may, and as far as the host's rules or the user let it.
    async fn may_write(
        &self,
        p: &ToolCallParams,
        context: &CallContext,
        session: &HostSessionId,
        root: &Path,
        preview: &RewriteAnswer,
    ) -> Result<(), String> {
        let patterns: Vec<_> = preview.files.iter().map(|file| file.path.clone()).collect();
        let absolute: Vec<_> =
            patterns.iter().map(|path| root.join(path).to_string_lossy().into_owned()).collect();
        self.engine.lease_check(session, "edit", &absolute).await?;
        let metadata = [("filepath", patterns.join(", ")), ("diff", preview.diff.clone())];
        let ask = PermissionAskParams {
            directory: p.directory.clone(),
            session: p.session.clone(),
            call: p.call.clone(),
            permission: "edit".into(),
            patterns,
            metadata: metadata
                .into_iter()
                .map(|(name, text)| (name.to_owned(), Value::String(text)))
                .collect(),
        };
        let answer = context.peer.call(HostPermissionAsk, &ask, ASK).await;
        let answer = answer.map_err(|error| {
            format!("the host could not be asked for permission ({error}); nothing was written")
        })?;
        if answer.allow {
            return Ok(());
        }
        Err(format!(
            "nothing was written: {}",
            answer.reason.unwrap_or_else(|| "the host refused the edit".into())
        ))
    }
}

fn args<A: DeserializeOwned>(p: &ToolCallParams) -> Result<A, Fault> {
    tool_args::object(p.args.clone())
        .map_err(|fault| Fault::Said(format!("the arguments do not fit: {fault}")))
}

fn told<A: Answer>(answer: &A) -> ToolCallResult {
    ToolCallResult { title: answer.title(), output: answer.text(), metadata: answer.metadata() }
}

/// Names and diff, each within its bounds.
fn diff_answer(change: Inspection, with_diff: bool) -> DiffAnswer {
    let total = change.changed.len();
    let mut room = NAMES_BYTES;
    let fits = |path: &String| {
        room = room.saturating_sub(path.len() + 1);
        room > 0
    };
    let changed: Vec<_> = change.changed.into_iter().take_while(fits).collect();
    let truncated = changed.len() < total || change.diff.ends_with(CUT);
    DiffAnswer { changed, total, truncated, diff: with_diff.then_some(change.diff) }
}
