// What the shim needs of a host, in one form for both host lines. Failures are thrown as `hostError`.
import type { HostInfo, Message, OpenAsk, SessionState, ToastVariant } from "../generated/types"

export interface NewSession {
  /** Where it works, when that is not the directory of the port. */
  folder?: string | undefined
  parent: string | undefined
  title: string
  agent: string
  /** What it runs on, as provider/model; what its parent does when absent. */
  model?: string | undefined
  key: string
  adopt: boolean
}

/** As hosts keep it with a session: the name of a model may have slashes. */
export function modelNamed(name: string): { id: string; providerID: string } {
  const slash = name.indexOf("/")
  return { id: name.slice(slash + 1), providerID: name.slice(0, slash) }
}

export interface Toast {
  title: string
  message: string
  variant: ToastVariant
  duration: number
}

/** Throws what the host, or the user, has against it. */
export type Ask = (request: PermissionRequest) => Promise<void>

export interface PermissionRequest {
  permission: string
  patterns: string[]
  metadata: Record<string, unknown>
}

export interface HostPort {
  readonly info: HostInfo
  createSession(session: NewSession): Promise<string>
  /** Opens a folder ahead of the first turn there. */
  openFolder(folder: string): Promise<void>
  /** Returns on admission; with `noReply` when the text is stored. */
  prompt(session: string, agent: string, text: string, noReply: boolean): Promise<void>
  abort(session: string): Promise<void>
  /** Newest `limit` messages, oldest first. */
  messages(session: string, limit: number): Promise<Message[]>
  status(sessions: string[]): Promise<SessionState[]>
  remove(session: string): Promise<void>
  /** What waits to be allowed where the session works. */
  asks(session: string): Promise<OpenAsk[]>
  /** With a refusal the model is told it and goes on. */
  answer(ask: { id: string; session: string; refusal?: string }): Promise<void>
  toast(toast: Toast): Promise<void>
  /** Shows title and metadata on a running tool call; a call it does not know is ignored. */
  progress(call: string, title: string, metadata: Record<string, unknown>): void
}
