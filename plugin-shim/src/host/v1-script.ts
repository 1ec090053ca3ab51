// Live progress for programs that read `opencode run --format json`.
//
// Of a tool call 1.18 prints nothing there but its end; what it prints at once is a text that has an end. So the progress of
// a running call is told as the metadata of an empty text beside the user's request: an empty text that is to be ignored goes
// to no model and is drawn nowhere, and it is taken away before the call ends.
import { messageOf } from "../errors"
import { log } from "../log"
import type { ToolPart, Wanted } from "./v1-progress"

export type InertText = { id: string; sessionID: string; messageID: string; type: "text"; text: ""; synthetic: true; ignored: true; [field: string]: unknown }

/** The calls of the host that this takes. */
export interface Parts {
  /** The request that a message answers. */
  requestOf(session: string, message: string): Promise<string>
  write(part: InertText): Promise<void>
  remove(part: InertText): Promise<void>
}

/** Whether this process is `opencode run`. One that is attached to a server has no plugins of its own. */
export function headless(args: readonly string[] = process.argv): boolean {
  return args.includes("run")
}

/** … and a program reads it. */
export function readByProgram(args: readonly string[] = process.argv): boolean {
  const format = args.findIndex((arg) => arg === "--format" || arg === "--format=json")
  return headless(args) && format >= 0 && (args[format] === "--format=json" || args[format + 1] === "json")
}

export class ScriptProgress {
  private readonly texts = new Map<string, InertText>()

  constructor(private readonly parts: Parts) {}

  async show(part: ToolPart, { title, metadata }: Wanted): Promise<void> {
    try {
      const text = this.texts.get(part.callID) ?? (await this.begin(part))
      const now = Date.now()
      await this.parts.write({ ...text, time: { start: now, end: now }, metadata: { call: part.callID, title, ...metadata } })
    } catch (error) {
      log(`progress for a program: ${messageOf(error)}`)
    }
  }

  async end(call: string): Promise<void> {
    const text = this.texts.get(call)
    this.texts.delete(call)
    if (text) await this.parts.remove(text).catch((error) => log(`progress for a program: ${messageOf(error)}`))
  }

  private async begin(part: ToolPart): Promise<InertText> {
    const messageID = await this.parts.requestOf(part.sessionID, part.messageID)
    // The host sorts by id; this one comes after all that the request has.
    const text: InertText = { id: `${part.id}p`, sessionID: part.sessionID, messageID, type: "text", text: "", synthetic: true, ignored: true }
    this.texts.set(part.callID, text)
    return text
  }
}
