// The host's V1 permission rules: a map in order, last match wins, `*` and `?` in names. Everything here keeps what a
// user wrote in its order and adds at the end, and only where it changes something for Gantry's own names.

export type Action = "allow" | "ask" | "deny"
export type PermissionMap = Record<string, Action | Record<string, Action>>
type Rule = { permission: string; pattern: string; action: Action }

/** The config accepts one action for everything; inside the host that is a map as well. */
export function asMap(permission: unknown): PermissionMap {
  if (typeof permission === "string") return { "*": permission as Action }
  return permission !== null && typeof permission === "object" ? (permission as PermissionMap) : {}
}

export function rulesOf(map: PermissionMap): Rule[] {
  return Object.entries(map).flatMap(([permission, value]) =>
    typeof value === "string"
      ? [{ permission, pattern: "*", action: value }]
      : Object.entries(value).map(([pattern, action]) => ({ permission, pattern, action })),
  )
}

/** Whether the host leaves the tool out of a request: the last rule for it denies everything. */
export function hides(rules: Rule[], tool: string): boolean {
  const last = rules.findLast((rule) => matches(rule.permission, tool))
  return last?.pattern === "*" && last.action === "deny"
}

/**
 * The rules of `map`, then those of `added`, as one map. A key can stand in a map only once, so one that both have moves to
 * the end, and what the rules before it said of that name moves with it.
 */
export function appended(map: PermissionMap, added: PermissionMap): PermissionMap {
  const result: PermissionMap = { ...map }
  for (const [name, value] of Object.entries(added)) {
    const moves = name in result && typeof value !== "string"
    const before = moves ? saidOf(result, name) : {}
    delete result[name]
    result[name] = typeof value === "string" ? value : laterWins(before, Object.entries(value))
  }
  return result
}

/** Pattern by pattern what the map says of one tool, in the order that decides. */
function saidOf(map: PermissionMap, tool: string): Record<string, Action> {
  const rules = rulesOf(map).filter((rule) => matches(rule.permission, tool))
  return laterWins({}, rules.map((rule) => [rule.pattern, rule.action]))
}

function laterWins(before: Record<string, Action>, later: [string, Action][]): Record<string, Action> {
  const result = { ...before }
  for (const [pattern, action] of later) {
    delete result[pattern]
    result[pattern] = action
  }
  return result
}

function matches(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")
  return new RegExp(`^${source}$`, "s").test(name)
}
