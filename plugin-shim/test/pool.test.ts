import assert from "node:assert/strict"
import { afterEach, beforeEach, test } from "node:test"
import { Sentence } from "../src/errors"
import { readOptions } from "../src/options"
import { Pool } from "../src/sidecar/pool"
import type { Timing } from "../src/sidecar/sidecar"
import { Workspace } from "../src/workspace"
import { FAST, Fake, isAlive, recordingPort, until } from "./helper"

let fake: Fake
let open: Workspace[]
beforeEach(() => {
  fake = new Fake()
  open = []
  delete process.env.GANTRY_BIN
})
afterEach(async () => {
  await Promise.all(open.map((workspace) => workspace.dispose()))
  fake.remove()
})

const newPool = (timing: Partial<Timing> = {}) => new Pool<Workspace>({ ...FAST, ...timing })
function workspace(pool: Pool<Workspace>, directory = "/p", port = recordingPort(), bin = fake.bin): Workspace {
  const it = new Workspace(directory, directory, readOptions({ bin, workers: 2 }), port, pool)
  open.push(it)
  return it
}
const never = new AbortController().signal
const tool = (session: string, brief: string, call = "call_1") => ({ session, call, agent: "commander", tool: "mission", args: { brief } })

test("nothing runs until it is needed, then the handshake comes first", async () => {
  const pool = newPool()
  const it = workspace(pool)
  assert.deepEqual(pool.pids(), [])
  const { mission } = await it.createMission("ses_1", "do it", "key-1")
  assert.equal(mission.id, "m1")
  assert.equal(pool.pids().length, 1)
  const methods = fake.records().flatMap((record) => record.got?.method ?? [])
  assert.deepEqual(methods, ["initialize", "workspace/open", "mission/create"])
  assert.deepEqual(fake.got("workspace/open")[0], { directory: "/p", worktree: "/p", options: { bin: fake.bin, workers: 2 }, reattach: false })
  assert.deepEqual(fake.got("mission/create")[0], { directory: "/p", parentSession: "ses_1", text: "do it", key: "key-1" })
})

test("two directories share one process, and closing one leaves the other alone", async () => {
  const pool = newPool()
  const [a, b] = [workspace(pool, "/a"), workspace(pool, "/b")]
  await Promise.all([a.createMission("ses_a", "a", "ka"), b.createMission("ses_b", "b", "kb")])
  assert.equal(fake.starts(), 1)
  assert.equal(pool.parents.get("ses_a"), a)
  await a.dispose()
  assert.equal(pool.parents.has("ses_a"), false)
  assert.equal(pool.parents.get("ses_b"), b)
  const result = await b.callTool(tool("ses_b", "quick"), never)
  assert.equal(result.output, "report of call_1")
  assert.deepEqual(fake.got("workspace/close"), [{ directory: "/a" }])
  assert.equal(fake.starts(), 1)
})

test("a call in flight when the process dies is sent again with the same id", async () => {
  const pool = newPool()
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  const first = pool.pids()[0]
  const result = await it.callTool(tool("ses_1", "die", "call_9"), never)
  assert.equal(result.output, "report of call_9")
  assert.notEqual(pool.pids()[0], first)
  assert.deepEqual(fake.got("tool/call").map((params) => params.call), ["call_9", "call_9"])
  const second = fake.records().filter((record) => record.pid !== first).flatMap((record) => record.got?.method ?? [])
  assert.deepEqual(second.slice(0, 3), ["initialize", "workspace/open", "tool/call"])
  assert.deepEqual(fake.got("workspace/open").map((params) => params.reattach), [false, true])
})

test("while a mission is open a dead process is replaced at once, without a call", async () => {
  const pool = newPool({ idleMs: 60_000 })
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  const [pid] = pool.pids()
  process.kill(pid as number, "SIGKILL")
  await until("a new process has opened the directory", () => fake.got("workspace/open").length === 2)
  assert.notEqual(pool.pids()[0], pid)
})

for (const [end, settleMs] of [["is through", 5_000], ["takes too long", 60]] as const) {
  test(`a new process opens its directories when what the dead one asked of the host ${end}`, async () => {
    const pool = newPool({ idleMs: 60_000, settleMs })
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const port = recordingPort()
    const prompt = port.prompt
    port.prompt = async (...args) => (await prompt(...args), held)
    const it = workspace(pool, "/p", port)
    await it.createMission("ses_1", "do it", "key-1")
    it.callTool(tool("ses_1", "host"), never).catch(() => {})
    await until("the prompt is on its way", () => port.asked.some(([name]) => name === "prompt"))
    process.kill(pool.pids()[0] as number, "SIGKILL")
    await until("a new process", () => fake.got("initialize").length === 2)
    if (settleMs > 1_000) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      assert.equal(fake.got("workspace/open").length, 1, "it would find no trace of the prompt")
      release()
    }
    await until("it has opened the directory", () => fake.got("workspace/open").length === 2)
    release()
  })
}

