// One directory of the host: its missions and sessions, its calls to the sidecar, and what the sidecar asks of the host.
import { homedir } from "node:os"
import {
  type Command,
  type FolderParams,
  type HostEvent,
  type HostInfo,
  type HostMethods,
  type MissionCreateResult,
  type MissionSummary,
  type PermissionAskParams,
  type PermissionReplyParams,
  type ProgressParams,
  type SessionCreateParams,
  type SessionMessagesParams,
  type SessionParams,
  type SessionPromptParams,
  type SessionStatusParams,
  type ToastParams,
  type ToolCallParams,
  type ToolCallResult,
  type WorkspaceOpenParams,
  type WorkspaceOpenResult,
  ERROR,
} from "./generated/types"
import { RpcError, Sentence, hostError, messageOf } from "./errors"
import { asked } from "./asks"
import type { HostPort } from "./host/port"
import { log } from "./log"
import type { Options } from "./options"
import { locate } from "./sidecar/locate"
import type { Pool } from "./sidecar/pool"
import type { Sidecar, Tenant } from "./sidecar/sidecar"
import { shellCommand, subjectOf, writePaths } from "./writes"

/** Events that belong to one turn of the event loop of the host travel together. */
const BATCH_MS = 2
const LEASE_WAIT_MS = 15_000
const CREATE_WAIT_MS = 30_000
/** A summary without the mission is better than one that is late: the mission's own tools tell it again. */
const COMPACT_WAIT_MS = 3_000

export class Workspace implements Tenant {
  private readonly missions = new Map<string, MissionSummary>()
  private queue: HostEvent[] = []
  private queueTimer: NodeJS.Timeout | undefined
  private bin: string | undefined
  private wasOpened = false
  /** Conversations whose last mission has ended, in the turn that still has to take its report. */
  private readonly leaving = new Set<string>()

  constructor(
    readonly directory: string,
    private readonly worktree: string,
    private readonly options: Options,
    private readonly port: HostPort,
    private readonly pool: Pool<Workspace>,
  ) {}

  get host(): HostInfo {
    return this.port.info
  }

  // What the user and the models ask for.

  async createMission(parentSession: string, text: string, key: string): Promise<MissionCreateResult> {
    // A binary that was put right since the last try is found; one that runs is kept.
    if (this.bin === undefined || !this.pool.peek(this.bin)?.running) this.bin = this.find()
    const created = this.sidecar()
      .call(this, "mission/create", { directory: this.directory, parentSession, text, key })
      .then((result) => (this.track(result.mission), result))
    return within(CREATE_WAIT_MS, created, `Gantry's sidecar ${this.bin} does not answer; end its process and try again.`)
  }

  /** The answer is for the user. */
  async command(session: string, command: Command, text: string): Promise<string> {
    const params = { directory: this.directory, session, command, text }
    const answered = this.sidecar().call(this, "command/run", params)
    const answer = await within(CREATE_WAIT_MS, answered, "Gantry's sidecar does not answer; end its process and try again.")
    this.settle(session)
    return answer.text
  }

  /** What a summary of the conversation must keep of its mission. */
  async compacted(session: string): Promise<string> {
    const params = { directory: this.directory, session, command: "status" as const, text: "" }
    const { text } = await within(COMPACT_WAIT_MS, this.sidecar().call(this, "command/run", params), "no answer in time")
    return [
      "A mission of Gantry's belongs to this conversation and has not ended. Keep its id and state in the summary. Its report comes by itself, as the result of the running call of the tool `mission` or as a message: it is not to be started again, nor its work done here.",
      text,
    ].join("\n")
  }

  async callTool(call: Omit<ToolCallParams, "directory">, signal: AbortSignal): Promise<ToolCallResult> {
    // A model may start a mission without `/task`; its conversation has one from this moment on.
    if (call.tool === "mission") this.pool.parents.set(call.session, this)
    try {
      return await this.sidecar().call(this, "tool/call", { ...call, directory: this.directory }, signal)
    } finally {
      if (call.tool.startsWith("mission")) this.settle(call.session)
    }
  }

  /** Throws the reason when the call must not run. */
  async checkWrite(session: string, call: string, tool: string, args: unknown): Promise<void> {
    const command = shellCommand(tool, args, homedir())
    const subject = subjectOf(tool, args)
    const params = {
      ...{ directory: this.directory, session, call, tool, paths: writePaths(tool, args) },
      ...(command !== undefined && { command }),
      ...(subject !== undefined && subject !== command && { subject }),
    }
    const answer = await within(
      LEASE_WAIT_MS,
      this.sidecar().call(this, "lease/check", params),
      "Gantry's sidecar is not running, so this call could not be checked; wait a moment and try it again.",
    )
    if (!answer.allow) throw new Sentence(answer.reason ?? "Gantry does not allow this call now; end your turn with your submit tool.")
  }

  /** Takes up the missions that a stopped host left open. */
  async resume(): Promise<void> {
    await this.sidecar().open(this)
  }

  // Events of the host.

  push(event: HostEvent): void {
    this.queue.push(event)
    if (event.type === "deleted") this.pool.children.delete(event.session)
    const over = event.type === "deleted" || (event.type === "status" && event.state === "idle")
    if (over && this.leaving.delete(event.session)) this.releaseParent(event.session)
    // Ends of turns are what the engine waits for.
    if (event.type === "error" || (event.type === "status" && event.state === "idle")) this.flush()
    else this.queueTimer ??= setTimeout(() => this.flush(), BATCH_MS)
  }

