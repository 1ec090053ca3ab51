// What the V2 line of the host is given: the same agents, tools and command as on V1, by its own means.
import { COMMAND, COMMANDER, COMMAND_DESCRIPTION, ORDERS, ROLES, duties } from "./roles"
import { answerOf, openMission } from "./command"
import type { Command } from "./generated/types"
import { asking } from "./asks"
import { messageOf, sentenceOf } from "./errors"
import { TOOLS } from "./generated/tools"
import { type V2Agent, type V2AgentEditor, type V2Context, V2Host, type V2Invocation, type V2Rule, type V2Tool } from "./host/v2"
import { type V2Event, sessionOfV2 } from "./host/v2-events"
import { log, logFile } from "./log"
import { readOptions } from "./options"
import type { PermissionMap } from "./permissions"
import type { Pool } from "./sidecar/pool"
import { resumeLater } from "./start-up"
import { Workspace } from "./workspace"

/** Names that differ between the lines. */
const ACTIONS: Record<string, string> = { bash: "shell", task: "subagent" }
const ROLES_OF = new Map<string, readonly string[]>(TOOLS.map((tool) => [tool.name, tool.roles]))

/** Answers the function that undoes it. */
export async function setupV2(ctx: V2Context, pool: Pool<Workspace>): Promise<() => Promise<void>> {
  const host = new V2Host(ctx)
  const options = readOptions(host.options)
  const workspace = new Workspace(host.directory, host.worktree, options, host, pool)
  const stopListening = host.listen((event) => takeEvent(event, host, pool))
  await host.addAgents(changeAgents)
  await host.addTools(TOOLS.map((tool) => toolV2(tool, workspace, host, pool)))
  await host.hideTools((tool, agent) => ROLES_OF.get(tool)?.includes(agent) ?? true)
  const orders = Object.entries(ORDERS).map(([order, description]) => {
    const name = `${COMMAND}-${order}`
    return { name, description, execute: (invocation: V2Invocation) => runOrder(invocation, name, order as Command, workspace, host) }
  })
  const task = { name: COMMAND, description: COMMAND_DESCRIPTION, execute: (invocation: V2Invocation) => runCommand(invocation, workspace, host) }
  await host.addCommands([task, ...orders])
  await host.beforeTools(async (call) => {
    const owner = pool.children.get(call.sessionID)
    if (owner) await owner.checkWrite(call.sessionID, call.id, call.tool, call.input)
  })
  const cancelResume = resumeLater(workspace, (sentence) => log(sentence))
  return async () => {
    cancelResume()
    stopListening()
    await workspace.dispose()
  }
}

/** Code on this line: no turn of the model. */
async function runOrder(invocation: V2Invocation, name: string, order: Command, workspace: Workspace, host: V2Host): Promise<void> {
  const { sessionID } = invocation
  await host.say(sessionID, await answerOf(wordsAfter(name, invocation), (text) => workspace.command(sessionID, order, text)))
}

function wordsAfter(name: string, { prompt }: V2Invocation): string {
  return typeof prompt.text === "string" ? prompt.text.replace(new RegExp(`^/${name}(\\s|$)`), "") : ""
}

async function runCommand(invocation: V2Invocation, workspace: Workspace, host: V2Host): Promise<void> {
  const { sessionID } = invocation
  const given = wordsAfter(COMMAND, invocation)
  const opening = await openMission(given, (text, key) => workspace.createMission(sessionID, text, key))
  if (opening.mission === undefined) return host.say(sessionID, opening.sentence)
  await host.startTurn(invocation, COMMANDER, `${opening.text}\n\n${opening.instruction}`)
}

function toolV2(tool: (typeof TOOLS)[number], workspace: Workspace, host: V2Host, pool: Pool<Workspace>): V2Tool {
  return {
    name: tool.name,
    description: tool.description,
    input: tool.inputSchema,
    options: { codemode: false },
    execute: async (args, context) => {
      const owner = pool.children.get(context.sessionID) ?? workspace
      const end = host.begin(context.id, context.progress)
      try {
        const message = context.messageID === undefined ? {} : { message: context.messageID }
        const call = { session: context.sessionID, ...message, call: context.id, agent: context.agent, tool: tool.name, args: args ?? {} }
        // A tool of this line has no way to ask for a permission.
        const { title, output, metadata } = await asking(context.id, tool.name, args, undefined, () => owner.callTool(call, context.signal))
        return { content: output, output, metadata: { ...metadata, title } }
      } catch (error) {
        throw new Error(sentenceOf(error, logFile()))
      } finally {
        end()
      }
    },
  }
}

function takeEvent(event: V2Event, host: V2Host, pool: Pool<Workspace>): void {
  const session = sessionOfV2(event)
  const owner = session === undefined ? undefined : (pool.children.get(session) ?? pool.parents.get(session))
  if (!owner) return
  try {
    for (const mapped of host.events.map(event)) owner.push(mapped)
  } catch (error) {
    log(`event ${event.type}: ${messageOf(error)}`)
  }
}

function changeAgents(editor: V2AgentEditor): void {
  // Where agents are not listed, the hook that leaves tools out of requests is all there is.
  const others = (editor.list?.() ?? []).map((agent) => agent.id).filter((id) => !(id in ROLES))
  for (const id of others) {
    editor.update(id, (agent) => {
      agent.permissions = [...agent.permissions, ...TOOLS.map((tool) => rule(tool.name, "deny")), ...hiddenRoles(agent.permissions)]
    })
  }
  for (const [id, role] of Object.entries(ROLES)) {
    const isUsers = editor.get?.(id) !== undefined
    editor.update(id, (agent) => {
      if (!isUsers) {
        agent.mode = role.mode
        agent.hidden = role.hidden
      }
      agent.system ??= role.prompt
      agent.description ??= role.description
      agent.permissions = [...agent.permissions, ...unsaid(role.permission, isUsers ? agent : undefined), ...rules(duties(id))]
    })
  }
}

/** A rule that says nothing new could make a tool visible that an agent has denied as a whole. */
function hiddenRoles(given: V2Rule[]): V2Rule[] {
  const last = given.findLast((known) => known.action === "subagent" || known.action === "*")
  if (last?.resource === "*" && last.effect === "deny") return []
  return Object.keys(ROLES).filter((name) => name !== COMMANDER).map((name) => ({ action: "subagent", resource: name, effect: "deny" }))
}

/** The role's own rules, without those for actions the user's agent of that name has rules for. */
function unsaid(permission: PermissionMap, users: V2Agent | undefined): V2Rule[] {
  return rules(permission).filter((one) => !users?.permissions.some((given) => given.action === one.action))
}

function rules(permission: PermissionMap): V2Rule[] {
  return Object.entries(permission).map(([name, effect]) => rule(ACTIONS[name] ?? name, effect as V2Rule["effect"]))
}

function rule(action: string, effect: V2Rule["effect"]): V2Rule {
  return { action, resource: "*", effect }
}
