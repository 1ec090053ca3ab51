// What the panel says of a mission, as lines of text and colours.
import type { AskDetail, MissionDetail, TaskDetail } from "../generated/types"
import { MARKS, type Span, WAITING, bar, broken, clip, dollars, elapsed, plain, stateColour, tokens, width, words } from "./format"

/** Columns of the host's sidebar that a plugin has. */
const WIDTH = 36
const BAR = 10
/** Tasks shown; of more, those at work come first. */
const TASKS = 12
const ASK_LINES = 8
const AT_WORK = new Set(["assigned", "in_progress", "in_review"])

/** `now` in milliseconds since the epoch. */
export function lines(detail: MissionDetail, now: number): Span[] {
  const { mission, lastEvent } = detail
  const ended = mission.endedAt !== undefined
  const all: Span[] = [{ text: clip(`Mission ${standing(detail)}`, WIDTH), colour: stateColour(mission.state) }]
  const ask = openAsk(detail)
  if (ask) all.push(...asked(ask), { text: "answer it in the dialog below", colour: "textMuted" })
  if (mission.total > 0) all.push({ text: `${bar(mission.done, mission.total, BAR)} ${mission.done}/${mission.total}`, colour: "textMuted" })
  if (!ended) all.push(...shown(detail.tasks).map((one) => task(one, now)))
  const hidden = detail.tasks.length - TASKS
  if (!ended && hidden > 0) all.push({ text: `  … ${hidden} more`, colour: "textMuted" })
  all.push({ text: clip(figures(detail, now), WIDTH), colour: "textMuted" })
  const left = toCome(detail)
  if (left !== "") all.push({ text: left, colour: "textMuted" })
  if (!ended && lastEvent) all.push({ text: clip(plain(lastEvent.text), WIDTH), colour: "textMuted" })
  return all
}

/** Where it is, in a word or two. */
export function standing({ mission, awaitsApproval, asks }: Pick<MissionDetail, "mission" | "awaitsApproval" | "asks">): string {
  if (awaitsApproval) return "waits for you: plan"
  if (openAsk({ asks })) return "waits for you: ask"
  return words(mission.state === "running" ? (mission.phase ?? mission.state) : mission.state)
}

/** The oldest that nobody has answered. */
export function openAsk({ asks }: Pick<MissionDetail, "asks">): AskDetail | undefined {
  return asks.find((one) => one.allowed === undefined)
}

/** Who wants to do what. */
export function askText(ask: AskDetail): string {
  return plain(`${ask.task ? `${ask.task} asks: ` : "asks: "}${ask.permission} ${ask.patterns.join(", ")}`)
}

/** Whether the sidecar has kept all of what is asked for; it marks what it has cut. */
export function isWhole(ask: AskDetail): boolean {
  return !ask.patterns.some((pattern) => pattern.endsWith("…"))
}

/** Of more lines than there is room for, the last says so: what is not shown may be what matters. */
function asked(ask: AskDetail): Span[] {
  const all = broken(askText(ask), WIDTH)
  const shown = all.length <= ASK_LINES ? all : [...all.slice(0, ASK_LINES - 1), `… ${all.length - ASK_LINES + 1} more lines of it`]
  return shown.map((text) => ({ text, colour: "warning" }))
}

/** Time and cost so far. */
export function figures(detail: MissionDetail, now: number): string {
  const { mission } = detail
  return [elapsed((mission.endedAt ?? now) - mission.createdAt), tokens(detail.tokens), dollars(detail.cost)].filter(Boolean).join(" · ")
}

/** As it is estimated; nothing while that cannot be said. */
export function toCome({ mission, forecast }: MissionDetail): string {
  if (mission.endedAt !== undefined || !forecast || forecast.minutes <= 0) return ""
  const minutes = Math.ceil(forecast.minutes)
  return `about ${minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`} to go`
}

/** How long it has been worked on, or was. */
export function taskTime(one: TaskDetail, now: number): string {
  if (one.beganAt === undefined) return ""
  if (one.endedAt !== undefined) return elapsed(one.endedAt - one.beganAt)
  return AT_WORK.has(one.state) ? elapsed(now - one.beganAt) : ""
}

function shown(tasks: TaskDetail[]): TaskDetail[] {
  if (tasks.length <= TASKS) return tasks
  const rank = (one: TaskDetail) => (AT_WORK.has(one.state) ? 0 : one.state === "completed" ? 2 : 1)
  const kept = new Set([...tasks].sort((a, b) => rank(a) - rank(b)).slice(0, TASKS))
  return tasks.filter((one) => kept.has(one))
}

function task(one: TaskDetail, now: number): Span {
  const [mark, colour] = MARKS[one.state] ?? WAITING
  const again = one.attempts > 1 ? ` (${one.attempts})` : ""
  const time = taskTime(one, now)
  const tail = time === "" ? again : `${again} ${time}`
  return { text: clip(`${mark} ${one.id} ${plain(one.title)}`, WIDTH - width(tail)) + tail, colour }
}

/** The whole of it for a dialog. */
export function statusText(detail: MissionDetail, now: number): string {
  const asking = detail.asks.filter((one) => one.allowed === undefined)
  const [state, ...rest] = lines({ ...detail, tasks: [], asks: [] }, now).map((line) => line.text)
  const waits = asking.length > 0 ? [`Mission ${standing(detail)}`, ...asking.map(askText), "/task-allow and /task-deny answer it."] : [state]
  const note = (one: TaskDetail) => (one.note ? `: ${one.note}` : "")
  const tasks = detail.tasks.map((one) => `${(MARKS[one.state] ?? WAITING)[0]} ${one.id} ${one.title} (${words(one.state)}${note(one)})`)
  return [detail.mission.title, ...waits, ...rest, ...tasks].join("\n")
}
