// What the user may order, from a command or from a key of the view. None of it needs a turn of the model.
import type { AskDetail, Command, ControlAction, MissionControlParams, MissionDetail, MissionSummary, SidecarMethods } from "../generated/types"
import { reasonOf } from "../errors"
import { type Door, type Look, type Order, nobodyAtWork } from "./door"
import { broken, clip } from "./format"
import { askText, isWhole, standing } from "./lines"
import { SHORT_ID } from "./screen"
import type { Terminal } from "./terminal"

/** For the other half to start a process, and for that to read its store. */
const WAKE_MS = 10_000
const WAKE_LOOK_MS = 100
/** Columns and lines that a dialog has for a text on a small screen. */
const DIALOG_WIDTH = 54
const DIALOG_LINES = 12
/** What is asked back, for these cannot be undone. */
const SURE: Partial<Record<Command, string>> = { cancel: "Cancel the mission?", rollback: "Roll back?" }

export class Orders {
  constructor(
    private readonly terminal: Terminal,
    private readonly door: Door,
    private readonly changed: () => void,
  ) {}

  async detail(mission: string): Promise<MissionDetail> {
    const found = await this.look("mission/status", { directory: this.terminal.directory(), mission })
    if (!found) throw new Error("No process of Gantry runs here any more; open the project and try again.")
    return found
  }

  pause = (mission: string) => this.control(mission, "pause", "The mission is paused.")
  suspend = (mission: string) => this.control(mission, "suspend", "The mission is suspended.")
  resume = (mission: string) => this.control(mission, "resume", "The mission goes on.")
  retry = (mission: string) => this.control(mission, "retry", "The mission is tried again.")
  approve = (mission: string) => this.control(mission, "approve", "The work begins.")

  async cancel(mission: string): Promise<void> {
    const { mission: meant } = await this.detail(mission)
    // The sidecar tells every end itself.
    if (await this.terminal.confirm("Cancel the mission?", meant.title)) await this.control(mission, "cancel")
  }

  /** Of a task, to its worker alone. */
  async steer(mission: string, task?: string): Promise<void> {
    const [who, told] = task === undefined ? ["the workers", "The workers are"] : [`the worker of ${task}`, `The worker of ${task} is`]
    const text = await this.terminal.ask(`What should ${who} know?`, "Use the existing date helper")
    if (text?.trim()) await this.control(mission, "steer", `${told} told.`, { ...(task === undefined ? {} : { task }), ...steerOf(text) })
  }

  async refuse(mission: string): Promise<void> {
    const { awaitsApproval } = await this.detail(mission)
    if (!awaitsApproval) throw new Error("No plan waits for your word.")
    const text = await this.terminal.ask("What is to be different in the plan?", "Fewer tasks, and leave the tests alone")
    if (text?.trim()) await this.control(mission, "refuse", "It is planned anew.", { text })
  }

  /** The ask that waits, the one whose id or task the words begin with, or the one the user chooses; it is shown in full before it is answered. */
  async answerOne(mission: string, action: "allow" | "deny", words = ""): Promise<void> {
    const { found, why } = meantAsks(await this.detail(mission), action, words)
    const choices = found.map((one) => ({ title: clip(askText(one), CHOICE), about: one.permission, value: one.id }))
    const id = found.length > 1 ? await this.terminal.choose("Which permission?", choices) : found[0]?.id
    const ask = found.find((one) => one.id === id)
    if (!ask) return
    const text = askText(ask)
    const rows = broken(text, DIALOG_WIDTH)
    if (action === "allow" && (rows.length > DIALOG_LINES || !isWhole(ask))) {
      throw new Error("What it asks for is too long to be shown here: answer it in the host's own dialog, or look with /task-view on a larger screen.")
    }
    const shown = rows.length > DIALOG_LINES ? `${rows.slice(0, DIALOG_LINES).join(" ")} …` : text
    if (await this.terminal.confirm(action === "allow" ? "Allow this once?" : "Refuse this?", shown)) await this.answer(mission, ask, action, why)
  }

