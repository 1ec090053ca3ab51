// The panel beside a conversation that has a mission, and what calls the user when he looks elsewhere.
import type { Child } from "@opentui/solid"
import { createMemo, createSignal } from "solid-js"
import type { MissionDetail } from "../generated/types"
import { log } from "../log"
import { messageOf } from "../errors"
import type { Door } from "./door"
import { column } from "./draw"
import { askText, lines, openAsk } from "./lines"
import type { Terminal } from "./terminal"

/** While there is something to follow. */
const EVERY_MS = 1_000
/** Else: what changes that begins with a turn, or in another terminal. A sidecar tells a newcomer the notices of a longer time (`FRESH_MS` there). */
const SELDOM_MS = 10_000
/** After a turn began or ended, for the sidecar to have taken what it brings. */
const AFTER_TURN_MS = 300

type Shown = { session: string; detail: MissionDetail; at: number }

export class Panel {
  private readonly shown
  private readonly show
  private timer: NodeJS.Timeout | undefined
  /** When the timer looks next. */
  private due = 0
  private asking = false
  private gone = false
  /** Missions at work as they were seen last, by whomever. */
  private readonly last = new Map<string, MissionDetail>()
  /** The conversation that was asked for last. */
  private session: string | undefined
  private fetching = false
  /** The newest notice that was shown, by the socket it came from: the numbers of two processes are not one sequence. */
  private readonly told = new Map<string, number>()

  constructor(
    private readonly terminal: Terminal,
    private readonly door: Door,
  ) {
    const [shown, show] = createSignal<Shown | undefined>(undefined)
    this.shown = shown
    this.show = show
    this.soon(EVERY_MS)
    terminal.onTurn(() => this.soon(AFTER_TURN_MS))
    terminal.onDispose(() => {
      this.gone = true
      clearTimeout(this.timer)
    })
  }

  draw(session: string): Child {
    const own = createMemo(() => (this.shown()?.session === session ? this.shown() : undefined))
    // Only a conversation that is on the screen has a sidebar.
    if (this.session !== session) this.soon(0)
    return () => {
      const found = own()
      return found && column(this.terminal, lines(found.detail, found.at).map((line) => [line]))
    }
  }

  /** A look that is due earlier stays where it is: the turns of many agents begin and end all the time. */
  soon(after: number): void {
    if (this.gone) return
    const due = Date.now() + after
    if (this.timer !== undefined && this.due <= due) return
    clearTimeout(this.timer)
    this.due = due
    this.timer = setTimeout(() => {
      this.timer = undefined
      void this.look()
    }, after)
  }

  look = async (): Promise<void> => {
    if (this.asking) return
    clearTimeout(this.timer)
    this.timer = undefined
    this.asking = true
    // The view and the start screen are of no conversation; the user is called all the same to what goes on in the last one.
    const session = this.terminal.session() ?? (this.session !== undefined && this.moves(this.session) ? this.session : undefined)
    this.session = session
    // Not waited for: it takes as long as the slowest process of all, whoever has the mission.
    if (this.terminal.fetchesNotices) void this.fetchNotices()
    try {
      if (session !== undefined) await this.ask(session)
    } catch (error) {
      log(`panel: ${messageOf(error)}`)
    } finally {
      this.asking = false
      this.soon(session !== undefined && this.moves(session) ? EVERY_MS : SELDOM_MS)
    }
  }

  /** What somebody has seen of a mission: the user is called to what is new in it. */
  heard = (detail: MissionDetail): void => {
    const { id } = detail.mission
    const before = this.last.get(id)
    if (before) this.call(before, detail)
    if (detail.mission.endedAt === undefined) this.last.set(id, detail)
    else this.last.delete(id)
  }

  /** It has a mission at work, or a turn that may begin one. */
  private moves(session: string): boolean {
    const known = this.shown()
    return (known?.session === session && known.detail.mission.endedAt === undefined) || this.terminal.busy(session)
  }

  private async ask(session: string): Promise<void> {
    const detail = await this.door.look("mission/status", { directory: this.terminal.directory(), parentSession: session })
    const before = this.shown()
    if (detail) {
      this.heard(detail)
      this.show({ session, detail, at: Date.now() })
    } else if (before && before.session !== session) this.show(undefined)
  }

  private async fetchNotices(): Promise<void> {
    if (this.fetching) return
    this.fetching = true
    try {
      const directory = this.terminal.directory()
      const answers = await this.door.askAll("notice/list", (socket) => {
        const after = this.told.get(socket)
        return { directory, ...(after === undefined ? {} : { after }) }
      })
      for (const [socket, { notices }] of answers) {
        for (const { number, title, message, variant } of notices) {
          this.terminal.toast(variant, message, title)
          this.told.set(socket, number)
        }
      }
    } catch (error) {
      log(`panel: ${messageOf(error)}`)
    } finally {
      this.fetching = false
    }
  }

  /** At the end of a mission, unless the host says itself that the turn is over; and when a plan or an agent's ask waits. */
  private call(before: MissionDetail, detail: MissionDetail): void {
    const { mission, awaitsApproval } = detail
    const ask = openAsk(detail)
    const ended = before.mission.endedAt === undefined && mission.endedAt !== undefined
    if (ended && !this.terminal.busy(mission.parentSession)) {
      const sound = mission.state === "completed" ? "done" : "error"
      this.terminal.notify(mission.title, `Mission ${mission.state.replaceAll("_", " ")}: ${mission.done} of ${mission.total} tasks done`, sound)
    } else if (awaitsApproval && !before.awaitsApproval) {
      this.terminal.notify(mission.title, "The plan waits for your word", "question")
    } else if (ask && openAsk(before)?.id !== ask.id) {
      this.terminal.notify(mission.title, askText(ask), "question")
    }
  }
}
