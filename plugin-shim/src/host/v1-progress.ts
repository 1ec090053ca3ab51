// The live title of a running tool call on the V1 line.
//
// The `metadata()` of 1.18 hands back an effect of the host's own runtime that nothing here can run, so the part of the
// call is written through the host's API. That replaces the whole part, which is safe only between two writes of the
// host: after it has written "running" (a tool may begin before that) and before it writes the end (which waits for the
// tool). Hence the part is taken from the event that announces "running", never read; and `end` waits for a write under way.
//
// The TUI shows of a plugin's tool only its name and arguments, not its title. So while the call runs, the title stands in
// place of the arguments (beside a long brief nobody would find it). The host keeps the arguments it finds when the call
// ends and sends them to the model again, so they are put back before that. A host that is killed ends no call: so they are
// kept in the metadata meanwhile, and put back when the conversation is read after that.

import { loose } from "./loose"

export type ToolPart = {
  id: string
  sessionID: string
  messageID: string
  callID: string
  state: { status: string; input?: Record<string, unknown>; [field: string]: unknown }
  [field: string]: unknown
}

const EVERY_MS = 500
/** Where in the metadata of a part its arguments are while the title stands in their place. */
const KEPT = "arguments"

export type Wanted = { title: string; metadata: Record<string, unknown> }
type Call = {
  /** As the host wrote it. */
  part: ToolPart | undefined
  wanted: Wanted | undefined
  shown: Wanted | undefined
  writing: Promise<void> | undefined
  timer: NodeJS.Timeout | undefined
  ending: Promise<void> | undefined
}

export class V1Progress {
  private readonly calls = new Map<string, Call>()

  /** `also` is told of each title that was written, and of the end. */
  constructor(
    private readonly write: (part: ToolPart) => Promise<void>,
    private readonly also?: { show(part: ToolPart, wanted: Wanted): Promise<void>; end(call: string): Promise<void> },
  ) {}

  begin(call: string, abort: AbortSignal): void {
    const entry: Call = {
      part: undefined,
      wanted: undefined,
      shown: undefined,
      writing: undefined,
      timer: undefined,
      ending: undefined,
    }
    this.calls.set(call, entry)
    // After an abort the host waits a quarter of a second for the tool and then writes the end itself.
    abort.addEventListener("abort", () => void this.end(call), { once: true })
  }

  /** Every update of a tool's part that the host announces; the first that says "running" is the one to build on. */
  seen(part: ToolPart): void {
    const entry = this.calls.get(part.callID)
    if (!entry || entry.part || part.state?.status !== "running") return
    entry.part = part
    this.pump(entry)
  }

  show(call: string, title: string, metadata: Record<string, unknown>): void {
    const entry = this.calls.get(call)
    if (!entry) return
    entry.wanted = { title, metadata }
    this.pump(entry)
  }

  /** Parts of a conversation as the host has them. Calls of a process that was killed get their arguments back. */
  async mend(parts: ToolPart[]): Promise<void> {
    for (const part of parts) {
      const { [KEPT]: input, ...metadata } = loose(part.state?.metadata)
      if (part.type !== "tool" || part.state.status !== "running" || this.calls.has(part.callID) || typeof input !== "object") continue
      await this.write({ ...part, state: { ...part.state, input: loose(input), title: "interrupted when OpenCode stopped", metadata } })
    }
  }

  /** Resolves when nothing more will be written; the tool must not return before. */
  end(call: string): Promise<void> {
    const entry = this.calls.get(call)
    if (!entry) return Promise.resolve()
    entry.ending ??= this.restore(entry).finally(() => this.calls.delete(call))
    return entry.ending
  }

  private async restore(entry: Call): Promise<void> {
    clearTimeout(entry.timer)
    await entry.writing
    const { part, shown } = entry
    if (!part || !shown) return
    await Promise.all([this.write({ ...part, state: { ...part.state, ...shown } }).catch(() => {}), this.also?.end(part.callID)])
  }

  private pump(entry: Call): void {
    const { part, wanted } = entry
    if (entry.ending || entry.writing || entry.timer || !part || !wanted) return
    entry.wanted = undefined
    entry.shown = wanted
    const rest = () => this.rest(entry)
    const metadata = { ...wanted.metadata, [KEPT]: part.state.input }
    const write = this.write({ ...part, state: { ...part.state, ...wanted, metadata, input: { progress: wanted.title } } })
    entry.writing = write.then(() => this.also?.show(part, wanted)).then(rest, rest)
  }

  private rest(entry: Call): void {
    entry.writing = undefined
    if (entry.ending) return
    entry.timer = setTimeout(() => {
      entry.timer = undefined
      this.pump(entry)
    }, EVERY_MS)
  }
}
