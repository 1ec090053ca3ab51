// What is left for after the load: missions that a stopped host left open.
import { stat } from "node:fs/promises"
import { sentenceOf } from "./errors"
import { logFile } from "./log"
import { openMarker } from "./paths"
import type { Workspace } from "./workspace"

/** The start of the host is not to be a millisecond longer. */
const RESUME_AFTER_MS = 50

/** One look at one file; only when it is there is a sidecar started. Answers the function that calls it off. */
export function resumeLater(workspace: Workspace, tell: (sentence: string) => void): () => void {
  const timer = setTimeout(() => {
    stat(openMarker(workspace.directory)).then(
      () => workspace.resume().catch((error) => tell(sentenceOf(error, logFile()))),
      () => {},
    )
  }, RESUME_AFTER_MS)
  timer.unref()
  return () => clearTimeout(timer)
}
