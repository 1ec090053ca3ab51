// Rows of text as elements of the terminal interface.
import { type Element, createElement, insert, setProp } from "@opentui/solid"
import type { Span } from "./format"
import type { Terminal } from "./terminal"

export function column(terminal: Terminal, rows: Span[][]): Element {
  const box = createElement("box")
  setProp(box, "flexDirection", "column")
  for (const row of rows) insert(box, line(terminal, row))
  return box
}

function line(terminal: Terminal, row: Span[]): Element {
  const text = createElement("text")
  setProp(text, "wrapMode", "none")
  for (const part of row) {
    const span = createElement("span")
    setProp(span, "style", { fg: terminal.colour(part.colour) })
    insert(span, part.text)
    insert(text, span)
  }
  return text
}
