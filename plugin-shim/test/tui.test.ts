// What the panel says, and how it finds the sidecar that knows.
import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { type Server, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { ERROR, type MissionDetail, type TaskDetail } from "../src/generated/types"
import { Door } from "../src/tui/door"
import { lines, statusText } from "../src/tui/lines"
import { until } from "./helper"

const task = (id: string, state: string, more: Partial<TaskDetail> = {}): TaskDetail => ({ id, title: `Part ${id}`, state, dependsOn: [], files: [], checks: [], attempts: 1, ...more })

function detail(state: string, tasks: TaskDetail[], more: { phase?: string; endedAt?: number; tokens?: number; cost?: number } = {}): MissionDetail {
  const { tokens = 0, cost = 0, ...rest } = more
  const done = tasks.filter((one) => one.state === "completed").length
  const mission = { id: "m1", title: "Do it", state, parentSession: "s", directory: "/p", done, running: 0, waiting: 0, failed: 0, total: tasks.length, createdAt: 1_000_000, ...rest }
  return { mission, tasks, asks: [], checkpoints: [], tokens, cost, awaitsApproval: false }
}

const texts = (of: MissionDetail, now = 1_000_000) => lines(of, now).map((line) => line.text)

test("a mission at work", () => {
  const tasks = [task("T1", "completed"), task("T2", "in_progress", { attempts: 2 }), task("T3", "in_review"), task("T4", "pending")]
  const shown = texts(detail("running", tasks, { phase: "executing", tokens: 12_345, cost: 0.051 }), 1_000_000 + 3_725_000)
  assert.deepEqual(shown, ["Mission executing", "███░░░░░░░ 1/4", "✓ T1 Part T1", "▸ T2 Part T2 (2)", "◆ T3 Part T3", "· T4 Part T4", "1:02:05 · 12.3k tokens · $0.05"])
})

test("what is still to come, what happened last, and how long a task has been worked on", () => {
  const given = detail("running", [task("T1", "in_progress", { beganAt: 1_000_000 }), task("T2", "completed", { beganAt: 1_000_000, endedAt: 1_003_000 })], { phase: "executing" })
  const shown = texts({ ...given, forecast: { minutes: 2.1, turns: 3 }, lastEvent: { at: 1, text: "T1 in progress:\n again" } }, 1_065_000)
  assert.deepEqual(shown.slice(2), ["▸ T1 Part T1 1:05", "✓ T2 Part T2 0:03", "1:05", "about 3 min to go", "T1 in progress: again"])
})

test("a mission without a plan, and one at its end", () => {
  assert.deepEqual(texts(detail("queued", []), 1_000_500), ["Mission queued", "0:00"])
  const ended = detail("partially_completed", [task("T1", "completed"), task("T2", "failed")], { endedAt: 1_065_000, tokens: 999 })
  assert.deepEqual(texts(ended, 9_999_999), ["Mission partially completed", "█████░░░░░ 1/2", "1:05 · 999 tokens"])
  assert.equal(lines(ended, 0)[0]?.colour, "error")
})

test("a plan that waits", () => {
  assert.equal(lines({ ...detail("paused", [task("T1", "pending")], { phase: "planning" }), awaitsApproval: true }, 1_000_000)[0]?.text, "Mission waits for you: plan")
})

test("no line is wider than the sidebar, whatever the titles", () => {
  const tasks = [task("T1", "in_progress", { title: "ä".repeat(200), attempts: 3 }), task("T2", "pending", { title: "😀".repeat(50) })]
  for (const text of texts(detail("running", tasks, { phase: "executing" }))) assert.ok([...text].length <= 36, text)
})

test("of many tasks those at work are shown", () => {
  const tasks = Array.from({ length: 40 }, (_, n) => task(`T${n}`, n < 20 ? "completed" : n === 30 ? "in_progress" : "pending"))
  const shown = texts(detail("running", tasks, { phase: "executing" }))
  assert.ok(shown.some((text) => text.startsWith("▸ T30")))
  assert.equal(shown.length, 2 + 12 + 2)
  assert.ok(shown.includes("  … 28 more"))
})

test("the whole of it says why a task failed", () => {
  assert.match(statusText(detail("running", [task("T1", "failed", { note: "the checks object" })]), 1_000_000), /^✗ T1 Part T1 \(failed: the checks object\)$/m)
})

/** A process of Gantry that answers every call but `initialize` with this. */
function process_(folder: string, name: string, answer: object | ((params: any, method: string) => object | Promise<object>), seen: string[]): Promise<Server> {
  const server = createServer((socket) => {
    socket.unref()
    socket.on("error", () => {})
    socket.on("data", async (chunk) => {
      for (const line of chunk.toString().split("\n").filter(Boolean)) {
        const { id, method, params } = JSON.parse(line)
        seen.push(`${name} ${method}`)
        const result = method === "initialize" ? { result: { protocolVersion: 1 } } : typeof answer === "function" ? await answer(params, method) : answer
        socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...result })}\n`)
      }
    })
  })
  return new Promise((resolve) => server.listen(join(folder, name), () => resolve(server)))
}

test("the process that knows the mission answers", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gantry-door-"))
  const door = new Door(folder)
  const params = { directory: "/p" }
  assert.equal(await new Door(join(folder, "none")).look("mission/status", params), undefined)
  const seen: string[] = []
  const unknown = await process_(folder, "1.sock", { error: { code: ERROR.NOT_FOUND, message: "not here" } }, seen)
  mkdirSync(join(folder, "2.sock"))
  const known = await process_(folder, "3.sock", { result: { mission: { id: "m1" } } }, seen)
  try {
    assert.deepEqual(await door.look("mission/status", params), { mission: { id: "m1" } })
    await door.look("mission/status", params)
    assert.equal(seen.filter((line) => line.endsWith("initialize")).length, 2, "a connection is kept")
    known.close()
    door.dispose()
    rmSync(join(folder, "3.sock"), { force: true })
    assert.equal(await door.look("mission/status", params), undefined)
  } finally {
    door.dispose()
    unknown.close()
    rmSync(folder, { recursive: true })
  }
})

test("an order goes to a process that has the directory open, a question to it first", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gantry-door-"))
  const door = new Door(folder)
  const seen: string[] = []
  const method = (answers: Record<string, object>) => (_: unknown, name: string) => answers[name] ?? { error: { code: ERROR.NOT_FOUND, message: "not open here" } }
  const servers = [
    await process_(folder, "1.sock", method({ "mission/status": { result: { mission: { id: "from its store" } } }, "mission/control": { result: {} } }), seen),
    await process_(folder, "2.sock", method({ "notice/list": { result: { notices: [] } }, "mission/status": { result: { mission: { id: "m1" } } }, "mission/control": { error: { code: ERROR.NOT_FOUND, message: "no task T9" } } }), seen),
  ]
  const order = { directory: "/p", action: "steer" } as const
  try {
    assert.deepEqual(await door.near("/p"), [join(folder, "2.sock")])
    assert.deepEqual(await door.look("mission/status", { directory: "/p" }), { mission: { id: "m1" } })
    await assert.rejects(door.order("mission/control", order), /no task T9/)
    assert.ok(!seen.includes("1.sock mission/status") && !seen.includes("1.sock mission/control"), seen.join())
    servers.push(await process_(folder, "3.sock", method({ "notice/list": { result: { notices: [] } }, "mission/control": { error: { code: ERROR.CONFLICT, message: "another OpenCode runs it" } } }), seen))
    await assert.rejects(door.order("mission/control", order), /another OpenCode runs it/, "what stands in the way says more than that it is unknown")
    for (const name of ["2.sock", "3.sock"]) rmSync(join(folder, name))
    door.dispose()
    assert.equal(await door.order("mission/control", order), undefined)
    assert.deepEqual(await door.look("mission/status", { directory: "/p" }), { mission: { id: "from its store" } })
  } finally {
    door.dispose()
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  }
})

test("a process that hangs takes time from nobody, and is heard again when it goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gantry-door-"))
  const door = new Door(folder)
  const seen: string[] = []
  let wake: (() => void)[] | undefined = []
  const hung = await process_(folder, "1.sock", async (_, method) => {
    await new Promise<void>((resolve) => (wake ? wake.push(resolve) : resolve()))
    return method === "notice/list" ? { result: { notices: [] } } : { result: { mission: { id: "slow" } } }
  }, seen)
  const well = await process_(folder, "2.sock", (_, method) => (method === "notice/list" ? { result: { notices: [] } } : { result: { mission: { id: "m1" } } }), seen)
  try {
    const began = Date.now()
    assert.deepEqual(await door.look("mission/status", { directory: "/p" }), { mission: { id: "m1" } })
    assert.ok(Date.now() - began < 1_000, `${Date.now() - began} ms`)
    well.close()
    door.dispose()
    rmSync(join(folder, "2.sock"), { force: true })
    assert.equal(await door.look("mission/status", { directory: "/p" }), undefined)
    const silent = Date.now()
    for (let n = 0; n < 5; n++) assert.equal(await door.look("mission/status", { directory: "/p" }), undefined)
    assert.ok(Date.now() - silent < 1_000, "it is left alone")
    for (const one of wake) one()
    wake = undefined
    let found: unknown
    await until("its answer", () => (void door.look("mission/status", { directory: "/p" }).then((one) => (found = one)), found !== undefined))
    assert.deepEqual(found, { mission: { id: "slow" } })
  } finally {
    door.dispose()
    hung.close()
    rmSync(folder, { recursive: true })
  }
})

test("what every process has to say is heard, each asked in its own words", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gantry-door-"))
  const door = new Door(folder)
  const path = (name: string) => join(folder, name)
  const notice = (number: number) => ({ number, title: "Told", message: "", variant: "info" })
  const seen: string[] = []
  const servers = [
    await process_(folder, "1.sock", { result: { notices: [] } }, seen),
    await process_(folder, "2.sock", { error: { code: ERROR.NOT_FOUND, message: "not open here" } }, seen),
    await process_(folder, "3.sock", { error: { code: ERROR.METHOD_NOT_FOUND, message: "an old one" } }, seen),
    await process_(folder, "5.sock", ({ after }) => ({ result: { notices: [notice(after + 1)] } }), seen),
    await process_(folder, "6.sock", ({ after }) => ({ result: { notices: [notice(after + 1)] } }), seen),
  ]
  mkdirSync(path("4.sock"))
  try {
    const known = new Map([[path("5.sock"), 50], [path("6.sock"), 7]])
    const paramsFor = (socket: string) => ({ directory: "/p", after: known.get(socket) ?? 0 })
    const answers = await door.askAll("notice/list", paramsFor)
    const expected = [[path("1.sock"), { notices: [] }], [path("5.sock"), { notices: [notice(51)] }], [path("6.sock"), { notices: [notice(8)] }]]
    assert.deepEqual([...answers].sort(), expected)
    assert.deepEqual([...(await door.askAll("notice/list", paramsFor)).keys()].sort(), expected.map(([socket]) => socket))
    assert.equal(seen.filter((line) => line.endsWith("initialize")).length, servers.length, "a connection is kept")
  } finally {
    door.dispose()
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  }
})
