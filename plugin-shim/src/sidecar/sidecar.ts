// Keeps one sidecar process running for as long as a directory needs it, and makes its deaths invisible to callers:
// a call in flight is sent again after respawn, initialize and workspace/open.
import type {
  HostEvent,
  HostInfo,
  SidecarMethods,
  WorkspaceOpenParams,
  WorkspaceOpenResult,
} from "../generated/types"
import { Sentence, hostError, messageOf } from "../errors"
import { log, logFile } from "../log"
import { DiedAtStart, Life, type LifeTiming } from "./life"
import { Gone } from "./peer"

export interface Timing extends LifeTiming {
  /** Without need for this long, the process is ended. */
  idleMs: number
  /** Waits before the second, third, … start in a row. */
  backoffMs: readonly number[]
  /** After too many deaths no start is tried for this long. */
  restMs: number
  /** A process that lived this long counts as a healthy one. */
  settledMs: number
  /** How long a new process waits for what its predecessor had asked of the host. */
  settleMs: number
}

export const TIMING: Timing = {
  idleMs: 30_000,
  backoffMs: [100, 500, 2_000],
  restMs: 30_000,
  settledMs: 10_000,
  settleMs: 10_000,
  initializeMs: 10_000,
  killMs: 2_000,
}

const DEATHS_AT_START = 3
/** Deaths in a row of processes that did answer `initialize`; one call that always kills the sidecar must not do so for ever. */
const DEATHS_IN_A_ROW = 10

/** A directory of the host, as the sidecar's keeper sees it. */
export interface Tenant {
  readonly directory: string
  readonly host: HostInfo
  openParams(): WorkspaceOpenParams
  opened(result: WorkspaceOpenResult): void
  serve(method: string, params: unknown): Promise<unknown>
  /** Whether it has an open mission. */
  needed(): boolean
  /** Finds out which of its open missions have ended. */
  refresh(): Promise<void>
}

export class Sidecar {
  private readonly tenants = new Map<string, Tenant>()
  private life: Life | undefined
  private opened = new Map<Tenant, Promise<void>>()
  private starting: Promise<Life> | undefined
  private deathsAtStart = 0
  private deaths = 0
  private rest: { until: number; sentence: Sentence } | undefined
  private calls = 0
  private idleTimer: NodeJS.Timeout | undefined
  /** Calls of the host under way, and which process asked for each. */
  private readonly serving = new Map<Promise<unknown>, Life>()

  constructor(
    readonly bin: string,
    private readonly timing: Timing,
  ) {}

  get pid(): number | undefined {
    return this.life?.pid
  }

  /** Whether its process may be ended to make room for another. */
  get idle(): boolean {
    return this.calls === 0 && ![...this.tenants.values()].some((tenant) => tenant.needed())
  }

  get running(): boolean {
    return this.life !== undefined || this.starting !== undefined
  }

  attach(tenant: Tenant): void {
    this.tenants.set(tenant.directory, tenant)
  }

  async detach(tenant: Tenant): Promise<void> {
    // The host may already have opened the same directory anew.
    if (this.tenants.get(tenant.directory) === tenant) {
      this.tenants.delete(tenant.directory)
      if (this.opened.has(tenant)) this.life?.peer.call("workspace/close", { directory: tenant.directory }).catch(() => {})
    }
    this.opened.delete(tenant)
    if (this.tenants.size === 0) await this.stop()
    else this.settle()
  }

  /** Starts the process when it does not run, and opens the tenant's directory in it. */
  open(tenant: Tenant): Promise<void> {
    return this.through(tenant, async () => {})
  }

  call<M extends keyof SidecarMethods>(
    tenant: Tenant,
    method: M,
    params: SidecarMethods[M]["params"],
    signal?: AbortSignal,
  ): Promise<SidecarMethods[M]["result"]> {
    return this.through(tenant, (life) => life.peer.call(method, params, signal))
  }

  /** Events are worth nothing to a process that does not run: on its next start it asks for the state itself. */
  notify(tenant: Tenant, events: HostEvent[]): void {
    if (this.life?.readyAt !== undefined && this.opened.has(tenant)) {
      this.life.peer.notify("event/batch", { directory: tenant.directory, events })
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.idleTimer)
    const life = this.life
    this.life = undefined
    this.opened = new Map()
    await life?.stop()
  }

  private through<T>(tenant: Tenant, work: (life: Life) => Promise<T>): Promise<T> {
    return this.counted(async () => {
      for (;;) {
        if (this.tenants.get(tenant.directory) !== tenant) throw new Sentence("This directory was closed; open it again in OpenCode.")
        const life = await this.connect()
        try {
          await this.openIn(life, tenant)
          return await work(life)
        } catch (error) {
          // Every method may be repeated: the sidecar knows a call by its key or id.
          if (!(error instanceof Gone)) throw error
        }
      }
    })
  }

  private async counted<T>(work: () => Promise<T>): Promise<T> {
    this.calls++
    clearTimeout(this.idleTimer)
    try {
      return await work()
    } finally {
      this.calls--
      this.settle()
    }
  }

