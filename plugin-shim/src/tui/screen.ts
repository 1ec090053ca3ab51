// The full-screen view of a mission as rows of text: as many as the screen has, none wider. Pure, so that every size can be tested.
import type { AskDetail, AttemptDetail, FindingDetail, MissionViewResult, TaskDetail } from "../generated/types"
import { MARKS, type Span, WAITING, bar, broken, clip, elapsed, fit, plain, spread, stateColour, width, words, wrap } from "./format"
import { type Node, tree } from "./graph"
import { askText, figures, isWhole, openAsk, standing, taskTime, toCome } from "./lines"

export interface Size {
  width: number
  height: number
}

export interface Look extends Size {
  /** Position in `entries`. */
  selected: number
  /** Milliseconds since the epoch. */
  now: number
}

export interface Entry {
  /** Absent for the mission itself: its planning and the review of the whole. */
  node?: Node
  /** The conversation of its newest attempt. */
  session?: string
}

/** From this width on, tasks and details stand side by side. */
const WIDE = 100
const BAR = 24
/** Rows above the tasks, besides an ask. */
const HEAD = 4
/** As much of an id as tells missions apart, and as the command line takes. */
export const SHORT_ID = 13
const ATTEMPTS = 6
const OVER = new Set(["completed", "failed", "cancelled", "skipped"])

export function entries(view: MissionViewResult): Entry[] {
  const sessionOf = (task: string | undefined) => view.attempts.findLast((one) => one.task === task && one.session !== undefined)?.session
  const entry = (session: string | undefined, node?: Node): Entry => ({ ...(node ? { node } : {}), ...(session === undefined ? {} : { session }) })
  return [entry(sessionOf(undefined)), ...tree(view.detail.tasks).map((node) => entry(sessionOf(node.task.id), node))]
}

/** Where the task stands among the entries; that of the mission itself where there is no such task any more. */
export function placeOf(all: Entry[], task: string | undefined): number {
  return Math.max(0, all.findIndex((entry) => entry.node?.task.id === task))
}

/** The orders that the state of the mission allows, by key. An ask that the screen does not show in full is not allowed here. */
export function allowed(view: MissionViewResult, chosen: Entry | undefined, size: Size): [string, string][] {
  const { mission, awaitsApproval } = view.detail
  const open = mission.endedAt === undefined
  const ask = openAsk(view.detail)
  const orders: [string, string, boolean][] = [
    ["a", "accept plan", awaitsApproval],
    ["x", "another plan", awaitsApproval],
    ["y", "allow", ask !== undefined && askLines(ask, size).whole],
    ["n", "refuse", ask !== undefined],
    ["p", "pause", mission.state === "running"],
    ["p", "resume", mission.state === "paused" && !awaitsApproval],
    ["u", "suspend", mission.state === "running" || (mission.state === "paused" && mission.running > 0 && !awaitsApproval)],
    ["s", "steer", open],
    ["c", "cancel", open],
    ["t", "take as done", chosen?.node?.task.state === "failed"],
    ["r", "retry", ["failed", "timeout", "partially_completed"].includes(mission.state)],
  ]
  return orders.flatMap(([key, order, may]) => (may ? [[key, order] as [string, string]] : []))
}

/** The task whose worker alone is to be told something: the chosen one, unless it is over. */
export function steered(chosen: Entry | undefined): string | undefined {
  const task = chosen?.node?.task
  return task === undefined || OVER.has(task.state) ? undefined : task.id
}

export function screen(view: MissionViewResult | undefined, look: Look): Span[][] {
  const { width: columns, height } = look
  if (!view) return padded([[text("Looking for the mission …", "textMuted")], [text("esc back", "textMuted")]], look)
  const head = header(view, look)
  const foot = footer(view, entries(view)[look.selected], look)
  const room = Math.max(0, height - head.length - foot.length)
  const log = Math.min(view.log.length, Math.max(2, Math.floor(room / 3)) - 1)
  const body = Math.max(0, room - log - 1)
  const parts = columns >= WIDE ? sideBySide(view, look, body) : stacked(view, look, body)
  const rows = [...head, ...padded(parts, { width: columns, height: body }), rule("Log", columns), ...logTail(view, log, columns)]
  return [...padded(rows, { width: columns, height: height - foot.length }), ...foot].slice(0, height)
}

