// What the panel says of a mission, as lines of text and colours.
import type { MissionDetail, TaskDetail } from "../generated/types"
import type { Colour } from "./api"

export interface Line {
  text: string
  colour: Colour
}

/** Columns of the host's sidebar that a plugin has. */
const WIDTH = 36
const BAR = 10
/** Tasks shown; of more, those at work come first. */
const TASKS = 12

const MARKS: Record<string, [string, Colour]> = {
  completed: ["✓", "success"],
  in_progress: ["▸", "info"],
  in_review: ["◆", "info"],
  assigned: ["▸", "info"],
  failed: ["✗", "error"],
  blocked: ["!", "warning"],
  paused: ["‖", "warning"],
  cancelled: ["–", "textMuted"],
  skipped: ["–", "textMuted"],
}
const WAITING: [string, Colour] = ["·", "textMuted"]

const BAD = new Set(["failed", "timeout", "cancelled", "orphaned", "stopped", "partially_completed"])

/** `now` in milliseconds since the epoch. */
export function lines(detail: MissionDetail, now: number): Line[] {
  const { mission } = detail
  const ended = mission.endedAt !== undefined
  const place = mission.state === "running" ? (mission.phase ?? mission.state) : mission.state
  const state = detail.awaitsApproval ? "waits for you: plan" : place.replaceAll("_", " ")
  const colour: Colour = mission.state === "completed" ? "success" : BAD.has(mission.state) ? "error" : mission.state === "paused" ? "warning" : "text"
  const all: Line[] = [{ text: clip(`Mission ${state}`), colour }]
  if (mission.total > 0) all.push({ text: `${bar(mission.done, mission.total)} ${mission.done}/${mission.total}`, colour: "textMuted" })
  if (!ended) all.push(...shown(detail.tasks).map(task))
  const hidden = detail.tasks.length - TASKS
  if (!ended && hidden > 0) all.push({ text: `  … ${hidden} more`, colour: "textMuted" })
  all.push({ text: clip([elapsed((mission.endedAt ?? now) - mission.createdAt), tokens(detail.tokens), dollars(detail.cost)].filter(Boolean).join(" · ")), colour: "textMuted" })
  return all
}

function shown(tasks: TaskDetail[]): TaskDetail[] {
  if (tasks.length <= TASKS) return tasks
  const rank = (one: TaskDetail) => (one.state === "in_progress" || one.state === "in_review" ? 0 : one.state === "completed" ? 2 : 1)
  const kept = new Set([...tasks].sort((a, b) => rank(a) - rank(b)).slice(0, TASKS))
  return tasks.filter((one) => kept.has(one))
}

function task(one: TaskDetail): Line {
  const [mark, colour] = MARKS[one.state] ?? WAITING
  const again = one.attempts > 1 ? ` (${one.attempts})` : ""
  return { text: clip(`${mark} ${one.id} ${one.title}`, WIDTH - again.length) + again, colour }
}

function bar(done: number, total: number): string {
  const full = Math.round((BAR * done) / total)
  return "█".repeat(full) + "░".repeat(BAR - full)
}

function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  const two = (n: number) => String(n).padStart(2, "0")
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

function tokens(count: number): string {
  if (count === 0) return ""
  if (count < 1_000) return `${count} tokens`
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)}k tokens` : `${(count / 1_000_000).toFixed(1)}M tokens`
}

function dollars(cost: number): string {
  return cost > 0 ? `$${cost.toFixed(2)}` : ""
}

function clip(text: string, width = WIDTH): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join("").trimEnd()}…`
}

/** The whole of it for a dialog. */
export function statusText(detail: MissionDetail, now: number): string {
  const head = lines({ ...detail, tasks: [] }, now).map((line) => line.text)
  const note = (one: TaskDetail) => (one.note ? `: ${one.note}` : "")
  const tasks = detail.tasks.map((one) => `${(MARKS[one.state] ?? WAITING)[0]} ${one.id} ${one.title} (${one.state.replaceAll("_", " ")}${note(one)})`)
  return [detail.mission.title, ...head, ...tasks].join("\n")
}
