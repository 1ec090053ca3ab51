// Permissions asked of the host in the name of a running tool call. The host knows the rules of the call's session and, where
// they say so, asks the user; nothing here decides.
import type { PermissionAskParams, PermissionAskResult } from "./generated/types"
import { TOOLS } from "./generated/tools"
import { messageOf } from "./errors"
import type { Ask } from "./host/port"

const PERMISSIONS = new Map<string, string | null>(TOOLS.map((tool) => [tool.name, tool.permission]))
/** What the rules of the permission are about, by the argument of the tool that says it. */
const SUBJECTS = ["patterns", "pattern", "globs", "paths"]
const running = new Map<string, Ask | undefined>()

/** For as long as `work` runs, the sidecar may ask in the call's name. The call itself is asked for first. */
export async function asking<T>(call: string, tool: string, args: unknown, ask: Ask | undefined, work: () => Promise<T>): Promise<T> {
  const permission = PERMISSIONS.get(tool)
  if (permission && ask) await ask({ permission, patterns: subjects(args), metadata: (args ?? {}) as Record<string, unknown> })
  running.set(call, ask)
  try {
    return await work()
  } finally {
    running.delete(call)
  }
}

/** No answer of the host is a refusal. */
export async function asked(call: string, request: PermissionAskParams): Promise<PermissionAskResult> {
  if (!running.has(call)) return { allow: false, reason: "the call has ended" }
  const ask = running.get(call)
  if (!ask) {
    return { allow: false, reason: "this version of the host cannot be asked for permission; make the change with its own edit tool" }
  }
  try {
    await ask({ permission: request.permission, patterns: request.patterns, metadata: request.metadata })
    return { allow: true }
  } catch (error) {
    return { allow: false, reason: messageOf(error) }
  }
}

function subjects(args: unknown): string[] {
  const given = (args ?? {}) as Record<string, unknown>
  const values = SUBJECTS.map((name) => given[name]).find((value) => value !== undefined && value !== null)
  const list = (Array.isArray(values) ? values : [values]).filter((value): value is string => typeof value === "string" && value !== "")
  return list.length > 0 ? list : ["*"]
}
