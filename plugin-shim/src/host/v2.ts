// The V2 line of the host (2.0.22 and later) behind the host port. Every access to the plugin context stands in this file,
// and what a host may lack is asked for before it is used.
import type { HostInfo, Message, MessageCall, OpenAsk, SessionState } from "../generated/types"
import { RpcError, hostError, messageOf } from "../errors"
import { log } from "../log"
import { type Loose, faultOf, loose, modelOf, text, texts, usageOf } from "./loose"
import { type HostPort, modelNamed, type NewSession, type Toast } from "./port"
import { type V2Event, V2Events } from "./v2-events"

export type V2Rule = { action: string; resource: string; effect: "allow" | "ask" | "deny" }
export interface V2Agent {
  id: string
  mode: string
  hidden?: boolean
  system?: string | undefined
  description?: string | undefined
  permissions: V2Rule[]
}
export interface V2AgentEditor {
  /** Not in the published contract, so a host may lack them. */
  list?(): readonly { id: string }[]
  get?(id: string): unknown
  update(id: string, change: (agent: V2Agent) => void): void
}
export interface V2ToolContext {
  sessionID: string
  messageID?: string
  agent: string
  id: string
  signal: AbortSignal
  progress?(metadata: Loose): Promise<void>
}
export interface V2Tool {
  name: string
  description: string
  input: unknown
  options: { codemode: false }
  execute(input: unknown, context: V2ToolContext): Promise<{ content: string; output: string; metadata: Loose }>
}
export interface V2Invocation {
  sessionID: string
  messageID: string
  prompt: Loose
  delivery: string
}
export interface V2Command {
  name: string
  description: string
  execute(invocation: V2Invocation): Promise<void>
}
export interface V2Call {
  tool: string
  sessionID: string
  id: string
  input: unknown
}
type Transform<Editor> = (change: (editor: Editor) => void) => Promise<unknown>
type SessionCall = (input: Loose) => Promise<unknown>

export interface V2Context {
  app?: { version?: string }
  location: { directory: string; project?: { directory?: string } }
  options?: unknown
  agent?: { transform: Transform<V2AgentEditor> }
  command?: { transform: Transform<{ add(command: V2Command): void }> }
  tool: {
    transform: Transform<{ add(tool: V2Tool): void }>
    hook?(name: "execute.before", callback: (call: V2Call) => Promise<void>): Promise<unknown>
  }
  event: { subscribe(): AsyncIterable<V2Event> }
  session: {
    create: SessionCall
    get: SessionCall
    prompt: SessionCall
    synthetic?: SessionCall
    interrupt: SessionCall
    context: SessionCall
    remove?: SessionCall
    switchAgent?: SessionCall
    hook?(name: "context", callback: (request: { agent: string; tools: Loose }) => void): Promise<unknown>
  }
  permission?: { list?(): Promise<unknown>; reply?: SessionCall }
  storage?: { get(key: string): Promise<unknown>; set(key: string, value: unknown): Promise<unknown> }
}

export class V2Host implements HostPort {
  readonly info: HostInfo
  readonly events = new V2Events()
  private readonly progressOf = new Map<string, (metadata: Loose) => Promise<void>>()
  private readonly children = new Set<string>()

  constructor(private readonly ctx: V2Context) {
    const version = ctx.app?.version
    this.info = { line: "v2", pid: process.pid, ...(version === undefined ? {} : { version }) }
  }

  get directory(): string {
    return this.ctx.location.directory
  }

  get worktree(): string {
    return this.ctx.location.project?.directory ?? this.directory
  }

  get options(): unknown {
    return this.ctx.options
  }

  // What setup registers.

  async addAgents(change: (editor: V2AgentEditor) => void): Promise<void> {
    if (this.ctx.agent) await this.ctx.agent.transform(change)
    else log("this host takes no agents from plugins")
  }

  async addCommands(commands: V2Command[]): Promise<void> {
    if (this.ctx.command) await this.ctx.command.transform((editor) => commands.forEach((command) => editor.add(command)))
    else log("this host takes no commands from plugins")
  }

