// A mission and a terminal interface for tests of the panel, the view and the orders.
import { mock } from "node:test"
import type { MissionViewResult, TaskDetail } from "../src/generated/types"
import type { Door } from "../src/tui/door"
import { screen } from "../src/tui/screen"
import type { Keys, Terminal } from "../src/tui/terminal"
import { size } from "./solid"

export const START = 1_700_000_000_000
export const task = (id: string, state: string, dependsOn: string[] = [], more: Partial<TaskDetail> = {}): TaskDetail => ({ id, title: `Part ${id}`, state, dependsOn, files: [`${id}.txt`], checks: [], attempts: 1, ...more })

export function view(state = "running", more: Partial<MissionViewResult> = {}, awaitsApproval = false): MissionViewResult {
  const tasks = [task("T1", "completed", [], { beganAt: START, endedAt: START + 5_000 }), task("T2", "in_progress", ["T1"], { beganAt: START + 5_000, attempts: 2 }), task("T3", "failed", ["T1"], { note: "the checks object" }), task("T4", "pending", ["T2", "T3"])]
  const ended = ["completed", "failed", "stopped", "partially_completed"].includes(state)
  const mission = { id: "01a1fe42-9418-7701-9360-7d6374657442", title: "Do it", state, phase: "executing", parentSession: "s", directory: "/p", done: 1, running: 1, waiting: 1, failed: 1, total: 4, createdAt: START, ...(ended ? { endedAt: START + 9_000 } : {}) }
  return {
    detail: { mission, tasks, asks: [], checkpoints: [], forecast: { minutes: 64.2, turns: 5 }, tokens: 12_000, cost: 0.5, awaitsApproval },
    summary: "First the parts, then the whole.",
    attempts: [
      { role: "planner", ordinal: 1, session: "ses_p", state: "done", openedAt: START, closedAt: START + 1_000 },
      { role: "worker", task: "T2", ordinal: 1, session: "ses_1", state: "failed", reason: "no report", openedAt: START, closedAt: START + 2_000 },
      { role: "worker", task: "T2", ordinal: 2, session: "ses_2", state: "open", openedAt: START + 2_000 },
    ],
    findings: [{ task: "T2", severity: "high", file: "a.ts", line: 3, message: "Half a cent is lost." }],
    log: Array.from({ length: 30 }, (_, n) => ({ at: START + n * 1_000, text: `line ${n}` })),
    ...more,
  }
}
export class FakeTerminal implements Terminal {
  readonly said: string[] = []
  pressed: Keys = {}
  answer: string | undefined
  current: string | undefined = "s"
  turnRuns = false
  ends: (() => void)[] = []
  turned = () => {}
  directory = () => "/p"
  session = () => this.current
  busy = () => this.turnRuns
  colour = (name: string) => name
  size = () => () => size
  fetchesNotices = false
  toast = (kind: string, message: string, title?: string) => void this.said.push(`${kind}: ${title ? `${title}: ` : ""}${message}`)
  notify = (title: string, message: string, sound: string) => void this.said.push(`${sound}! ${title}: ${message}`)
  say = (title: string, message: string) => void this.said.push(`${title}: ${message}`)
  ask = async () => this.answer
  confirm = async () => this.answer !== undefined
  choose = async (title: string, choices: { value: string }[]) => (this.said.push(`${title} ${choices.map(({ value }) => value).join()}`), this.answer)
  openView = (mission: string) => void this.said.push(`view ${mission}`)
  leaveView = () => void this.said.push("left")
  openSession = (session: string) => void this.said.push(`session ${session}`)
  keys = (keys: Keys) => ((this.pressed = keys), () => void (this.pressed = {}))
  registerPanel = () => {}
  registerView = () => {}
  registerCommands = () => {}
  wakes = 0
  wake = async () => (this.wakes++, true)
  onTurn = (tell: () => void) => void (this.turned = tell)
  onDispose = (end: () => void) => void this.ends.push(end)
}

/** Answers by method, and of all processes by socket; what was asked is kept. One process has the directory open. */
export function fakeDoor(answers: Record<string, (params: any, socket?: string) => unknown>, sockets: string[] = []) {
  const asked: [string, any][] = []
  const ask = async (method: string, params: unknown) => (asked.push([method, params]), answers[method]?.(params))
  const askAll = async (method: string, paramsFor: (socket: string) => unknown) =>
    new Map(sockets.map((socket) => {
      const params = paramsFor(socket)
      asked.push([`${method} ${socket}`, params])
      return [socket, answers[method]?.(params, socket)]
    }))
  return { door: { look: ask, order: ask, near: async () => ["own"], askAll } as unknown as Door, asked, count: (method: string) => asked.filter(([name]) => name === method).length }
}

export const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}
export const pass = async (ms: number) => {
  for (let at = 0; at < ms; at += 100) {
    mock.timers.tick(100)
    await settle()
  }
}

export const shown = (given: MissionViewResult | undefined, columns: number, height: number, selected = 2) =>
  screen(given, { width: columns, height, selected, now: START + 10_000 }).map((row) => row.map((span) => span.text).join(""))
