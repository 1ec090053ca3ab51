// Progress for programs that read a headless host of the V1 line.
import assert from "node:assert/strict"
import { test } from "node:test"
import { type InertText, ScriptProgress, readByProgram } from "../src/host/v1-script"
import type { ToolPart } from "../src/host/v1-progress"

const PART: ToolPart = { id: "prt_1", sessionID: "s", messageID: "answer", callID: "c", state: { status: "running", input: {} } }

const LINES: [string, boolean][] = [
  ["opencode run --format json hello", true],
  ["opencode run --format=json hello", true],
  ["opencode run --command task --format json hello", true],
  ["opencode run hello", false],
  ["opencode run --format default json", false],
  ["opencode serve --port 0", false],
  ["opencode", false],
]
for (const [line, expected] of LINES) test(`a program reads "${line}": ${expected}`, () => assert.equal(readByProgram(line.split(" ")), expected))

test("one empty text beside the request is written again and again, and taken away at the end", async () => {
  const written: InertText[] = []
  const removed: string[] = []
  let asked = 0
  const progress = new ScriptProgress({
    requestOf: async (session, message) => (asked++, `request of ${message} in ${session}`),
    write: async (part) => void written.push(part),
    remove: async (part) => void removed.push(part.id),
  })
  await progress.show(PART, { title: "one", metadata: { done: "1" } })
  await progress.show(PART, { title: "two", metadata: {} })
  assert.deepEqual(written.map(({ id, messageID, text, ignored, metadata }) => ({ id, messageID, text, ignored, metadata })), [
    { id: "prt_1p", messageID: "request of answer in s", text: "", ignored: true, metadata: { call: "c", title: "one", done: "1" } },
    { id: "prt_1p", messageID: "request of answer in s", text: "", ignored: true, metadata: { call: "c", title: "two" } },
  ])
  assert.ok(written.every((part) => (part.time as { end?: number }).end), "the host prints a text that has an end")
  assert.equal(asked, 1)
  await progress.end("c")
  await progress.end("c")
  assert.deepEqual(removed, ["prt_1p"])
})

test("a host that refuses is no fault of the call", async () => {
  const refuse = () => Promise.reject(new Error("no"))
  const progress = new ScriptProgress({ requestOf: async () => "m", write: refuse, remove: refuse })
  await progress.show(PART, { title: "one", metadata: {} })
  await progress.end("c")
})
