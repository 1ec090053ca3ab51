// The V1 line of the host (1.18) behind the host port, through the client that the host injects. The address the host
// names is not listening in the TUI and in `run`; this client works everywhere.
import type { HostInfo, Message, OpenAsk, SessionState } from "../generated/types"
import { hostError, messageOf as textOf } from "../errors"
import { type HostPort, modelNamed, type NewSession, type Toast } from "./port"
import { V1Progress, type ToolPart } from "./v1-progress"
import { V1Toasts } from "./v1-toasts"
import { type InertText, type Parts, ScriptProgress, readByProgram } from "./v1-script"
import { type Loose, faultOf, loose, text, texts } from "./loose"
import { log } from "../log"
import { messageOf } from "./v1-events"

/** Conversations whose model is kept in mind; forgotten ones are asked about again. */
const MOST_PARENTS = 100
/** Conversations whose folder is kept in mind; forgotten ones are asked about again. */
const MOST_FOLDERS = 2_000

type Answer = { data?: unknown; error?: unknown; response?: { status?: number } }
type Call = (request: unknown) => Promise<Answer>

/** The part of the injected client that is used. */
export interface V1Client {
  session: Record<
    "create" | "get" | "children" | "promptAsync" | "prompt" | "abort" | "messages" | "status" | "delete",
    Call
  >
  tui: { showToast: Call }
  /** The generated client lacks methods for parts and permissions; its transport reaches the routes. */
  _client: { get: Call; post: Call; patch: Call; delete: Call }
}

type SessionInfo = { id: string; directory?: string; metadata?: { gantry?: unknown }; model?: SessionModel }
type SessionModel = { id: string; providerID: string; variant?: string }

export class V1Host implements HostPort {
  readonly info: HostInfo = { line: "v1", pid: process.pid }
  readonly progressOf: V1Progress
  readonly toasts = new V1Toasts(async (body) => void (await ask(this.client.tui.showToast({ body }))))
  /** Where conversations work that this process has made or asked about. */
  private readonly folders = new Map<string, string | undefined>()
  /** Models of conversations that missions were begun in; asked for once, and kept by the host's events from then on. */
  private readonly models = new Map<string, Promise<SessionModel | undefined>>()

  /** `directory` is that of the client; what works elsewhere is reached by naming its folder. */
  constructor(
    private readonly client: V1Client,
    private readonly directory?: string,
  ) {
    const script = readByProgram() ? new ScriptProgress(this.partsForScript()) : undefined
    this.progressOf = new V1Progress((part) => this.writePart(part), script)
  }

  async createSession({ parent, title, agent, model: named, key, adopt, folder }: NewSession): Promise<string> {
    if (parent !== undefined && adopt) {
      const children = (await ask(this.client.session.children({ path: { id: parent } }))) as SessionInfo[]
      const known = children.find((child) => child.metadata?.gantry === key)
      if (known) {
        this.folders.set(known.id, this.elsewhere(known.directory))
        return known.id
      }
    }
    const body: Record<string, unknown> = { title, agent, metadata: { gantry: key } }
    if (parent !== undefined) {
      body.parentID = parent
      // A child begins with the configured model; the user may have chosen another one in this conversation.
      const model = named ? modelNamed(named) : await this.modelOf(parent)
      if (model) body.model = model
    }
    const created = (await ask(this.client.session.create({ body, ...at(folder) }))) as SessionInfo
    this.folders.set(created.id, folder)
    return created.id
  }

  /** The user may choose another model for the conversation at any time. */
  updated(info: SessionInfo | undefined): void {
    if (info && this.models.has(info.id)) this.models.set(info.id, Promise.resolve(info.model))
  }

  /** What the first turn in a folder waits for most: the providers, and the services behind the files. A session alone has
   * the host load neither. */
  async openFolder(folder: string): Promise<void> {
    await ask(this.client._client.get({ url: "/config/providers", ...at(folder) }))
    await ask(this.client._client.get({ url: "/file", query: { directory: folder, path: "." } }))
  }

  async prompt(session: string, agent: string, text: string, noReply: boolean): Promise<void> {
    const request = { path: { id: session }, ...(await this.at(session)), body: { agent, noReply, parts: [{ type: "text", text }] } }
    await ask(noReply ? this.client.session.prompt(request) : this.client.session.promptAsync(request))
  }

  async abort(session: string): Promise<void> {
    await ask(this.client.session.abort({ path: { id: session }, ...(await this.at(session)) }))
  }