  async addTools(tools: V2Tool[]): Promise<void> {
    await this.ctx.tool.transform((editor) => tools.forEach((tool) => editor.add(tool)))
  }

  async beforeTools(callback: (call: V2Call) => Promise<void>): Promise<void> {
    if (this.ctx.tool.hook) await this.ctx.tool.hook("execute.before", callback)
    else log("this host lets no plugin see tool calls; writes are not checked before they happen")
  }

  /** Leaves tools out of the requests of agents that may not call them. */
  async hideTools(allowed: (tool: string, agent: string) => boolean): Promise<void> {
    await this.ctx.session.hook?.("context", ({ agent, tools }) => {
      for (const tool of Object.keys(tools)) if (!allowed(tool, agent)) delete tools[tool]
    })
  }

  /** Ends when the returned function is called or the host closes the stream. */
  listen(take: (event: V2Event) => void): () => void {
    const events = this.ctx.event.subscribe()[Symbol.asyncIterator]()
    const run = async () => {
      for (let next = await events.next(); !next.done; next = await events.next()) take(next.value)
    }
    run().catch((error) => log(`event stream: ${messageOf(error)}`))
    return () => void events.return?.()
  }

  /** A running call's way to show progress. */
  begin(call: string, progress: V2ToolContext["progress"]): () => void {
    if (progress) this.progressOf.set(call, progress)
    return () => this.progressOf.delete(call)
  }

  /** Starts the Commander's turn in the conversation of the command. */
  async startTurn(invocation: V2Invocation, agent: string, text: string): Promise<void> {
    const { sessionID, messageID, prompt, delivery } = invocation
    await this.ctx.session.switchAgent?.({ sessionID, agent })
    await this.ctx.session.prompt({ ...prompt, sessionID, id: messageID, text, delivery })
  }

  /** Puts a sentence into the conversation without a turn. */
  async say(sessionID: string, sentence: string): Promise<void> {
    if (!this.ctx.session.synthetic) return log(`not shown: ${sentence}`)
    await this.ctx.session.synthetic({ sessionID, text: sentence, description: sentence, delivery: "queue", resume: false })
  }

  // The host port.

  async createSession({ parent, title, agent, model: named, key, adopt, folder }: NewSession): Promise<string> {
    if (folder !== undefined) throw noFolders()
    const known = adopt ? await this.knownSession(key) : undefined
    if (known !== undefined) return known
    const body: Loose = { title, agent, metadata: { gantry: key } }
    if (parent !== undefined) {
      body.parentID = parent
      const model = named ? modelNamed(named) : loose(await ask(this.ctx.session.get({ sessionID: parent }))).model
      if (model) body.model = model
    }
    const child = loose(await ask(this.ctx.session.create(body)))
    const id = text(child.id)
    if (parent !== undefined && child.parentID !== parent) {
      await this.ctx.session.remove?.({ sessionID: id }).catch(() => {})
      throw hostError({ name: "HostTooOld", message: "this OpenCode does not link child sessions; update it to 2.0.22 or later" })
    }
    this.children.add(id)
    await this.ctx.storage?.set(`session/${key}`, id)
    return id
  }

  async openFolder(): Promise<void> {
    throw noFolders()
  }

  async prompt(sessionID: string, agent: string, prompt: string, noReply: boolean): Promise<void> {
    const resume = noReply ? { resume: false } : {}
    if (this.children.has(sessionID) || !this.ctx.session.synthetic) {
      await ask(this.ctx.session.prompt({ sessionID, text: prompt, delivery: "queue", ...resume }))
    } else {
      const description = `Gantry, for the ${agent}`
      await ask(this.ctx.session.synthetic({ sessionID, text: prompt, description, delivery: "queue", ...resume }))
    }
  }

  async abort(sessionID: string): Promise<void> {
    await ask(this.ctx.session.interrupt({ sessionID }))
  }

