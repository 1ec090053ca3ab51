// A folder with a fake sidecar in it, and what the tests wait with.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import type { HostPort } from "../src/host/port"
import type { Timing } from "../src/sidecar/sidecar"

export const FAST: Timing = { idleMs: 80, backoffMs: [10, 20, 40], restMs: 300, settledMs: 10_000, settleMs: 5_000, initializeMs: 1_000, killMs: 200 }

type Record_ = { pid: number; start?: boolean; end?: boolean; got?: { method?: string; id?: number; params?: any; answer?: any } }

export class Fake {
  readonly folder = mkdtempSync(join(tmpdir(), "gantry-shim-test-"))
  readonly bin = join(this.folder, "gantry")

  constructor() {
    // The tests run from the package's folder.
    const script = resolve("test/fake-sidecar.mjs")
    writeFileSync(this.bin, `#!/bin/sh\nexec "${process.execPath}" "${script}" "${this.folder}" "$@"\n`)
    chmodSync(this.bin, 0o755)
    process.env.GANTRY_HOME = join(this.folder, "home")
  }

  set(name: string, content: string | number): void {
    writeFileSync(join(this.folder, name), String(content))
  }

  unset(name: string): void {
    rmSync(join(this.folder, name), { force: true })
  }

  records(): Record_[] {
    const file = join(this.folder, "record.jsonl")
    if (!existsSync(file)) return []
    return readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line))
  }

  starts(): number {
    return this.records().filter((record) => record.start).length
  }

  /** Parameters of every call or notification of this method. */
  got(method: string): any[] {
    return this.records().flatMap((record) => (record.got?.method === method ? [record.got.params] : []))
  }

  mark(name: string): void {
    mkdirSync(join(this.folder, "home", "open"), { recursive: true })
    writeFileSync(join(this.folder, "home", "open", name), "")
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export async function until(what: string, condition: () => boolean, ms = 5_000): Promise<void> {
  const end = Date.now() + ms
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A host that does nothing but keep what it was asked. */
export function recordingPort(): HostPort & { asked: [string, unknown[]][] } {
  const asked: [string, unknown[]][] = []
  const keep =
    <T>(name: string, result: T) =>
    async (...args: unknown[]) => (asked.push([name, args]), result)
  return {
    asked,
    info: { line: "v1", pid: process.pid },
    createSession: keep("createSession", "ses_child"),
    openFolder: keep("openFolder", undefined),
    prompt: keep("prompt", undefined),
    abort: keep("abort", undefined),
    messages: keep("messages", []),
    status: keep("status", ["busy"]),
    remove: keep("remove", undefined),
    asks: keep("asks", []),
    answer: keep("answer", undefined),
    toast: keep("toast", undefined),
    progress: (...args) => void asked.push(["progress", args]),
  }
}
