// Gantry's four agents and its command, added to the host's configuration in memory.
//
// Two promises shape this file. A user's own agent of one of these names keeps every field it sets. And no other agent
// sees anything of Gantry: its tools are denied everywhere but in their roles, its agents are left out of every list
// that the host's `task` tool shows. Both are done by rules that come last, and only where an agent would see something:
// a needless rule for `task` would itself make that tool visible to an agent that has it denied.
import { TOOLS } from "./generated/tools"
import type { Command } from "./generated/types"
import { type PermissionMap, appended, asMap, hides, rulesOf } from "./permissions"

export const COMMAND = "task"
/** The hook of the command puts the user's words in. Not `$ARGUMENTS`: the host runs what stands as !`command` in a
 * template with the words filled in, and pasted text is not to be run. A template without any mark gets the words all the
 * same, so it has the mark of a word that nobody types. */
const TEMPLATE = "$99"
export const COMMAND_DESCRIPTION = "Runs a mission: plan, parallel work, review and checks"
export const COMMANDER = "commander"
/** Commands that need no model, with what they say of themselves. */
export const ORDERS: Record<Command, string> = {
  status: "Where the mission stands",
  report: "The report of the mission",
  pause: "Pauses the mission",
  suspend: "Ends the mission's turns for now; resume goes on where they stood",
  resume: "Lets the mission go on",
  cancel: "Cancels the mission",
  retry: "Tries the mission again",
  steer: "Tells the mission's workers something (--task T2: one of them, --now: at once)",
  approve: "Accepts the plan that waits",
  refuse: "Has the plan made anew, with what is to be different",
  accept: "Takes a task as done by your word, with the reason",
  allow: "Allows what an agent asks for, this once",
  deny: "Refuses what an agent asks for",
  rollback: "Takes back the files of the mission, or of a task",
}

export interface Role {
  mode: "primary" | "subagent"
  hidden: boolean
  description: string
  prompt: string
  permission: PermissionMap
}

const READ_ONLY: PermissionMap = {
  edit: "deny",
  bash: "deny",
  webfetch: "deny",
  task: "deny",
  todowrite: "deny",
  question: "deny",
  external_directory: "deny",
}

export const ROLES: Record<string, Role> = {
  commander: {
    mode: "primary",
    hidden: false,
    description: "Leads a mission: takes the brief, hands it to planner, workers and reviewers, and reports.",
    prompt: [
      "You are the Commander of Gantry. You turn what the user wants into the brief of a mission; a planner, workers and reviewers carry it out.",
      "",
      "- When a mission has been accepted, call the tool `mission` once. Its brief states in full sentences what is to be achieved, with everything this conversation has settled that the others cannot know. List as acceptance only what can be checked, as constraints only what the user said.",
      "- You may read files to make the brief exact. You do not plan, edit or run anything yourself.",
      "- The call ends when the mission has ended. Then repeat its report plainly: what was done, what was not, what the user should look at. Add no claim of your own.",
      "- To say where a mission stands call `mission_status`; to pause, resume, cancel, retry or steer it call `mission_control`.",
    ].join("\n"),
    permission: { edit: "deny", bash: "deny", task: "deny" },
  },
  planner: {
    mode: "subagent",
    hidden: true,
    description: "Plans a mission of Gantry.",
    prompt: [
      "You are a Planner of Gantry. You cut a brief into a graph of tasks that workers carry out in parallel, each seeing only the brief, its own task and the results of the tasks it depends on.",
      "",
      "- Read the project first: how it is laid out, how it is built and tested.",
      "- One task is one reviewable change of a few files. Name in `files` every file it may change; two tasks that change the same file must depend on each other.",
      "- Use `depends_on` only where a task needs another's result; everything else runs at the same time.",
      "- Give each task the project's own checks that prove it, narrowed to what the task touches.",
      "- You change nothing. End by calling `submit_plan`; if it answers with faults, mend them and call it again.",
    ].join("\n"),
    permission: READ_ONLY,
  },
  worker: {
    mode: "subagent",
    hidden: true,
    description: "Carries out one task of a Gantry mission.",
    prompt: [
      "You are a Worker of Gantry. You carry out one task of a mission, completely and nothing beyond it, while other workers change other files of the same project.",
      "",
      "- Read before you write, and follow the style, names and libraries of the code around you.",
      "- Change only the files your task names. If a write is refused, the message says who holds the file; work on something else of your task and try again, or report.",
      "- Run the checks of your task before you report. Never weaken a test to make it pass.",
      "- Do not commit, and do not ask: decide what the brief leaves open and say so in your report.",
      "- End by calling `submit_report` once: done, partial or blocked, with what you did and what the next task should know.",
    ].join("\n"),
    permission: { task: "deny", todowrite: "deny", question: "deny" },
  },
  reviewer: {
    mode: "subagent",
    hidden: true,
    description: "Reviews a change of a Gantry mission.",
    prompt: [
      "You are a Reviewer of Gantry. You judge one change against its task and brief, as the person who will maintain the code.",
      "",
      "- Read the changed files and what uses them, not the diff alone. The checks have been run already; look for what they do not prove: wrong results at the edges, broken callers, lost errors, missing tests, work beyond the task.",
      "- Ask for changes only for a fault you can name by file and line, with what goes wrong and how to mend it. Taste is no fault.",
      "- You change nothing. End by calling `submit_review` once: approve, or changes with findings.",
    ].join("\n"),
    permission: READ_ONLY,
  },
}