  async messages(session: string, limit: number): Promise<Message[]> {
    const messages = (await ask(this.client.session.messages({ path: { id: session }, query: { limit, ...(await this.at(session)).query } }))) as {
      info: Record<string, unknown>
      parts: Record<string, unknown>[]
    }[]
    await this.progressOf.mend(messages.flatMap(({ parts }) => parts as ToolPart[])).catch((error) => log(`arguments are not put back: ${textOf(error)}`))
    return messages.map(({ info, parts }) => messageOf(info, parts))
  }

  async status(sessions: string[]): Promise<SessionState[]> {
    // Each folder has an instance of its own in the host, which knows its own turns only.
    const folders = await Promise.all(sessions.map((session) => this.folderOf(session)))
    const asked = [...new Set(folders)]
    const found = await Promise.all(asked.map((folder) => ask(this.client.session.status({ ...at(folder) }))))
    const busy = new Map(asked.map((folder, i) => [folder, found[i] as Record<string, { type?: SessionState }>]))
    return sessions.map((session, i) => busy.get(folders[i])?.[session]?.type ?? "absent")
  }

  async remove(session: string): Promise<void> {
    await ask(this.client.session.delete({ path: { id: session }, ...(await this.at(session)) }))
    this.folders.delete(session)
  }

  async asks(session: string): Promise<OpenAsk[]> {
    const open = (await ask(this.client._client.get({ url: "/permission", ...(await this.at(session)) }))) as Loose[]
    return open.map((one) => ({ id: text(one.id), session: text(one.sessionID), permission: text(one.permission), patterns: texts(one.patterns) }))
  }

  async answer({ id, session, refusal }: { id: string; session: string; refusal?: string }): Promise<void> {
    await ask(
      this.client._client.post({
        url: "/permission/{requestID}/reply",
        path: { requestID: id },
        ...(await this.at(session)),
        body: refusal === undefined ? { reply: "once" } : { reply: "reject", message: refusal },
        headers: { "Content-Type": "application/json" },
      }),
    )
  }

  async toast(toast: Toast): Promise<void> {
    await this.toasts.tell(toast)
  }

  progress(call: string, title: string, metadata: Record<string, unknown>): void {
    this.progressOf.show(call, title, metadata)
  }

  private async at(session: string): Promise<{ query?: { directory: string } }> {
    return at(await this.folderOf(session))
  }

  /** An earlier process may have made it; the host keeps where. */
  private async folderOf(session: string): Promise<string | undefined> {
    if (this.directory === undefined) return undefined
    if (!this.folders.has(session)) {
      if (this.folders.size >= MOST_FOLDERS) this.folders.clear()
      const { directory } = (await ask(this.client.session.get({ path: { id: session } }))) as SessionInfo
      this.folders.set(session, this.elsewhere(directory))
    }
    return this.folders.get(session)
  }

  private modelOf(session: string): Promise<SessionModel | undefined> {
    const known = this.models.get(session)
    if (known) return known
    if (this.models.size >= MOST_PARENTS) this.models.clear()
    const asked = ask(this.client.session.get({ path: { id: session } })).then((info) => (info as SessionInfo).model)
    this.models.set(session, asked)
    // An answer that never came is asked for again.
    asked.catch(() => this.models.delete(session))
    return asked
  }

  private elsewhere(directory: string | undefined): string | undefined {
    return directory === this.directory ? undefined : directory
  }

  private async writePart(part: ToolPart | InertText): Promise<void> {
    await ask(this.client._client.patch({ ...PART, path: pathOf(part), body: part, headers: { "Content-Type": "application/json" } }))
  }

  private partsForScript(): Parts {
    return {
      requestOf: async (id, messageID) => {
        const answer = (await ask(this.client._client.get({ url: "/session/{id}/message/{messageID}", path: { id, messageID } }))) as Loose
        return text(loose(answer.info).parentID)
      },
      write: (part) => this.writePart(part),
      remove: async (part) => {
        await ask(this.client._client.delete({ ...PART, path: pathOf(part) }))
      },
    }
  }
}

const PART = { url: "/session/{id}/message/{messageID}/part/{partID}" }

function pathOf(part: { id: string; sessionID: string; messageID: string }) {
  return { id: part.sessionID, messageID: part.messageID, partID: part.id }
}

function at(folder: string | undefined): { query?: { directory: string } } {
  return folder === undefined ? {} : { query: { directory: folder } }
}

async function ask(request: Promise<Answer>): Promise<unknown> {
  let answer: Answer
  try {
    answer = await request
  } catch (error) {
    throw hostError({ name: "HostUnreachable", message: textOf(error) })
  }
  if (answer.error === undefined) return answer.data
  const fault = faultOf(answer.error)
  const status = answer.response?.status
  throw hostError(status === undefined ? fault : { ...fault, status })
}

