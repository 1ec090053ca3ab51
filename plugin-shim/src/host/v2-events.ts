// Host events of the V2 line → the wire's vocabulary. The end of a turn is an event of its own here, a message is a step,
// and a tool's name comes only with the event that begins its input.
import type { HostEvent, MessageCall, SessionState, ToolState } from "../generated/types"
import { count, faultOf, loose, modelOf, text, texts, usageOf } from "./loose"

export type V2Event = { type: string; data?: unknown }

const REPEAT_MS = 1_000
const MOST_CALLS = 1_000

export class V2Events {
  /** Last known state of the sessions that were asked for. */
  readonly states = new Map<string, SessionState>()
  private readonly texts = new Map<string, Map<number, string>>()
  private readonly calls = new Map<string, { name: string; told: number; message: string; state: ToolState }>()
  private readonly asked = new Map<string, string>()

  constructor(private readonly now: () => number = Date.now) {}

  map(event: V2Event): HostEvent[] {
    const p = loose(event.data)
    const session = sessionOfV2(event)
    if (session === undefined) return []
    switch (event.type) {
      case "session.execution.started":
        return [this.state(session, "busy")]
      case "session.execution.succeeded":
        return [this.state(session, "idle")]
      case "session.execution.failed":
        return [{ type: "error", session, error: faultOf(p.error) }, this.state(session, "idle")]
      case "session.execution.interrupted":
        // The name that the other line uses, so that the engine knows one word for it.
        return [
          { type: "error", session, error: { name: "MessageAbortedError", message: `interrupted: ${text(p.reason) || "unknown"}` } },
          this.state(session, "idle"),
        ]
      case "session.retry.scheduled":
        this.states.set(session, "retry")
        return [{ type: "status", session, state: "retry", retryAt: count(p.at), message: faultOf(p.error).message }]
      case "session.text.ended":
        return this.text(p)
      case "session.step.ended":
      case "session.step.failed":
        return [this.step(session, p)]
      case "session.deleted":
        this.states.delete(session)
        return [{ type: "deleted", session }]
      case "permission.asked":
      case "permission.v2.asked":
        this.asked.set(text(p.id), text(p.action))
        return [{ type: "permission", session, id: text(p.id), open: true, permission: text(p.action), patterns: texts(p.resources ?? p.resource), rejected: false }]
      case "permission.replied":
      case "permission.v2.replied":
        return [this.replied(session, text(p.requestID), p.reply === "reject")]
      default:
        return event.type.startsWith("session.tool.") ? this.tool(session, event.type, p) : []
    }
  }

  private state(session: string, state: SessionState): HostEvent {
    this.states.set(session, state)
    return { type: "status", session, state }
  }

  private text(p: Record<string, unknown>): HostEvent[] {
    const id = text(p.assistantMessageID)
    const parts = this.texts.get(id) ?? new Map<number, string>()
    parts.set(count(p.ordinal), text(p.text))
    this.texts.set(id, parts)
    return []
  }

  private step(session: string, p: Record<string, unknown>): HostEvent {
    const id = text(p.assistantMessageID)
    const parts = [...(this.texts.get(id) ?? [])].sort(([a], [b]) => a - b)
    this.texts.delete(id)
    return {
      type: "message",
      session,
      message: {
        id,
        role: "assistant",
        text: parts.map(([, part]) => part).join("\n"),
        completed: true,
        ...(typeof p.finish === "string" ? { finish: p.finish } : {}),
        ...(p.error ? { error: faultOf(p.error) } : {}),
        usage: usageOf(p),
        ...modelOf(p),
        calls: this.callsOf(id),
      },
    }
  }

  private tool(session: string, type: string, p: Record<string, unknown>): HostEvent[] {
    const call = text(p.callID)
    const known = this.calls.get(call) ?? { name: text(p.name), told: -Infinity, message: text(p.assistantMessageID), state: "running" }
    this.calls.set(call, known)
    if (this.calls.size > MOST_CALLS) this.calls.delete(this.calls.keys().next().value as string)
    if (type === "session.tool.success") known.state = "completed"
    else if (type === "session.tool.failed") known.state = "error"
    else if (type !== "session.tool.called" && type !== "session.tool.progress") return []
    else if (this.now() - known.told < REPEAT_MS) return []
    known.told = this.now()
    return [{ type: "tool", session, call, tool: known.name, state: known.state }]
  }

  private callsOf(message: string): MessageCall[] {
    const own = [...this.calls].filter(([, call]) => call.message === message)
    for (const [id, call] of own) if (call.state !== "running") this.calls.delete(id)
    return own.map(([call, { name, state }]) => ({ call, tool: name, state }))
  }

  private replied(session: string, id: string, rejected: boolean): HostEvent {
    const permission = this.asked.get(id) ?? ""
    this.asked.delete(id)
    return { type: "permission", session, id, open: false, permission, patterns: [], rejected }
  }
}

export function sessionOfV2(event: V2Event): string | undefined {
  const { sessionID } = loose(event.data)
  return typeof sessionID === "string" ? sessionID : undefined
}
