// Text for a terminal: what a mission's values look like, and how wide they are.
import type { Colour } from "./terminal"

export interface Span {
  text: string
  colour: Colour
}

export const MARKS: Record<string, [string, Colour]> = {
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
export const WAITING: [string, Colour] = ["·", "textMuted"]

const BAD = new Set(["failed", "timeout", "cancelled", "orphaned", "stopped", "partially_completed"])

export function stateColour(state: string): Colour {
  if (state === "completed") return "success"
  if (BAD.has(state)) return "error"
  return state === "paused" || state === "degraded" ? "warning" : "text"
}

export function words(name: string): string {
  return name.replaceAll("_", " ")
}

export function bar(done: number, total: number, cells: number): string {
  const full = total === 0 ? 0 : Math.round((cells * done) / total)
  return "█".repeat(full) + "░".repeat(cells - full)
}

export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  const two = (n: number) => String(n).padStart(2, "0")
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

export function tokens(count: number): string {
  if (count === 0) return ""
  if (count < 1_000) return `${count} tokens`
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)}k tokens` : `${(count / 1_000_000).toFixed(1)}M tokens`
}

export function dollars(cost: number): string {
  return cost > 0 ? `$${cost.toFixed(2)}` : ""
}

const NONE = /[\p{Mn}\p{Me}\u200b-\u200f\ufe00-\ufe0f]/u
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** Columns of a terminal. */
export function width(text: string): number {
  let columns = 0
  for (const character of text) columns += columnsOf(character)
  return columns
}

function columnsOf(character: string): number {
  if (NONE.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** On one line and without what a terminal would take for an order. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, " ").trim()
}

export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let kept = ""
  let used = 0
  for (const character of text) {
    used += columnsOf(character)
    if (used > columns - 1) break
    kept += character
  }
  return columns < 1 ? "" : `${kept.trimEnd()}…`
}

/** Between words where it can; a word that is longer than a line is cut. */
export function wrap(text: string, columns: number, most: number): string[] {
  const lines: string[] = []
  let line = ""
  for (const word of plain(text).split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`
    if (width(longer) <= columns) line = longer
    else {
      if (line !== "") lines.push(line)
      line = word
    }
  }
  lines.push(line)
  const shown = lines.slice(0, most).map((one) => clip(one, columns))
  const last = shown.length - 1
  if (lines.length > most && last >= 0) shown[last] = clip(`${shown[last]} …`, columns)
  return shown
}

/** All of it, also what has no blanks. */
export function broken(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ""
  for (const word of plain(text).split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`
    if (width(longer) <= columns) {
      line = longer
      continue
    }
    if (line !== "") lines.push(line)
    line = ""
    for (const character of word) {
      if (width(line + character) > columns) {
        lines.push(line)
        line = ""
      }
      line += character
    }
  }
  return [...lines, line]
}

/** Exactly this many columns. */
export function fit(spans: Span[], columns: number): Span[] {
  const row: Span[] = []
  let left = columns
  for (const span of spans) {
    if (left <= 0) break
    const text = clip(span.text, left)
    row.push({ ...span, text })
    left -= width(text)
  }
  if (left > 0) row.push({ text: " ".repeat(left), colour: "text" })
  return row
}

/** `left` at the left edge, `right` at the right one; what is short of room is `left`. */
export function spread(left: Span[], right: Span[], columns: number): Span[] {
  const taken = right.reduce((sum, span) => sum + width(span.text), 0)
  if (taken >= columns) return fit(right, columns)
  return [...fit(left, columns - taken), ...right]
}
