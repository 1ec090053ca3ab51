// What the V1 line of the host calls: one set of hooks per directory. Nothing here waits for the host while it loads, and
// what concerns no mission returns at once.
import { parse } from "node:path"
import { COMMAND, type HostConfig, addTo } from "./roles"
import { ANSWERED, OBEYED, type Opening, answerOf, openMission, orderOf, orderTyped } from "./command"
import { asking } from "./asks"
import { messageOf, sentenceOf } from "./errors"
import { TOOLS } from "./generated/tools"
import type { PermissionRequest } from "./host/port"
import { V1Host, type V1Client } from "./host/v1"
import { V1Events, type V1Event, sessionOf } from "./host/v1-events"
import type { ToolPart } from "./host/v1-progress"
import { log, logFile } from "./log"
import { readOptions } from "./options"
import type { Pool } from "./sidecar/pool"
import { resumeLater } from "./start-up"
import { servedByTerminal } from "./terminal-half"
import { WAKE } from "./wake"
import { Workspace } from "./workspace"

export interface V1Input {
  client: V1Client
  directory: string
  worktree: string
}

type CommandCall = { command: string; sessionID: string; arguments: string }
type Part = { type: string; text?: string; [field: string]: unknown }
interface ToolContext {
  sessionID: string
  messageID: string
  callID?: string
  agent: string
  abort: AbortSignal
  ask?(request: PermissionRequest & { always: string[] }): Promise<void>
}

const NOTHING = Promise.resolve()
const SCHEMAS = new Map<string, unknown>(TOOLS.map((tool) => [tool.name, tool.inputSchema]))

export function hooksV1(input: V1Input, given: unknown, pool: Pool<Workspace>) {
  const options = readOptions(given)
  const host = new V1Host(input.client, input.directory)
  // Outside version control the host names the root of the file system.
  const worktree = parse(input.worktree).root === input.worktree ? input.directory : input.worktree
  const workspace = new Workspace(input.directory, worktree, options, host, pool)
  const events = new V1Events()
  const warn = (message: string) => {
    host.toast({ title: "Gantry", message, variant: "warning", duration: 10_000 }).catch((error) => log(`toast: ${messageOf(error)}`))
  }
  const cancelResume = resumeLater(workspace, warn)
  let ours = new Set<string>([COMMAND])

  const take = (event: V1Event, owner: Workspace) => {
    try {
      const part = (event.properties as { part?: ToolPart }).part
      if (event.type === "message.part.updated" && part?.type === "tool") host.progressOf.seen(part)
      const mapped = events.map(event)
      if (mapped) owner.push(mapped)
    } catch (error) {
      // The host calls this hook in the middle of its own work; an error here would become an error there.
      log(`event ${event.type}: ${messageOf(error)}`)
    }
  }

  return {
    config: async (config: HostConfig) => {
      ours = addTo(config, !servedByTerminal(input.directory))
      if (!ours.has(COMMAND)) warn(`Your own command /${COMMAND} stays; rename it to use Gantry's.`)
    },

    tool: Object.fromEntries(TOOLS.map((tool) => [tool.name, toolV1(tool, workspace, host, pool)])),

    "tool.definition": async (about: { toolID: string }, output: { jsonSchema?: unknown }) => {
      // The host makes every argument of a plugin's tool a required one; the whole schema says which are.
      const schema = SCHEMAS.get(about.toolID)
      if (schema) output.jsonSchema = schema
    },

    "command.execute.before": async (command: CommandCall, output: { parts: Part[] }) => {
      if (!ours.has(command.command)) return
      host.toasts.drawn()
      const order = orderOf(command.command)
      if (order) {
        const answer = await answerOf(command.arguments, (text) => workspace.command(command.sessionID, order, text))
        output.parts.splice(0, output.parts.length, shown(answer), { type: "text", text: ANSWERED, synthetic: true })
        return
      }
      const opening = await openMission(command.arguments, (text, key) => workspace.createMission(command.sessionID, text, key))
      // The host sends on the array it handed out, so it is changed in place.
      output.parts.splice(0, output.parts.length, ...partsOf(opening, output.parts))
    },

    "chat.message": async (message: { sessionID: string }, output: { parts: Part[] }) => {
      const said = output.parts.find((part) => part.type === "text" && part.synthetic !== true)
      const found = said && orderTyped(said.text)
      if (!said || !found || pool.children.has(message.sessionID)) return
      const answer = await answerOf(found.words, (text) => workspace.command(message.sessionID, found.order, text))
      // The host has numbered its parts, and keeps what it is handed back.
      const kept = { ...said, ...shown(`${String(said.text)}\n\n${answer}`), ignored: true }
      output.parts.splice(0, output.parts.length, kept, { ...said, id: `${String(said.id)}0`, text: OBEYED, synthetic: true })
    },

    "experimental.session.compacting": async (about: { sessionID: string }, output: { context: string[] }) => {
      const owner = pool.parents.get(about.sessionID)
      if (!owner) return
      try {
        output.context.push(await owner.compacted(about.sessionID))
      } catch (error) {
        log(`compaction: ${messageOf(error)}`)
      }
    },

    "tool.execute.before": (about: { tool: string; sessionID: string; callID: string }, output: { args: unknown }): Promise<void> => {
      const owner = pool.children.get(about.sessionID)
      return owner ? owner.checkWrite(about.sessionID, about.callID, about.tool, output.args) : NOTHING
    },

    event: ({ event }: { event: V1Event }): Promise<void> => {
      if (event.type === "message.part.delta") return NOTHING
      if (event.type === "tui.command.execute" && (event.properties as { command?: unknown }).command === WAKE) {
        workspace.resume().catch((error) => warn(sentenceOf(error, logFile())))
      }
      if (event.type === "session.updated") host.updated((event.properties as { info?: { id: string } } | undefined)?.info)
      const session = sessionOf(event)
      const owner = session === undefined ? undefined : (pool.children.get(session) ?? pool.parents.get(session))
      if (owner) take(event, owner)
      return NOTHING
    },

    dispose: async () => {
      cancelResume()
      host.toasts.dispose()
      await workspace.dispose()
    },
  }
}