  private flush(): void {
    clearTimeout(this.queueTimer)
    this.queueTimer = undefined
    const events = this.queue
    this.queue = []
    if (this.bin !== undefined && events.length > 0) this.pool.peek(this.bin)?.notify(this, events)
  }

  async dispose(): Promise<void> {
    this.flush()
    this.pool.forget(this)
    this.missions.clear()
    if (this.bin !== undefined) await this.pool.peek(this.bin)?.detach(this)
  }

  // What the keeper of the sidecar asks.

  openParams(): WorkspaceOpenParams {
    return { directory: this.directory, worktree: this.worktree, options: this.options.given, reattach: this.wasOpened }
  }

  opened(result: WorkspaceOpenResult): void {
    this.wasOpened = true
    this.missions.clear()
    for (const mission of result.missions) this.track(mission)
    for (const session of result.sessions) this.pool.children.set(session, this)
  }

  needed(): boolean {
    return this.missions.size > 0
  }

  async refresh(): Promise<void> {
    for (const id of [...this.missions.keys()]) {
      try {
        const { mission } = await this.sidecar().call(this, "mission/status", { directory: this.directory, mission: id })
        this.track(mission)
      } catch (error) {
        if (!(error instanceof RpcError && error.code === ERROR.NOT_FOUND)) throw error
        this.missions.delete(id)
      }
    }
  }

  /** After a call that may have ended a mission of the conversation. */
  private settle(session: string): void {
    this.refresh().then(
      () => this.leaving.add(session),
      (error) => log(`mission/status: ${messageOf(error)}`),
    )
  }

  private track(mission: MissionSummary): void {
    if (mission.endedAt === undefined) {
      this.missions.set(mission.id, mission)
      this.pool.parents.set(mission.parentSession, this)
    } else {
      this.missions.delete(mission.id)
      // The sidecar is still to see that the conversation took the report: that it is idle again comes last.
      this.leaving.add(mission.parentSession)
    }
  }

  private releaseParent(session: string): void {
    if (![...this.missions.values()].some((mission) => mission.parentSession === session)) this.pool.parents.delete(session)
  }

  private find(): string {
    return locate({ env: process.env, option: this.options.bin, directory: this.directory })
  }

  private sidecar(): Sidecar {
    this.bin ??= this.find()
    const sidecar = this.pool.sidecar(this.bin)
    sidecar.attach(this)
    return sidecar
  }

  // What the sidecar asks of the host.

  async serve(method: string, params: unknown): Promise<unknown> {
    const handler = this.handlers[method as keyof HostMethods]
    if (!handler) throw new RpcError(ERROR.METHOD_NOT_FOUND, `the shim has no method ${method}`)
    return handler(params as never)
  }

  private readonly handlers: { [M in keyof HostMethods]: (params: HostMethods[M]["params"]) => Promise<HostMethods[M]["result"]> } = {
    "host/session.create": async (p: SessionCreateParams) => {
      const session = await this.port.createSession({ parent: p.parent, title: p.title, agent: p.agent, model: p.model, key: p.key, adopt: p.adopt, folder: p.folder })
      this.pool.children.set(session, this)
      return { session }
    },
    "host/folder.open": async (p: FolderParams) => {
      await this.port.openFolder(p.folder)
      return {}
    },
    "host/session.prompt": async (p: SessionPromptParams) => {
      // A mission that was left by another host comes with conversations this one has not made.
      if (p.agent !== "commander") this.pool.children.set(p.session, this)
      else await this.refuseBusy(p.session)
      await this.port.prompt(p.session, p.agent, p.text, p.noReply)
      return {}
    },
    "host/session.abort": async (p: SessionParams) => {
      await this.port.abort(p.session)
      return {}
    },
    "host/session.messages": async (p: SessionMessagesParams) => ({ messages: await this.port.messages(p.session, p.limit) }),
    "host/session.status": async (p: SessionStatusParams) => {
      const states = await this.port.status(p.sessions)
      return { sessions: p.sessions.map((session, at) => ({ session, state: states[at] ?? "absent" })) }
    },
    "host/session.delete": async (p: SessionParams) => {
      await this.port.remove(p.session)
      this.pool.children.delete(p.session)
      return {}
    },
    "host/toast": async (p: ToastParams) => {
      await this.port.toast({ title: p.title, message: p.message, variant: p.variant, duration: p.duration })
      return {}
    },
    "host/permission.list": async (p: SessionParams) => ({ asks: await this.port.asks(p.session) }),
    "host/permission.reply": async (p: PermissionReplyParams) => {
      await this.port.answer(p)
      return {}
    },
    "host/permission.ask": (p: PermissionAskParams) => asked(p.call, p),
    "host/progress": async (p: ProgressParams) => {
      this.port.progress(p.call, p.title, p.metadata)
      return {}
    },
  }

  /** A conversation of the user is never prompted while it runs a turn of the user's. */
  private async refuseBusy(session: string): Promise<void> {
    const [state] = await this.port.status([session])
    if (state === "busy" || state === "retry") {
      throw hostError({ name: "SessionBusy", message: "the conversation runs a turn of the user's; prompt it when it is idle" })
    }
  }
}

function within<T>(ms: number, work: Promise<T>, sentence: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Sentence(sentence)), ms)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