  /** The ask the user has seen; another one that is open by now is not meant. */
  async answer(mission: string, ask: AskDetail, action: "allow" | "deny", why = ""): Promise<void> {
    const done = action === "allow" ? "Allowed" : "Refused"
    await this.control(mission, action, `${done}: ${ask.permission} (${ask.patterns.join(", ")})`, { ask: ask.id, ...(why === "" ? {} : { text: why }) })
  }

  /** A task counts as done by the user's word; `whole` is the review of the whole. */
  async accept(mission: string, task?: string): Promise<void> {
    const asked = task === undefined ? "Which task, and why? It will be in the report." : `Why does ${task} count as done? It will be in the report.`
    const text = (await this.terminal.ask(asked, `${task === undefined ? "T3 " : ""}I have checked it by hand`))?.trim()
    if (!text) return
    const [named = "", ...why] = text.split(/\s+/)
    const [meant, reason] = task === undefined ? [named, why.join(" ")] : [task, text]
    if (reason === "") throw new Error("Say why as well, as in: T3 I have checked it by hand")
    await this.control(mission, "accept", `${meant} counts as done.`, { text: reason, ...(meant === "whole" ? {} : { task: meant }) })
  }

  /** Shown first; what stands in the way is shown instead, and nothing is changed. */
  async rollback(mission: string): Promise<void> {
    const params = { directory: this.terminal.directory(), mission, undo: false, force: false }
    const plan = await this.order("mission/rollback", { ...params, dryRun: true })
    if (plan.conflicts.length > 0 || plan.files.length === 0) return this.terminal.say(`Mission ${plan.mission.id.slice(0, SHORT_ID)}`, plan.text)
    const files = plan.files.length === 1 ? "1 file" : `${plan.files.length} files`
    if (!(await this.terminal.confirm(`Take back ${files}?`, plan.text))) return
    const done = await this.order("mission/rollback", { ...params, dryRun: false })
    this.terminal.toast("success", `Files taken back: ${done.files.length}. gantry rollback ${plan.mission.id.slice(0, SHORT_ID)} --undo brings them again.`)
    this.changed()
  }

  /** A command that was typed with words, as the sidecar reads them. */
  async carryOut(command: Command, words: string): Promise<void> {
    const sure = SURE[command]
    if (sure !== undefined && !(await this.terminal.confirm(sure, `/task-${command} ${words}`))) return
    const { text } = await this.order("command/run", { directory: this.terminal.directory(), session: this.terminal.session() ?? "", command, text: words })
    if (text.startsWith(NOT_DONE)) throw new Error(text)
    if (text.includes("\n")) this.terminal.say(`/task-${command}`, text)
    else if (command !== "cancel") this.terminal.toast("success", text)
    this.changed()
  }

  /** The mission whose id the words begin with, else the one that is meant without words. */
  async named(words: string): Promise<{ mission: string | undefined; rest: string }> {
    const [first, rest] = split(words)
    if (first.length >= LEAST_ID) {
      const { missions = [] } = (await this.look("mission/list", { directory: this.terminal.directory(), open: false })) ?? {}
      const found = missions.filter(({ id }) => id.startsWith(first))
      if (found.length === 1) return { mission: found[0]?.id, rest }
    }
    return { mission: await this.meant(), rest: words }
  }

  /** The mission of the conversation on the screen (asked for where it has several open), else the open one of the directory, else its newest; asked for where several are open. */
  async meant(): Promise<string | undefined> {
    const directory = this.terminal.directory()
    const parentSession = this.terminal.session()
    const open = (await this.look("mission/list", { directory, open: true }))?.missions ?? []
    const here = open.filter((mission) => mission.parentSession === parentSession)
    if (here.length > 1) return this.terminal.choose("Which mission?", here.map(choice))
    const own = parentSession === undefined ? undefined : await this.look("mission/status", { directory, parentSession })
    if (own) return own.mission.id
    if (open.length > 1) return this.terminal.choose("Which mission?", open.map(choice))
    const newest = open[0] ?? (await this.look("mission/list", { directory, open: false }))?.missions[0]
    if (!newest) throw new Error(nobodyAtWork())
    return newest.id
  }