/** The user's message as the Commander gets it: the words of the user to be seen, the instruction to be sent only. */
function partsOf(opening: Opening, given: Part[]): Part[] {
  const instruction: Part = { type: "text", text: opening.instruction, synthetic: true }
  if (opening.mission === undefined) {
    return [shown(opening.sentence), instruction]
  }
  // Files the user named stay.
  return [{ type: "text", text: opening.text }, instruction, ...given.filter((part) => part.type !== "text")]
}

/** A part with an end is printed by a headless host, so it is read even when the model says nothing. */
function shown(text: string): Part {
  return { type: "text", text, time: { start: Date.now(), end: Date.now() } }
}

function toolV1(tool: (typeof TOOLS)[number], workspace: Workspace, host: V1Host, pool: Pool<Workspace>) {
  return {
    description: tool.description,
    args: tool.inputSchema.properties as Record<string, unknown>,
    execute: async (args: unknown, context: ToolContext) => {
      const owner = pool.children.get(context.sessionID) ?? workspace
      const call = context.callID ?? `${context.messageID}/${tool.name}`
      host.progressOf.begin(call, context.abort)
      try {
        const { sessionID: session, messageID: message, agent, abort } = context
        const ask = context.ask
        return await asking(call, tool.name, args, ask && ((request) => ask({ ...request, always: ["*"] })), () =>
          owner.callTool({ session, message, call, agent, tool: tool.name, args: args ?? {} }, abort),
        )
      } catch (error) {
        throw new Error(sentenceOf(error, logFile()))
      } finally {
        await host.progressOf.end(call)
      }
    },
  }
}
