// Host events of the V1 line → the wire's vocabulary. Tokens of a running answer are ignored; its text is taken from the
// part's last update, because the event that ends a message carries no text.
import type { HostEvent, HostFault, Message, Usage } from "../generated/types"

export type V1Event = { type: string; properties?: unknown }
// Events come from the host unchecked; every field may be missing.
type Loose = Record<string, unknown>

/** Repeats of one running call tell no more than that it lives; one a second is enough. */
const REPEAT_MS = 1_000

export class V1Events {
  private readonly texts = new Map<string, Map<string, string>>()
  private readonly finished = new Map<string, string>()
  private readonly calls = new Map<string, number>()
  private readonly asked = new Map<string, string>()

  constructor(private readonly now: () => number = Date.now) {}

  map(event: V1Event): HostEvent | undefined {
    const p = loose(event.properties)
    const session = sessionOf(event)
    if (session === undefined) return undefined
    switch (event.type) {
      case "session.status":
        return status(session, loose(p.status))
      case "session.error":
        return p.error ? { type: "error", session, error: faultOf(p.error) } : undefined
      case "message.updated":
        return this.message(session, loose(p.info))
      case "message.part.updated":
        return this.part(session, loose(p.part))
      case "permission.asked":
        this.asked.set(text(p.id), text(p.permission))
        return { type: "permission", session, id: text(p.id), open: true, permission: text(p.permission) }
      case "permission.replied":
        return this.replied(session, text(p.requestID))
      case "session.deleted":
        this.finished.delete(session)
        return { type: "deleted", session }
      default:
        return undefined
    }
  }

  private message(session: string, info: Loose): HostEvent | undefined {
    if (info.role !== "assistant" || loose(info.time).completed === undefined) return undefined
    const id = text(info.id)
    // The host updates a finished message again, with its summary for instance.
    if (this.finished.get(session) === id) return undefined
    this.finished.set(session, id)
    const parts = this.texts.get(id)
    this.texts.delete(id)
    return { type: "message", session, message: messageOf(info, [...(parts?.values() ?? [])]) }
  }

  private part(session: string, part: Loose): HostEvent | undefined {
    if (part.type === "text" && part.synthetic !== true) {
      const id = text(part.messageID)
      // A user's message never finishes; its text is of no use here.
      const parts = this.texts.get(id) ?? new Map<string, string>()
      parts.set(text(part.id), text(part.text))
      this.texts.set(id, parts)
      if (this.texts.size > 200) this.texts.delete(this.texts.keys().next().value as string)
      return undefined
    }
    return part.type === "tool" ? this.tool(session, part) : undefined
  }

  private tool(session: string, part: Loose): HostEvent | undefined {
    const state = text(loose(part.state).status)
    const call = text(part.callID)
    if (state === "completed" || state === "error") this.calls.delete(call)
    else if (state === "running") {
      const now = this.now()
      if (now - (this.calls.get(call) ?? -Infinity) < REPEAT_MS) return undefined
      this.calls.set(call, now)
    } else return undefined
    return { type: "tool", session, call, tool: text(part.tool), state }
  }

  private replied(session: string, id: string): HostEvent {
    const permission = this.asked.get(id) ?? ""
    this.asked.delete(id)
    return { type: "permission", session, id, open: false, permission }
  }
}

export function sessionOf(event: V1Event): string | undefined {
  const p = event.properties as Loose | undefined
  const session = p?.sessionID ?? loose(p?.info).id
  return typeof session === "string" ? session : undefined
}

/** A message of the host with the texts of its parts. */
export function messageOf(info: Loose, texts: string[]): Message {
  const message: Message = {
    id: text(info.id),
    role: info.role === "user" ? "user" : "assistant",
    text: texts.filter((part) => part !== "").join("\n"),
    // The host marks only answers as completed; what a user wrote is complete as soon as it is there.
    completed: info.role === "user" || loose(info.time).completed !== undefined,
    usage: usageOf(info),
  }
  if (typeof info.finish === "string") message.finish = info.finish
  if (info.error) message.error = faultOf(info.error)
  return message
}

/** An error as the host puts it: `{name, data: {message, statusCode}}`, `{_tag, message}`, or anything else. */
export function faultOf(error: unknown): HostFault {
  const e = loose(error)
  const data = loose(e.data)
  const message = [data.message, e.message].find((m) => typeof m === "string" && m !== "") ?? JSON.stringify(error) ?? "no details"
  const fault: HostFault = { name: text(e.name ?? e._tag) || "HostError", message: message as string }
  const status = data.statusCode ?? data.status
  if (Number.isInteger(status) && (status as number) > 0) fault.status = status as number
  return fault
}

function status(session: string, status: Loose): HostEvent | undefined {
  if (status.type === "retry") {
    const event: HostEvent = { type: "status", session, state: "retry" }
    if (typeof status.next === "number" && status.next > 0) event.retryAt = Math.round(status.next)
    if (typeof status.message === "string") event.message = status.message
    return event
  }
  if (status.type !== "busy" && status.type !== "idle") return undefined
  return { type: "status", session, state: status.type }
}

function usageOf(info: Loose): Usage {
  const tokens = loose(info.tokens)
  const cache = loose(tokens.cache)
  return {
    input: count(tokens.input),
    output: count(tokens.output),
    reasoning: count(tokens.reasoning),
    cacheRead: count(cache.read),
    cacheWrite: count(cache.write),
    cost: typeof info.cost === "number" && Number.isFinite(info.cost) ? info.cost : 0,
  }
}

function loose(value: unknown): Loose {
  return value !== null && typeof value === "object" ? (value as Loose) : {}
}

function text(value: unknown): string {
  return typeof value === "string" ? value : ""
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.round(value) : 0
}
