// Which paths a tool call is going to write, as the model named them. Tools that write without naming a path (a shell)
// give none; the gate finds their changes afterwards. And what else the rules of a mission are compared with.

type Args = Record<string, unknown>

export function writePaths(tool: string, args: unknown): string[] {
  const given = (args ?? {}) as Args
  switch (tool) {
    case "write":
    case "edit":
    case "multiedit":
      return [...paths(given), ...list(given.edits).flatMap((edit) => paths((edit ?? {}) as Args))].filter(unique)
    case "patch":
    case "apply_patch":
      return [...paths(given), ...patchPaths(given.patchText ?? given.patch)].filter(unique)
    default:
      return []
  }
}

/** What a shell is going to run, with the folder named for it; the home folder written out, for only the host knows it. */
export function shellCommand(tool: string, args: unknown, home: string): string | undefined {
  const given = (args ?? {}) as Args
  if (!["bash", "shell"].includes(tool) || typeof given.command !== "string") return undefined
  const text = typeof given.workdir === "string" ? `${given.workdir}\n${given.command}` : given.command
  return text.replace(/\$(?:HOME\b|\{HOME\})|(?<![^\s"'=:(<>;&|])~(?=\/|\s|$)/g, () => home)
}

/** What the host's own rules compare of a call, where the paths it writes or its full command do not tell. */
export function subjectOf(tool: string, args: unknown): string | undefined {
  const given = (args ?? {}) as Args
  const named = (SUBJECTS.get(tool) ?? []).map((name) => given[name])
  return named.find((value): value is string => typeof value === "string" && value !== "")
}

const SUBJECTS = new Map<string, string[]>(Object.entries({
  read: ["filePath", "path"],
  list: ["path"],
  glob: ["pattern", "path"],
  grep: ["pattern", "path"],
  webfetch: ["url"],
  websearch: ["query"],
  skill: ["name"],
  task: ["subagent_type"],
  subagent: ["agent", "subagent_type"],
  bash: ["command"],
  shell: ["command"],
}))

function paths(args: Args): string[] {
  return [args.filePath, args.path].filter((path): path is string => typeof path === "string" && path !== "")
}

function patchPaths(patch: unknown): string[] {
  if (typeof patch !== "string") return []
  return [...patch.matchAll(/^\*\*\* (?:(?:Add|Update|Delete) File|Move to):[ \t]*(.+?)[ \t\r]*$/gm)].map((match) => match[1] as string)
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function unique(path: string, at: number, all: string[]): boolean {
  return all.indexOf(path) === at
}
