// What the V1 line of the host calls: one set of hooks per directory. Nothing here waits for the host while it loads, and
// what concerns no mission returns at once.
import { stat } from "node:fs/promises"
import { COMMAND, type HostConfig, addTo } from "./roles"
import { openMission } from "./command"
import { messageOf, sentenceOf } from "./errors"
import { TOOLS } from "./generated/tools"
import { V1Host, type V1Client } from "./host/v1"
import { V1Events, type V1Event, sessionOf } from "./host/v1-events"
import type { ToolPart } from "./host/v1-progress"
import { log, logFile } from "./log"
import { type Options, readOptions } from "./options"
import { openMarker } from "./paths"
import type { Pool } from "./sidecar/pool"
import { Workspace } from "./workspace"

export interface V1Input {
  client: V1Client
  directory: string
  worktree: string
}

type Part = { type: string; text?: string; [field: string]: unknown }
interface ToolContext {
  sessionID: string
  messageID: string
  callID?: string
  agent: string
  abort: AbortSignal
}

/** After the load of the host, so that its start is not a millisecond longer. */
const RESUME_AFTER_MS = 50
/** The TUI shows no toast before it is drawn. */
const WARN_AFTER_MS = 3_000
const NOTHING = Promise.resolve()
const SCHEMAS = new Map<string, unknown>(TOOLS.map((tool) => [tool.name, tool.inputSchema]))

export function hooksV1(input: V1Input, given: unknown, pool: Pool<Workspace>) {
  const options = readOptions(given)
  const host = new V1Host(input.client)
  const workspace = new Workspace(input.directory, input.worktree, options, host, pool)
  const events = new V1Events()
  const warn = (message: string) => {
    host.toast({ title: "Gantry", message, variant: "warning", duration: 10_000 }).catch((error) => log(`toast: ${messageOf(error)}`))
  }
  const startUp = scheduleStartUp(workspace, options, warn)
  let commandIsOurs = true

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
      commandIsOurs = addTo(config)
      if (!commandIsOurs) startUp.later(WARN_AFTER_MS, () => warn(`Your own command /${COMMAND} stays; rename it to use Gantry's.`))
    },

    tool: Object.fromEntries(TOOLS.map((tool) => [tool.name, toolV1(tool, workspace, host, pool)])),

    "tool.definition": async (about: { toolID: string }, output: { jsonSchema?: unknown }) => {
      // The host makes every argument of a plugin's tool a required one; the whole schema says which are.
      const schema = SCHEMAS.get(about.toolID)
      if (schema) output.jsonSchema = schema
    },

    "command.execute.before": async (
      command: { command: string; sessionID: string; arguments: string },
      output: { parts: Part[] },
    ) => {
      if (command.command !== COMMAND || !commandIsOurs) return
      const opening = await openMission(command.arguments, (text, key) => workspace.createMission(command.sessionID, text, key))
      if (opening.mission === undefined) warn(opening.sentence)
      // The host sends on the array it handed out, so it is changed in place. Files the user named stay.
      const others = output.parts.filter((part) => part.type !== "text")
      const said: Part =
        opening.mission === undefined
          ? // A part with an end is printed by a headless host, so the sentence is read even when the model says nothing.
            { type: "text", text: opening.sentence, time: { start: Date.now(), end: Date.now() } }
          : { type: "text", text: opening.text }
      const parts: Part[] = [said, { type: "text", text: opening.instruction, synthetic: true }]
      output.parts.splice(0, output.parts.length, ...parts, ...(opening.mission === undefined ? [] : others))
    },

    "tool.execute.before": (about: { tool: string; sessionID: string; callID: string }, output: { args: unknown }): Promise<void> => {
      const owner = pool.children.get(about.sessionID)
      return owner ? owner.checkWrite(about.sessionID, about.callID, about.tool, output.args) : NOTHING
    },

    event: ({ event }: { event: V1Event }): Promise<void> => {
      if (event.type === "message.part.delta") return NOTHING
      const session = sessionOf(event)
      const owner = session === undefined ? undefined : (pool.children.get(session) ?? pool.parents.get(session))
      if (owner) take(event, owner)
      return NOTHING
    },

    dispose: async () => {
      startUp.cancel()
      await workspace.dispose()
    },
  }
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
        return await owner.callTool({ session, message, call, agent, tool: tool.name, args: args ?? {} }, abort)
      } catch (error) {
        throw new Error(sentenceOf(error, logFile()))
      } finally {
        await host.progressOf.end(call)
      }
    },
  }
}

/** Work that is left for after the load: taking up missions that a stopped host left open, and warnings. */
function scheduleStartUp(workspace: Workspace, options: Options, warn: (sentence: string) => void) {
  const timers = new Set<NodeJS.Timeout>()
  const later = (ms: number, work: () => void) => {
    timers.add(setTimeout(work, ms).unref())
  }
  later(RESUME_AFTER_MS, () => {
    stat(openMarker(workspace.directory)).then(
      () => workspace.resume().catch((error) => warn(sentenceOf(error, logFile()))),
      () => {},
    )
  })
  const { warning } = options
  if (warning) later(WARN_AFTER_MS, () => warn(warning))
  return { later, cancel: () => timers.forEach((timer) => clearTimeout(timer)) }
}