  async messages(sessionID: string, limit: number): Promise<Message[]> {
    const all = (await ask(this.ctx.session.context({ sessionID }))) as unknown[]
    return all.map(loose).flatMap(messageOfV2).slice(-limit)
  }

  async status(sessions: string[]): Promise<SessionState[]> {
    return Promise.all(sessions.map((session) => this.events.states.get(session) ?? this.outcomeOf(session)))
  }

  async remove(sessionID: string): Promise<void> {
    if (!this.ctx.session.remove) throw hostError({ name: "Unsupported", message: "this OpenCode lets no plugin delete a session" })
    await ask(this.ctx.session.remove({ sessionID }))
    this.children.delete(sessionID)
  }

  async asks(): Promise<OpenAsk[]> {
    if (!this.ctx.permission?.list) throw hostError({ name: "Unsupported", message: "this OpenCode lists no permissions for plugins" })
    const open = (await ask(this.ctx.permission.list())) as unknown[]
    return open.map(loose).map((one) => ({
      id: text(one.id),
      session: text(one.sessionID),
      permission: text(one.action),
      patterns: texts(one.resources),
    }))
  }

  async answer({ id, session, refusal }: { id: string; session: string; refusal?: string }): Promise<void> {
    if (!this.ctx.permission?.reply) throw hostError({ name: "Unsupported", message: "this OpenCode lets no plugin answer a permission" })
    const word = refusal === undefined ? { reply: "once" } : { reply: "reject", message: refusal }
    await ask(this.ctx.permission.reply({ sessionID: session, requestID: id, ...word }))
  }

  /** Only the half in the terminal interface can show one on this line, and fetches it from the sidecar; where there is none,
   * the log keeps what was to be said. */
  async toast({ title, message }: Toast): Promise<void> {
    log(`toast: ${title}: ${message}`)
  }

  progress(call: string, title: string, metadata: Record<string, unknown>): void {
    this.progressOf.get(call)?.({ ...metadata, title }).catch((error) => log(`progress: ${messageOf(error)}`))
  }

  private async outcomeOf(sessionID: string): Promise<SessionState> {
    const session = loose(await ask(this.ctx.session.get({ sessionID })))
    return session.outcome === undefined ? "absent" : "idle"
  }

  /** This line lists no children for plugins, so their ids are kept in the plugin's own storage. */
  private async knownSession(key: string): Promise<string | undefined> {
    const id = await this.ctx.storage?.get(`session/${key}`)
    if (typeof id !== "string") return undefined
    try {
      await this.ctx.session.get({ sessionID: id })
    } catch {
      return undefined
    }
    this.children.add(id)
    return id
  }
}

function noFolders(): RpcError {
  return hostError({ name: "NoFolders", message: "worktrees need OpenCode 1.18: set Gantry's option isolation to shared" })
}

function messageOfV2(message: Loose): Message[] {
  const base = { id: text(message.id), usage: usageOf(message) }
  if (message.type === "user" || message.type === "synthetic") {
    return [{ ...base, role: "user", text: text(message.text), completed: true, calls: [] }]
  }
  if (message.type !== "assistant") return []
  const parts = Array.isArray(message.content) ? message.content.map(loose) : []
  const answer: Message = {
    ...base,
    role: "assistant",
    text: parts.flatMap((part) => (part.type === "text" ? [text(part.text)] : [])).join("\n"),
    completed: loose(message.time).completed !== undefined,
    calls: parts.filter((part) => part.type === "tool").map(callOf),
    ...modelOf(message),
  }
  if (typeof message.finish === "string") answer.finish = message.finish
  if (message.error) answer.error = faultOf(message.error)
  return [answer]
}

function callOf(part: Loose): MessageCall {
  const state = loose(part.state).status
  return { call: text(part.id), tool: text(part.name), state: state === "completed" || state === "error" ? state : "running" }
}

async function ask(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    throw error instanceof RpcError ? error : hostError(faultOf(error))
  }
}