  private openIn(life: Life, tenant: Tenant): Promise<void> {
    if (life !== this.life) return Promise.reject(new Gone())
    let open = this.opened.get(tenant)
    if (!open) {
      const opened = this.opened
      open = this.earlierCallsSettle(life)
        .then(() => life.peer.call("workspace/open", tenant.openParams()))
        .then((result) => tenant.opened(result))
      opened.set(tenant, open)
      open.catch(() => opened.delete(tenant))
    }
    return open
  }

  private track<T>(life: Life, call: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = call.then(noop, noop).then(() => this.serving.delete(settled))
    this.serving.set(settled, life)
    return call
  }

  /**
   * What a dead process asked of the host may still be on its way: its successor would look, not find the prompt, and
   * send it a second time.
   */
  private async earlierCallsSettle(life: Life): Promise<void> {
    const earlier = [...this.serving].filter(([, by]) => by !== life).map(([call]) => call)
    if (earlier.length > 0) await Promise.race([Promise.all(earlier), sleep(this.timing.settleMs, true)])
  }

  private connect(): Promise<Life> {
    if (this.life?.alive && this.life.readyAt !== undefined) return Promise.resolve(this.life)
    this.starting ??= this.start().finally(() => {
      this.starting = undefined
    })
    return this.starting
  }

  private async start(): Promise<Life> {
    for (;;) {
      if (this.rest && Date.now() < this.rest.until) throw this.rest.sentence
      this.rest = undefined
      const inARow = Math.max(this.deaths, this.deathsAtStart)
      if (inARow > 0) await sleep(this.timing.backoffMs[Math.min(inARow, this.timing.backoffMs.length) - 1] ?? 0)
      try {
        return await this.startOnce()
      } catch (error) {
        if (!(error instanceof DiedAtStart)) throw error
        this.deathsAtStart++
        log(`sidecar ${this.bin} died at start (${this.deathsAtStart}): ${messageOf(error)}`)
        if (this.deathsAtStart >= DEATHS_AT_START) this.giveUp("ended at start three times in a row")
      }
    }
  }

  private async startOnce(): Promise<Life> {
    const host = [...this.tenants.values()].at(-1)?.host
    if (!host) throw new Sentence("This directory was closed; open it again in OpenCode.")
    const life: Life = new Life(this.bin, this.timing, (method, params): Promise<unknown> => this.track(life, this.serve(method, params)))
    this.life = life
    this.opened = new Map()
    void life.ended.then(() => this.onEnd(life))
    await life.initialize(host)
    if (this.life !== life) throw new DiedAtStart("stopped while it started")
    this.deathsAtStart = 0
    log(`sidecar ${this.bin} runs as ${life.pid}`)
    for (const tenant of this.tenants.values()) {
      if (tenant.needed()) this.openIn(life, tenant).catch((error) => log(`workspace/open ${tenant.directory}: ${messageOf(error)}`))
    }
    return life
  }

  private onEnd(life: Life): void {
    if (this.life === life) this.life = undefined
    if (life.stopping || life.readyAt === undefined) return
    this.deaths = Date.now() - life.readyAt > this.timing.settledMs ? 1 : this.deaths + 1
    if (this.deaths >= DEATHS_IN_A_ROW) {
      try {
        this.giveUp("ended again and again")
      } catch {
        // Nobody waits here; the next caller gets the sentence.
      }
      return
    }
    if (!this.idle) this.counted(() => this.connect()).catch((error) => log(`respawn: ${messageOf(error)}`))
  }

  private giveUp(what: string): never {
    this.deaths = 0
    this.deathsAtStart = 0
    const sentence = new Sentence(`Gantry's sidecar ${this.bin} ${what}; see ${logFile()}, then try again.`)
    this.rest = { until: Date.now() + this.timing.restMs, sentence }
    throw sentence
  }

  private serve(method: string, params: unknown): Promise<unknown> {
    const directory = (params as { directory?: unknown } | null)?.directory
    const tenant = typeof directory === "string" ? this.tenants.get(directory) : undefined
    // A sidecar that still asks for something, to hand over a report for instance, is not idle.
    if (tenant) return this.counted(() => tenant.serve(method, params))
    return Promise.reject(hostError({ name: "UnknownDirectory", message: `the host has no directory ${String(directory)} open` }))
  }

  /** Plans the end of a process that nobody needs; a mission that nobody waits for is asked after at the same pace. */
  private settle(): void {
    clearTimeout(this.idleTimer)
    if (this.calls > 0 || !this.life) return
    this.idleTimer = setTimeout(() => {
      if (this.idle) void this.stop()
      else void this.counted(() => Promise.all([...this.tenants.values()].map((tenant) => tenant.refresh())))
    }, this.timing.idleMs)
    this.idleTimer.unref()
  }
}

function noop(): void {}

/** With `idly` the wait does not keep the host from ending. */
function sleep(ms: number, idly = false): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (idly) timer.unref()
  })
}
