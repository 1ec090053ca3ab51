// Reading what a host hands over unchecked: every field may be missing or of another type.
import type { HostFault, Usage } from "../generated/types"

export type Loose = Record<string, unknown>

export function loose(value: unknown): Loose {
  return value !== null && typeof value === "object" ? (value as Loose) : {}
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : ""
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : []
}

export function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.round(value) : 0
}

/** An error as the hosts put it: `{name, data: {message, statusCode}}`, `{type, message}`, `{_tag, message}`, or anything else. */
export function faultOf(error: unknown): HostFault {
  const e = loose(error)
  const data = loose(e.data)
  const message = [data.message, e.message].find((m) => typeof m === "string" && m !== "") ?? JSON.stringify(error) ?? "no details"
  const fault: HostFault = { name: text(e._tag ?? e.name ?? e.type) || "HostError", message: message as string }
  const status = data.statusCode ?? data.status ?? e.status
  if (Number.isInteger(status) && (status as number) > 0) fault.status = status as number
  return fault
}

/** What answered, as `provider/model`; the lines name it in two ways, and events of one do not name it at all. */
export function modelOf(message: Loose): { model?: string } {
  const named = message.providerID === undefined ? loose(message.model) : message
  const [provider, model] = [text(named.providerID), text(named.modelID ?? named.id)]
  return provider === "" || model === "" ? {} : { model: `${provider}/${model}` }
}

/** Tokens and cost as both lines count them on a message. */
export function usageOf(message: Loose): Usage {
  const tokens = loose(message.tokens)
  const cache = loose(tokens.cache)
  return {
    input: count(tokens.input),
    output: count(tokens.output),
    reasoning: count(tokens.reasoning),
    cacheRead: count(cache.read),
    cacheWrite: count(cache.write),
    cost: typeof message.cost === "number" && Number.isFinite(message.cost) ? message.cost : 0,
  }
}
