// The two kinds of failure that leave this package with a meaning: a sentence for the user, and an error on the wire.
import { ERROR, type HostFault } from "./generated/types"

/** The message is one sentence that says what to do; it is shown as it is. */
export class Sentence extends Error {}

export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message)
  }
}

export function hostError(fault: HostFault): RpcError {
  return new RpcError(ERROR.HOST, `${fault.name}: ${fault.message}`, fault)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Why something was not done, as a sentence of its own. */
export function reasonOf(error: unknown): string {
  const said = messageOf(error).trim()
  return endSentence(said.charAt(0).toUpperCase() + said.slice(1))
}

/** One sentence for the user or a model, whatever went wrong; `undone` says what did not happen when the store refuses. */
export function sentenceOf(error: unknown, logFile: string, undone = "Gantry could not write this down, so it did not happen; try it again in a moment"): string {
  if (error instanceof Sentence) return error.message
  if (error instanceof RpcError) {
    const said = error.message.trim()
    if (error.code === ERROR.STORE) return endSentence(`${undone}: ${said}`)
    if (error.code === ERROR.FULL) return "Gantry has too many requests in flight; try again in a moment."
    if (error.code === ERROR.CONFLICT || error.code === ERROR.NOT_FOUND || error.code === ERROR.INVALID_PARAMS) return endSentence(said)
  }
  return endSentence(`Gantry failed (${messageOf(error).trim()}); see ${logFile} and try again`)
}

function endSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