test("an abort while the process is away reaches the next one", async () => {
  const pool = newPool({ backoffMs: [150] })
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  const abort = new AbortController()
  const call = it.callTool(tool("ses_1", "hang"), abort.signal)
  await until("the call is there", () => fake.got("tool/call").length === 1)
  process.kill(pool.pids()[0] as number, "SIGKILL")
  await until("it is gone", () => pool.pids().length === 0)
  abort.abort()
  await assert.rejects(call, /cancelled/)
  assert.equal(fake.got("$/cancel").length, 1)
})

test("two deaths at start are overcome", async () => {
  fake.set("die", 2)
  await workspace(newPool()).createMission("ses_1", "do it", "key-1")
  assert.equal(fake.starts(), 3)
})

test("three deaths at start are told in one sentence, rested on, and then tried anew", async () => {
  fake.set("die", 3)
  const it = workspace(newPool())
  const expected = /Gantry's sidecar .* ended at start three times in a row; see .*, then try again\.$/
  await assert.rejects(it.createMission("s", "t", "k"), (error: Error) => error instanceof Sentence && expected.test(error.message))
  await assert.rejects(it.createMission("s", "t", "k"), expected)
  assert.equal(fake.starts(), 3, "no start while it rests")
  await new Promise((resolve) => setTimeout(resolve, FAST.restMs))
  await it.createMission("s", "t", "k")
  assert.equal(fake.starts(), 4)
})

test("a process that answers nothing counts as dead", async () => {
  fake.set("mute", "")
  await assert.rejects(workspace(newPool({ initializeMs: 1_000 })).createMission("s", "t", "k"), /three times in a row/)
  assert.equal(fake.starts(), 3)
  for (const { pid } of fake.records()) assert.equal(isAlive(pid), false)
})

for (const version of ["2", "refuse"]) {
  test(`another protocol version (${version}) is one sentence and no second start`, async () => {
    fake.set("version", version)
    await assert.rejects(workspace(newPool()).createMission("s", "t", "k"), /does not belong to this plugin .*; install the same version of both\.$/)
    assert.equal(fake.starts(), 1)
  })
}

test("without need the process is ended; a mission nobody waits for keeps it until it has ended", async () => {
  const pool = newPool()
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  const pid = pool.pids()[0] as number
  await until("its state is asked for", () => fake.got("mission/status").length >= 2)
  assert.equal(isAlive(pid), true)
  await it.callTool(tool("ses_1", "quick"), never)
  await until("it has ended", () => !isAlive(pid))
  assert.equal(pool.pids().length, 0)
  assert.equal(pool.parents.size, 1, "the conversation is still in the turn that takes the report")
  it.push({ type: "status", session: "ses_1", state: "idle" })
  assert.equal(pool.parents.size, 0)
  assert.equal(fake.records().at(-1)?.end, true, "by the end of its stdin")
})

test("a process that still asks for something is not idle", async () => {
  fake.set("chatter", "")
  const pool = newPool()
  const it = workspace(pool)
  await it.resume()
  const pid = pool.pids()[0] as number
  await new Promise((resolve) => setTimeout(resolve, 5 * FAST.idleMs))
  assert.equal(isAlive(pid), true)
  fake.unset("chatter")
  await until("it has ended", () => !isAlive(pid))
})

test("a process that ignores the end of its stdin is killed", async () => {
  fake.set("deaf", "")
  const pool = newPool()
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  const pid = pool.pids()[0] as number
  await it.dispose()
  assert.equal(isAlive(pid), false)
})