function text(value: string, colour: Span["colour"] = "text"): Span {
  return { text: value, colour }
}

function padded(rows: Span[][], { width: columns, height }: { width: number; height: number }): Span[][] {
  const all = rows.slice(0, Math.max(0, height)).map((row) => fit(row, columns))
  while (all.length < height) all.push(fit([], columns))
  return all
}

function rule(title: string, columns: number): Span[] {
  return fit([text("── ", "border"), text(title, "textMuted"), text(` ${"─".repeat(Math.max(0, columns - width(title) - 4))}`, "border")], columns)
}

function header(view: MissionViewResult, look: Look): Span[][] {
  const { detail } = view
  const { mission } = detail
  const columns = look.width
  const ask = openAsk(detail)
  const state = [text(`Mission ${standing(detail)}`, detail.awaitsApproval || ask ? "warning" : stateColour(mission.state))]
  const failed = detail.tasks.filter((task) => task.state === "failed").length
  const counts = [
    mission.running > 0 ? `${mission.running} running` : "",
    mission.waiting > 0 ? `${mission.waiting} waiting` : "",
    failed > 0 ? `${failed} failed` : "",
    mission.failed > failed ? `${mission.failed - failed} given up` : "",
  ]
  const progress = mission.total === 0 ? "no plan yet" : `${bar(mission.done, mission.total, BAR)} ${[`${mission.done}/${mission.total} done`, ...counts].filter(Boolean).join(", ")}`
  return [
    spread(state, [text([toCome(detail), figures(detail, look.now)].filter(Boolean).join(" · "), "textMuted")], columns),
    fit([text(plain(mission.title))], columns),
    spread([text(progress, "textMuted")], [text(columns >= WIDE ? mission.id : mission.id.slice(0, SHORT_ID), "textMuted")], columns),
    ...(ask ? askLines(ask, look).lines.map((line) => fit([text(line, "warning")], columns)) : []),
    rule("Tasks", columns),
  ]
}

/** All of it, unless half of the screen is too small for it. */
function askLines(ask: AskDetail, { width: columns, height }: Size): { lines: string[]; whole: boolean } {
  const lines = broken(askText(ask), columns)
  const most = Math.max(1, Math.floor(height / 2) - HEAD)
  if (lines.length <= most) return { lines, whole: isWhole(ask) }
  const rest = `… and ${lines.length - most + 1} lines more: to allow it, make the window larger or answer in its conversation`
  return { lines: [...lines.slice(0, most - 1), clip(rest, columns)], whole: false }
}

function footer(view: MissionViewResult, chosen: Entry | undefined, size: Size): Span[][] {
  const columns = size.width
  const keys: [string, string][] = [["↑↓", "choose"], ...(chosen?.session === undefined ? [] : [["enter", "conversation"] as [string, string]]), ...allowed(view, chosen, size), ["esc", "back"]]
  const rows: Span[][] = [[]]
  let used = 0
  for (const [key, order] of keys) {
    const wide = width(key) + width(order) + 3
    if (used + wide > columns && used > 0) {
      rows.push([])
      used = 0
    }
    rows.at(-1)?.push(text(key, "primary"), text(` ${order}  `, "textMuted"))
    used += wide
  }
  return [rule("Keys", columns), ...rows.map((row) => fit(row, columns))]
}

function sideBySide(view: MissionViewResult, look: Look, rows: number): Span[][] {
  const left = Math.floor(look.width / 2)
  const right = look.width - left - 3
  const list = padded(taskList(view, look, left, rows), { width: left, height: rows })
  const about = padded(details(view, look, right, rows), { width: right, height: rows })
  return list.map((row, at) => [...row, text(" │ ", "border"), ...(about[at] ?? [])])
}

function stacked(view: MissionViewResult, look: Look, rows: number): Span[][] {
  const wanted = entries(view).length
  const list = Math.min(wanted, Math.max(3, Math.floor(rows / 2)))
  const about = Math.max(0, rows - list - 1)
  const shown = padded(taskList(view, look, look.width, list), { width: look.width, height: list })
  return about === 0 ? shown : [...shown, rule("Chosen", look.width), ...details(view, look, look.width, about)]
}

