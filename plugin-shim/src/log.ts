// The shim's own log: a file, because the host's terminal owns stdout and stderr. Nothing is created before the first line,
// a log that cannot be written is given up without a word, and two files of 1 MB are kept at most.
import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { dataHome } from "./paths"

const LIMIT = 1_000_000
const LINE_LIMIT = 4_000
let written: number | undefined
let lost = false

export function logFile(): string {
  return join(dataHome(), "shim.log")
}

export function log(text: string): void {
  if (lost) return
  const line = `${new Date().toISOString()} ${process.pid} ${text.slice(0, LINE_LIMIT).trimEnd()}\n`
  const file = logFile()
  try {
    if (written === undefined) {
      mkdirSync(dataHome(), { recursive: true })
      written = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    }
    if (written + line.length > LIMIT) {
      renameSync(file, `${file}.1`)
      written = 0
    }
    appendFileSync(file, line)
    written += line.length
  } catch {
    lost = true
  }
}
