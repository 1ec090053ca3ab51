// The plugin entry's options: what is known is sent on, what is not is reported once.
import type { WorkspaceOptions } from "./generated/types"

const CHECKS: Record<string, { is(value: unknown): boolean; wants: string }> = {
  bin: { is: (v) => typeof v === "string" && v !== "", wants: "a path" },
  resume: { is: (v) => v === "auto" || v === "report", wants: '"auto" or "report"' },
  checks: { is: isTexts, wants: "a list of commands" },
  todo: { is: (v) => typeof v === "string" && v !== "", wants: "a path relative to the project" },
  workers: { is: (v) => isWhole(v, 1, 50), wants: "a whole number from 1 to 50" },
  planners: { is: (v) => isWhole(v, 1, 50), wants: "a whole number from 1 to 50" },
  reviewers: { is: (v) => isWhole(v, 1, 50), wants: "a whole number from 1 to 50" },
  providers: { is: areCeilings, wants: 'names with whole numbers from 1 to 50, as in {"anthropic": 4}' },
  maxDurationSeconds: { is: (v) => isWhole(v, 60, 86_400), wants: "a whole number from 60 to 86400" },
  ...budgets("budget"),
  ...budgets("taskBudget"),
  fractal: { is: (v) => v === "auto" || v === "off", wants: '"auto" or "off"' },
  isolation: { is: (v) => v === "shared" || v === "worktree", wants: '"shared" or "worktree"' },
  integrate: { is: (v) => v === "apply" || v === "branch", wants: '"apply" or "branch"' },
  worktreeLinks: { is: isTexts, wants: "a list of paths" },
  race: { is: (v) => isWhole(v, 1, 5), wants: "a whole number from 1 to 5" },
  raceModels: { is: isTexts, wants: 'a list of models, as in ["anthropic/claude-sonnet-4-5"]' },
  worktreeSetup: { is: isTexts, wants: "a list of commands" },
  worktreesAhead: { is: (v) => isWhole(v, 0, 50), wants: "a whole number from 0 to 50" },
  permissions: { is: areRules, wants: 'a list of rules, as in ["allow bash npm test*", "deny webfetch"]' },
  permissionTimeoutSeconds: { is: (v) => isWhole(v, 5, 86_400), wants: "a whole number from 5 to 86400" },
  planApproval: { is: (v) => v === "auto" || v === "ask", wants: '"auto" or "ask"' },
  sessionReuse: { is: (v) => v === "off" || v === "follow", wants: '"off" or "follow"' },
  diagnostics: { is: (v) => v === "auto" || v === "off", wants: '"auto" or "off"' },
  toasts: { is: (v) => v === "quiet" || v === "normal" || v === "verbose", wants: '"quiet", "normal" or "verbose"' },
  turnTimeoutSeconds: { is: (v) => isWhole(v, 10, 86_400), wants: "a whole number from 10 to 86400" },
}

export interface Options {
  bin: string | undefined
  workspace: WorkspaceOptions
  /** One sentence, when something was left out. */
  warning: string | undefined
}

export function readOptions(given: unknown): Options {
  const options: Options = { bin: undefined, workspace: {}, warning: undefined }
  if (given === null || typeof given !== "object") return options
  const faults: string[] = []
  const known: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const check = CHECKS[name]
    if (!check) faults.push(`has no option "${name}"; did you mean "${nearest(name)}"`)
    else if (!check.is(value)) faults.push(`wants ${check.wants} for "${name}"`)
    else known[name] = value
  }
  const { bin, ...workspace } = known
  options.bin = bin as string | undefined
  options.workspace = workspace
  if (faults.length > 0) options.warning = `Gantry ${faults.join(", and ")}${faults.at(-1)?.includes("mean") ? "?" : "."}`
  return options
}

function budgets(prefix: string): typeof CHECKS {
  return {
    [`${prefix}Tokens`]: { is: (v) => isWhole(v, 1_000, 1_000_000_000_000), wants: "a whole number from 1000 to 1000000000000" },
    [`${prefix}Dollars`]: { is: (v) => typeof v === "number" && v >= 0.01 && v <= 1_000_000, wants: "a number from 0.01 to 1000000" },
    [`${prefix}Minutes`]: { is: (v) => isWhole(v, 1, 1_440), wants: "a whole number from 1 to 1440" },
  }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string")
}

function areRules(value: unknown): boolean {
  return isTexts(value) && (value as string[]).every((rule) => /^\s*(allow|ask|deny)\s+\S/.test(rule))
}

function areCeilings(value: unknown): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value) && Object.values(value).every((n) => isWhole(n, 1, 50))
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function nearest(name: string): string {
  const names = Object.keys(CHECKS)
  return names.reduce((best, next) => (distance(name, next) < distance(name, best) ? next : best))
}

/** Levenshtein distance without regard to case. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, left] of [...a.toLowerCase()].entries()) {
    const next = [i + 1]
    for (const [j, right] of [...b.toLowerCase()].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (left === right ? 0 : 1)))
    }
    row = next
  }
  return row[b.length] ?? 0
}