/** So many of the entries that the chosen one is among them. */
function taskList(view: MissionViewResult, look: Look, columns: number, rows: number): Span[][] {
  const all = entries(view)
  const first = Math.max(0, Math.min(look.selected - Math.floor(rows / 2), all.length - rows))
  return all.slice(first, first + rows).map((entry, at) => {
    const chosen = first + at === look.selected
    return [text(chosen ? "› " : "  ", "primary"), ...(entry.node ? taskRow(entry.node, look.now, columns - 2) : fit([text("Planning, and review of the whole", chosen ? "text" : "textMuted")], columns - 2))]
  })
}

function taskRow({ task, stem, also }: Node, now: number, columns: number): Span[] {
  const [mark, colour] = MARKS[task.state] ?? WAITING
  const again = task.attempts > 1 ? ` (${task.attempts})` : ""
  const waits = also.length > 0 ? ` + ${also.join(", ")}` : ""
  const left = [text(stem, "border"), text(`${mark} `, colour), text(`${task.id} ${plain(task.title)}`), text(waits, "textMuted")]
  return spread(left, [text(`${again} ${taskTime(task, now)}`, "textMuted")], columns)
}

function details(view: MissionViewResult, look: Look, columns: number, rows: number): Span[][] {
  const chosen = entries(view)[look.selected]
  const task = chosen?.node?.task
  const attempts = view.attempts.filter((one) => one.task === task?.id)
  const found = view.findings.filter((one) => one.task === task?.id)
  const about = task ? aboutTask(task, columns) : aboutWhole(view, columns)
  const tried = attempts.slice(-ATTEMPTS).flatMap((one) => attemptRows(one, look.now, columns))
  return [...about, ...tried, ...found.flatMap((one) => findingRows(one, columns))].slice(0, rows)
}

function aboutTask(task: TaskDetail, columns: number): Span[][] {
  const rows = [[text(`${task.id} ${words(task.state)}`, (MARKS[task.state] ?? WAITING)[1])], ...wrap(task.title, columns, 2).map((line) => [text(line)])]
  if (task.dependsOn.length > 0) rows.push([text(clip(`after ${task.dependsOn.join(", ")}`, columns), "textMuted")])
  if (task.checks.length > 0) rows.push(...wrap(`must pass: ${task.checks.join(", ")}`, columns, 2).map((line) => [text(line, "textMuted")]))
  if (task.files.length > 0) rows.push(...wrap(task.files.join(", "), columns, 2).map((line) => [text(line, "textMuted")]))
  if (task.note) rows.push(...wrap(task.note, columns, 3).map((line) => [text(line, "warning")]))
  return rows
}

function aboutWhole(view: MissionViewResult, columns: number): Span[][] {
  if (view.summary) return wrap(view.summary, columns, 6).map((line) => [text(line)])
  return [[text("The plan is still to come.", "textMuted")]]
}

function attemptRows(one: AttemptDetail, now: number, columns: number): Span[][] {
  const time = elapsed((one.closedAt ?? now) - one.openedAt)
  const colour = one.state === "open" ? "info" : one.state === "failed" ? "error" : "textMuted"
  const row = [text(`${one.role} ${one.ordinal} ${one.state === "open" ? "at work" : one.state} `, colour), text(time, "textMuted")]
  return [row, ...(one.reason ? wrap(one.reason, columns - 2, 2).map((line) => [text(`  ${line}`, "error")]) : [])]
}

function findingRows(one: FindingDetail, columns: number): Span[][] {
  const place = one.file === undefined ? "" : `${one.file}${one.line === undefined ? "" : `:${one.line}`}: `
  return wrap(`[${one.severity}] ${place}${one.message}`, columns, 3).map((line) => [text(line, "warning")])
}

function logTail(view: MissionViewResult, rows: number, columns: number): Span[][] {
  const began = view.detail.mission.createdAt
  return view.log.slice(view.log.length - rows).map((line) => fit([text(`${elapsed(line.at - began).padStart(7)}  `, "textMuted"), text(plain(line.text))], columns))
}