  /** A reason why it was not done is for the user. */
  tell = (order: Promise<unknown>): void => {
    order.catch((error) => this.terminal.toast("warning", reasonOf(error)))
  }

  /** Without `done` the sidecar says what has come of it. */
  private async control(mission: string, action: ControlAction, done?: string, more: Partial<MissionControlParams> = {}): Promise<void> {
    await this.order("mission/control", { directory: this.terminal.directory(), mission, action, ...more })
    if (done !== undefined) this.terminal.toast("success", done)
    this.changed()
  }

  private async look<M extends Look>(method: M, params: SidecarMethods[M]["params"] & { directory: string }): Promise<SidecarMethods[M]["result"] | undefined> {
    await this.wake()
    return this.door.look(method, params)
  }

  private async order<M extends Order>(method: M, params: SidecarMethods[M]["params"] & { directory: string }): Promise<SidecarMethods[M]["result"]> {
    await this.wake()
    const found = await this.door.order(method, params)
    if (!found) throw new Error("No process of Gantry has this project open: end OpenCode, start it here and try again.")
    return found
  }

  /** A process that has nothing to do ends after a while; what is ordered begins it again. */
  private async wake(): Promise<void> {
    const directory = this.terminal.directory()
    if ((await this.door.near(directory)).length > 0) return
    if (!(await this.terminal.wake())) return
    for (const end = Date.now() + WAKE_MS; Date.now() < end; ) {
      if ((await this.door.near(directory)).length > 0) return
      await new Promise((resolve) => setTimeout(resolve, WAKE_LOOK_MS))
    }
  }
}

/** The open asks that the words can mean, and the reason behind them; read and refused as the sidecar does it for the command. */
function meantAsks({ asks, tasks }: MissionDetail, action: "allow" | "deny", words: string): { found: AskDetail[]; why: string } {
  const open = asks.filter((one) => one.allowed === undefined)
  if (open.length === 0) throw new Error("No agent of this mission waits for a permission.")
  const [first, rest] = split(words.trim())
  const is = (name: string | undefined) => name?.toLowerCase() === first.toLowerCase()
  const named = open.filter((one) => is(one.id) || is(one.task))
  if (named.length > 0 && action === "allow" && rest !== "") throw new Error("/task-allow takes the ask and nothing else; /task-steer tells the agents something.")
  if (named.length > 0) return { found: named, why: rest }
  // An answer to one that does not wait must not become an answer to another.
  const other = asks.some((one) => is(one.id) || is(one.task)) || tasks.some((task) => is(task.id))
  if (first !== "" && (action === "allow" || other)) throw new Error(`No permission of "${first}" waits for an answer.`)
  return { found: open, why: words.trim() }
}

/** How the sidecar begins a refusal. */
const NOT_DONE = "Not done: "
/** Shortest beginning of an id that is taken for one, as the sidecar does it. */
const LEAST_ID = 8
/** The host's dialog has room for so much of a title beside the rest. */
const CHOICE = 32

/** `--task T2` and `--now` before the text, read and refused as the sidecar does it for the command. */
export function steerOf(words: string): Partial<MissionControlParams> {
  const found: Partial<MissionControlParams> = {}
  for (let text = words.trim(); ; ) {
    const [first, rest] = split(text)
    if (first === "") throw new Error("say what the workers are to know, as in /task-steer use the date helper")
    if (first === "--now") {
      found.now = true
      text = rest
    } else if (first === "--task") {
      const [id, after] = split(rest)
      if (id === "") throw new Error("say which task, as in /task-steer --task T2 …")
      found.task = id
      text = after
    } else return { ...found, text }
  }
}

/** The first word, and what stands after it. */
function split(text: string): [string, string] {
  const [, first = "", rest = ""] = /^(\S*)\s*([^]*)$/.exec(text) ?? []
  return [first, rest]
}

function choice(mission: MissionSummary) {
  const about = `${standing({ mission, awaitsApproval: false, asks: [] })} · ${mission.done}/${mission.total}`
  return { title: clip(mission.title, CHOICE), about, value: mission.id }
}