const SUBAGENTS = Object.keys(ROLES).filter((name) => name !== COMMANDER)
const NO_TOOLS: PermissionMap = Object.fromEntries(TOOLS.map((tool) => [tool.name, "deny"]))
const NO_ROLES: PermissionMap = { task: Object.fromEntries(SUBAGENTS.map((name) => [name, "deny"])) }

/** Rules of the host's own agents that decide whether they see `task`. */
const NATIVE: Record<string, PermissionMap> = {
  build: {},
  plan: { task: { general: "deny" } },
  general: {},
  explore: { "*": "deny" },
  compaction: { "*": "deny" },
  title: { "*": "deny" },
  summary: { "*": "deny" },
}

type AgentConfig = { permission?: unknown; disable?: boolean } & Record<string, unknown>

export interface HostConfig {
  permission?: unknown
  agent?: Record<string, AgentConfig | undefined>
  command?: Record<string, unknown>
}

/** Adds agents, rules and the commands; answers which of them are ours, for a user's own of such a name stays. */
export function addTo(config: HostConfig, withOrders: boolean): Set<string> {
  const agents = (config.agent ??= {})
  const top = appended(asMap(config.permission), NO_TOOLS)
  config.permission = top
  for (const name of new Set([...Object.keys(NATIVE), ...Object.keys(agents)])) {
    if (name in ROLES) continue
    const own = asMap(agents[name]?.permission)
    const hidden = hidingRules(rulesOf({ "*": "allow" }).concat(rulesOf(NATIVE[name] ?? {}), rulesOf(top)), own)
    if (hidden) agents[name] = { ...agents[name], permission: appended(own, hidden) }
  }
  for (const [name, role] of Object.entries(ROLES)) agents[name] = roleConfig(name, role, agents[name] ?? {})
  const commands = (config.command ??= {})
  const ours = new Set<string>()
  const add = (name: string, command: Record<string, unknown>) => {
    if (commands[name]) return
    commands[name] = { template: TEMPLATE, subtask: false, ...command }
    ours.add(name)
  }
  add(COMMAND, { description: COMMAND_DESCRIPTION, agent: COMMANDER })
  // With the agent of the conversation: another one would have the model read all of it anew.
  if (withOrders) for (const [order, description] of Object.entries(ORDERS)) add(`${COMMAND}-${order}`, { description })
  return ours
}

/** What must be added to an agent's own rules so that it sees nothing of Gantry; nothing, when it sees nothing anyway. */
function hidingRules(before: ReturnType<typeof rulesOf>, own: PermissionMap): PermissionMap | undefined {
  const rules = before.concat(rulesOf(own))
  const tools = TOOLS.filter((tool) => !hides(rules, tool.name)).map((tool) => [tool.name, "deny"] as const)
  const added: PermissionMap = { ...(hides(rules, "task") ? {} : NO_ROLES), ...Object.fromEntries(tools) }
  return Object.keys(added).length > 0 ? added : undefined
}

function roleConfig(name: string, role: Role, own: AgentConfig): AgentConfig {
  // A role that is switched off would leave every mission without it, so this one field is not taken over.
  const { permission, disable: _, ...fields } = own
  const { permission: base, ...defaults } = role
  return { ...defaults, ...fields, permission: appended(appended(base, asMap(permission)), duties(name)) }
}

/** What no override changes: a role has its own tools, no other of Gantry's, and spawns nothing. */
export function duties(role: string): PermissionMap {
  const tools = TOOLS.map((tool) => [tool.name, (tool.roles as readonly string[]).includes(role) ? "allow" : "deny"] as const)
  return { ...Object.fromEntries(tools), task: "deny" }
}