test("four processes at most: an idle one makes room, a busy one does not", async () => {
  const pool = newPool({ idleMs: 60_000 })
  const fakes = Array.from({ length: 5 }, () => new Fake())
  try {
    const all = fakes.map((one, i) => workspace(pool, `/d${i}`, recordingPort(), one.bin))
    for (const [i, it] of all.slice(0, 4).entries()) await it.createMission(`ses_${i}`, "t", `k${i}`)
    assert.equal(new Set(pool.pids()).size, 4)
    await assert.rejects(all[4]!.createMission("ses_4", "t", "k4"), /Four sidecars/)
    await all[0]!.callTool(tool("ses_0", "quick"), never)
    await until("its mission has ended", () => !all[0]!.needed())
    await all[4]!.createMission("ses_4", "t", "k4")
    await until("four again", () => pool.pids().length === 4)
    assert.ok(pool.pids().every(isAlive))
  } finally {
    await Promise.all(open.map((it) => it.dispose()))
    fakes.forEach((one) => one.remove())
  }
})

test("what the sidecar asks reaches the host of its directory and no other", async () => {
  const pool = newPool()
  const [portA, portB] = [recordingPort(), recordingPort()]
  const a = workspace(pool, "/a", portA)
  const b = workspace(pool, "/b", portB)
  await b.createMission("ses_b", "b", "kb")
  await a.createMission("ses_a", "a", "ka")
  const call = a.callTool(tool("ses_a", "host"), never)
  await until("the child was prompted", () => portA.asked.some(([name]) => name === "prompt"))
  assert.equal(pool.children.get("ses_child"), a)
  a.push({ type: "status", session: "ses_child", state: "idle" })
  assert.match((await call).output, /^REPORT/)
  const names = portA.asked.map(([name]) => name)
  for (const name of ["createSession", "prompt", "toast", "progress", "messages", "status"]) assert.ok(names.includes(name), name)
  assert.deepEqual(portB.asked, [])
  const refused = fake.records().find((record) => (record as any).refused) as any
  assert.equal(refused.refused.code, -32020)
  assert.equal(refused.refused.data.name, "SessionBusy", "a busy conversation of the user is not prompted")
})

test("a write is checked, refused with the reason, and denied after a while without a sidecar", async () => {
  const pool = newPool()
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  await it.checkWrite("ses_c", "call_1", "write", { filePath: "/p/free.txt" })
  await assert.rejects(it.checkWrite("ses_c", "call_2", "edit", { filePath: "/p/locked.txt" }), /held by task T2/)
  assert.deepEqual(fake.got("lease/check")[1], { directory: "/p", session: "ses_c", call: "call_2", tool: "edit", paths: ["/p/locked.txt"] })
  await it.checkWrite("ses_c", "call_3", "read", { filePath: "/p/a.txt" })
  await it.checkWrite("ses_c", "call_4", "bash", { command: "ls" })
  const [read, ls] = fake.got("lease/check").slice(2)
  assert.deepEqual([read.subject, read.command, ls.subject, ls.command], ["/p/a.txt", undefined, undefined, "ls"])
})

test("events travel together, ends of turns at once", async () => {
  const pool = newPool()
  const it = workspace(pool)
  await it.createMission("ses_1", "do it", "key-1")
  it.push({ type: "status", session: "ses_c", state: "busy" })
  it.push({ type: "tool", session: "ses_c", call: "c", tool: "read", state: "running" })
  await until("the first batch", () => fake.got("event/batch").length === 1)
  it.push({ type: "tool", session: "ses_c", call: "c", tool: "read", state: "completed" })
  it.push({ type: "status", session: "ses_c", state: "idle" })
  await until("the second batch", () => fake.got("event/batch").length === 2)
  assert.deepEqual(fake.got("event/batch").map((batch) => batch.events.length), [2, 2])
})

test("missions that a stopped host left open are taken up with their sessions", async () => {
  const mission = { id: "m7", title: "t", state: "running", parentSession: "ses_p", directory: "/p", done: 0, running: 1, waiting: 0, failed: 0, total: 1, createdAt: 1 }
  fake.set("missions.json", JSON.stringify([mission]))
  fake.set("sessions.json", JSON.stringify(["ses_old"]))
  const pool = newPool()
  const it = workspace(pool)
  await it.resume()
  assert.equal(it.needed(), true)
  assert.equal(pool.children.get("ses_old"), it)
  assert.equal(pool.parents.get("ses_p"), it)
})

test("a closed directory is not opened again by a late call", async () => {
  const pool = newPool()
  const [a, b] = [workspace(pool, "/a"), workspace(pool, "/b")]
  await a.createMission("ses_a", "t", "k")
  await b.createMission("ses_b", "t", "k")
  const late = a.callTool(tool("ses_a", "hang"), never)
  await until("the call is there", () => fake.got("tool/call").length === 1)
  await a.dispose()
  process.kill(pool.pids()[0] as number, "SIGKILL")
  await assert.rejects(late, /was closed/)
})
