// Host events of the V1 line → the wire's vocabulary. Tokens of a running answer are ignored; its text is taken from the
// part's last update, because the event that ends a message carries no text.
import type { HostEvent, Message, MessageCall } from "../generated/types"
import { type Loose, faultOf, loose, modelOf, text, texts, usageOf } from "./loose"

export type V1Event = { type: string; properties?: unknown }

/** Repeats of one running call tell no more than that it lives; one a second is enough. */
const REPEAT_MS = 1_000
const MOST_MESSAGES = 200

export class V1Events {
  /** Message → its parts that count, by id; dropped when the message is told. */
  private readonly parts = new Map<string, Map<string, Loose>>()
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
        return { type: "permission", session, id: text(p.id), open: true, permission: text(p.permission), patterns: texts(p.patterns), rejected: false }
      case "permission.replied":
        return this.replied(session, text(p.requestID), p.reply === "reject")
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
    const parts = this.parts.get(id)
    this.parts.delete(id)
    return { type: "message", session, message: messageOf(info, [...(parts?.values() ?? [])]) }
  }

  private part(session: string, part: Loose): HostEvent | undefined {
    if (part.type !== "text" && part.type !== "tool") return undefined
    const id = text(part.messageID)
    const parts = this.parts.get(id) ?? new Map<string, Loose>()
    parts.set(text(part.id), part)
    this.parts.set(id, parts)
    // A user's message is never told, and one of a host that went wrong may not be.
    if (this.parts.size > MOST_MESSAGES) this.parts.delete(this.parts.keys().next().value as string)
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

  private replied(session: string, id: string, rejected: boolean): HostEvent {
    const permission = this.asked.get(id) ?? ""
    this.asked.delete(id)
    return { type: "permission", session, id, open: false, permission, patterns: [], rejected }
  }
}

export function sessionOf(event: V1Event): string | undefined {
  const p = event.properties as Loose | undefined
  const session = p?.sessionID ?? loose(p?.info).id
  return typeof session === "string" ? session : undefined
}

/** A message of the host with its parts. What a model was told counts, also where the user does not see it; what the host
 * adds to an answer does not. */
export function messageOf(info: Loose, parts: Loose[]): Message {
  const message: Message = {
    id: text(info.id),
    role: info.role === "user" ? "user" : "assistant",
    text: parts.flatMap((part) => (part.type === "text" && (info.role === "user" || part.synthetic !== true) && part.text ? [text(part.text)] : [])).join("\n"),
    // The host marks only answers as completed; what a user wrote is complete as soon as it is there.
    completed: info.role === "user" || loose(info.time).completed !== undefined,
    usage: usageOf(info),
    ...(info.role === "user" ? {} : modelOf(info)),
    calls: parts.filter((part) => part.type === "tool").map(callOf),
  }
  if (typeof info.finish === "string") message.finish = info.finish
  if (info.error) message.error = faultOf(info.error)
  return message
}

function callOf(part: Loose): MessageCall {
  const state = text(loose(part.state).status)
  return { call: text(part.callID), tool: text(part.tool), state: state === "completed" || state === "error" ? state : "running" }
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
