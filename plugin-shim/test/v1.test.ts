// What the V1 host calls: hooks, tools, events, progress.
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { afterEach, beforeEach, test } from "node:test"
import { fileURLToPath, pathToFileURL } from "node:url"
import { TOOLS } from "../src/generated/tools"
import type { HostEvent } from "../src/generated/types"
import { V1Host } from "../src/host/v1"
import { V1Events } from "../src/host/v1-events"
import { V1Progress, type ToolPart } from "../src/host/v1-progress"
import { ANSWERED, OBEYED } from "../src/command"
import { hooksV1 } from "../src/plugin-v1"
import { servedByTerminal } from "../src/terminal-half"
import { WAKE } from "../src/wake"
import { Pool } from "../src/sidecar/pool"
import type { Workspace } from "../src/workspace"
import { FAST, Fake, until } from "./helper"

const S = "ses_1"
const EVENTS: [string, { type: string; properties?: unknown }, HostEvent | undefined][] = [
  ["busy", { type: "session.status", properties: { sessionID: S, status: { type: "busy" } } }, { type: "status", session: S, state: "busy" }],
  ["idle", { type: "session.status", properties: { sessionID: S, status: { type: "idle" } } }, { type: "status", session: S, state: "idle" }],
  [
    "retry",
    { type: "session.status", properties: { sessionID: S, status: { type: "retry", attempt: 2, message: "overloaded", next: 1700.4 } } },
    { type: "status", session: S, state: "retry", retryAt: 1700, message: "overloaded" },
  ],
  ["a state of the future", { type: "session.status", properties: { sessionID: S, status: { type: "napping" } } }, undefined],
  ["the older word for idle", { type: "session.idle", properties: { sessionID: S } }, undefined],
  [
    "an error",
    { type: "session.error", properties: { sessionID: S, error: { name: "APIError", data: { message: "no", statusCode: 429 } } } },
    { type: "error", session: S, error: { name: "APIError", message: "no", status: 429 } },
  ],
  ["an error of no session", { type: "session.error", properties: { error: { name: "X" } } }, undefined],
  [
    "a running tool",
    { type: "message.part.updated", properties: { sessionID: S, part: { type: "tool", id: "p", messageID: "m", callID: "c", tool: "bash", state: { status: "running" } } } },
    { type: "tool", session: S, call: "c", tool: "bash", state: "running" },
  ],
  ["a pending tool", { type: "message.part.updated", properties: { sessionID: S, part: { type: "tool", id: "p", callID: "c", tool: "bash", state: { status: "pending" } } } }, undefined],
  [
    "a question",
    { type: "permission.asked", properties: { id: "per_1", sessionID: S, permission: "edit", patterns: ["x"] } },
    { type: "permission", session: S, id: "per_1", open: true, permission: "edit", patterns: ["x"], rejected: false },
  ],
  ["an unasked answer", { type: "permission.replied", properties: { sessionID: S, requestID: "per_9", reply: "once" } }, { type: "permission", session: S, id: "per_9", open: false, permission: "", patterns: [], rejected: false }],
  ["a refusal", { type: "permission.replied", properties: { sessionID: S, requestID: "per_9", reply: "reject" } }, { type: "permission", session: S, id: "per_9", open: false, permission: "", patterns: [], rejected: true }],
  ["a deleted session", { type: "session.deleted", properties: { info: { id: S } } }, { type: "deleted", session: S }],
  ["a user's message", { type: "message.updated", properties: { sessionID: S, info: { id: "m", role: "user", time: { created: 1 } } } }, undefined],
  ["an unfinished answer", { type: "message.updated", properties: { sessionID: S, info: { id: "m", role: "assistant", time: { created: 1 } } } }, undefined],
  ["nothing at all", { type: "session.status" }, undefined],
  ["a file", { type: "file.edited", properties: { file: "x" } }, undefined],
]
for (const [name, event, expected] of EVENTS) test(`event: ${name}`, () => assert.deepEqual(new V1Events().map(event), expected))

test("a finished answer is told once, with its text, calls, error and cost", () => {
  const events = new V1Events()
  const part = (part: object) => events.map({ type: "message.part.updated", properties: { sessionID: S, part: { messageID: "m", ...part } } })
  part({ type: "text", id: "p1", text: "" })
  part({ type: "text", id: "p1", text: "Hello" })
  part({ type: "text", id: "p2", text: "hidden", synthetic: true })
  part({ type: "tool", id: "p3", callID: "c", tool: "read", state: { status: "running" } })
  part({ type: "tool", id: "p3", callID: "c", tool: "read", state: { status: "completed" } })
  part({ type: "text", id: "p4", text: "world" })
  const info = {
    id: "m", role: "assistant", time: { created: 1, completed: 2 }, finish: "stop", cost: 0.5, providerID: "lab", modelID: "a/b",
    tokens: { input: 10, output: 5, reasoning: 1, cache: { read: 3, write: 2 } }, error: { name: "MessageAbortedError", data: { message: "Aborted" } },
  }
  const event = { type: "message.updated", properties: { sessionID: S, info } }
  assert.deepEqual(events.map(event), {
    type: "message",
    session: S,
    message: {
      id: "m", role: "assistant", text: "Hello\nworld", completed: true, finish: "stop", model: "lab/a/b",
      error: { name: "MessageAbortedError", message: "Aborted" },
      usage: { input: 10, output: 5, reasoning: 1, cacheRead: 3, cacheWrite: 2, cost: 0.5 },
      calls: [{ call: "c", tool: "read", state: "completed" }],
    },
  })
  assert.equal(events.map(event), undefined)
})

test("a running call is told once a second, its end always, a question by its name", () => {
  let now = 0
  const events = new V1Events(() => now)
  const tool = (status: string) => events.map({ type: "message.part.updated", properties: { sessionID: S, part: { type: "tool", id: "p", messageID: "m", callID: "c", tool: "bash", state: { status } } } })
  assert.ok(tool("running"))
  now = 999
  assert.equal(tool("running"), undefined)
  assert.equal((tool("completed") as any).state, "completed")
  now = 1000
  assert.ok(tool("running"))
  now = 2000
  assert.ok(tool("running"))
  events.map({ type: "permission.asked", properties: { id: "q", sessionID: S, permission: "bash" } })
  assert.equal((events.map({ type: "permission.replied", properties: { sessionID: S, requestID: "q" } }) as any).permission, "bash")
})

const running = (over: object = {}): ToolPart => ({ id: "prt", sessionID: S, messageID: "m", callID: "c", type: "tool", tool: "mission", state: { status: "running", input: { brief: "b" }, time: { start: 1 } }, ...over })
const settled = () => new Promise((resolve) => setImmediate(resolve))

test("progress is written only on the part that the host has announced as running", async () => {
  const written: ToolPart[] = []
  const progress = new V1Progress(async (part) => void written.push(part))
  progress.show("c", "too early for the call", {})
  progress.begin("c", new AbortController().signal)
  progress.show("c", "one", { done: 1 })
  progress.seen(running({ state: { status: "pending", input: {} } }))
  progress.seen(running({ callID: "other" }))
  await settled()
  assert.equal(written.length, 0)
  progress.seen(running())
  await settled()
  assert.deepEqual(written, [running({ state: { status: "running", input: { progress: "one" }, time: { start: 1 }, title: "one", metadata: { done: 1, arguments: { brief: "b" } } } })])
  // The host announces our own write as well.
  progress.seen(written[0] as ToolPart)
  progress.show("c", "two", {})
  progress.show("c", "three", {})
  await settled()
  assert.equal(written.length, 1, "not twice within half a second")
  await until("the newest is written", () => written.length === 2)
  assert.equal(written[1]?.state.title, "three")
  await progress.end("c")
  assert.deepEqual(written[2]?.state.input, { brief: "b" }, "the arguments are put back")
  progress.show("c", "late", {})
  await new Promise((resolve) => setTimeout(resolve, 600))
  assert.equal(written.length, 3, "nothing after the end")
})

test("the end waits for a write under way, and an abort ends at once", async () => {
  const order: string[] = []
  let release = () => {}
  const progress = new V1Progress(async (part) => {
    order.push(`write ${JSON.stringify(part.state.input)}`)
    await new Promise<void>((resolve) => (release = resolve))
    order.push("written")
  })
  const abort = new AbortController()
  progress.begin("c", abort.signal)
  progress.seen(running())
  progress.show("c", "one", {})
  abort.abort()
  const ended = progress.end("c").then(() => order.push("ended"))
  await settled()
  release()
  await settled()
  release()
  await ended
  assert.deepEqual(order, ['write {"progress":"one"}', "written", 'write {"brief":"b"}', "written", "ended"])
})

test("a call whose host was killed gets its arguments back, and no other", async () => {
  const left: ToolPart[] = []
  const killed = new V1Progress(async (part) => void left.push(part))
  killed.begin("c", new AbortController().signal)
  killed.seen(running())
  killed.show("c", "one", { done: 1 })
  await settled()
  const written: ToolPart[] = []
  const progress = new V1Progress(async (part) => void written.push(part))
  const text = { id: "t", type: "text" } as unknown as ToolPart
  const foreign = running({ callID: "x", state: { status: "running", input: {}, metadata: { output: "" } } })
  const ended = running({ callID: "y", state: { status: "completed", input: {}, metadata: { arguments: {} } } })
  await progress.mend([text, foreign, ended, left[0] as ToolPart])
  assert.deepEqual(written, [running({ state: { status: "running", input: { brief: "b" }, time: { start: 1 }, title: "interrupted when OpenCode stopped", metadata: { done: 1 } } })])
  progress.begin("c", new AbortController().signal)
  await progress.mend(left)
  assert.equal(written.length, 1, "one that runs here is not touched")
})

test("a call without progress is not written at all, and one whose write fails goes on", async () => {
  let writes = 0
  const progress = new V1Progress(async () => {
    writes++
    throw new Error("gone")
  })
  progress.begin("c", new AbortController().signal)
  progress.seen(running())
  await progress.end("c")
  assert.equal(writes, 0)
  progress.begin("d", new AbortController().signal)
  progress.seen(running({ callID: "d" }))
  progress.show("d", "x", {})
  await progress.end("d")
  assert.equal(writes, 2)
})

/** A client that answers by method name and keeps what it was asked; anything else is a fault of the shim. */
function client(answers: Record<string, unknown> = {}) {
  const asked: [string, any][] = []
  const methods = (names: string[], prefix: string) =>
    Object.fromEntries(
      names.map((name) => [
        name,
        async (request: unknown) => {
          asked.push([prefix + name, request])
          const answer = answers[prefix + name]
          if (answer instanceof Error) throw answer
          return answer ?? { data: true }
        },
      ]),
    )
  const it = {
    session: methods(["create", "get", "children", "promptAsync", "prompt", "abort", "messages", "status", "delete"], ""),
    tui: methods(["showToast"], ""),
    _client: methods(["get", "patch"], ""),
  } as any
  return { it, asked }
}

test("a folder is opened by what its first turn would wait for, and nothing is left there", async () => {
  const { it, asked } = client({})
  await new V1Host(it, "/p").openFolder("/w/1/p")
  assert.deepEqual(asked, [
    ["get", { url: "/config/providers", query: { directory: "/w/1/p" } }],
    ["get", { url: "/file", query: { directory: "/w/1/p", path: "." } }],
  ])
})

test("a child has its parent, key and the parent's model; an adopted one is found by its key", async () => {
  const model = { id: "big", providerID: "lab", variant: "default" }
  const { it, asked } = client({
    get: { data: { id: "p", model } },
    create: { data: { id: "new" } },
    children: { data: [{ id: "x" }, { id: "old", metadata: { gantry: "k1" } }] },
  })
  const host = new V1Host(it)
  const base = { parent: "p", title: "T1", agent: "worker" }
  assert.equal(await host.createSession({ ...base, key: "k1", adopt: true }), "old")
  assert.equal(await host.createSession({ ...base, key: "k2", adopt: true }), "new")
  assert.deepEqual(asked.at(-1), ["create", { body: { parentID: "p", title: "T1", agent: "worker", metadata: { gantry: "k2" }, model } }])
  assert.deepEqual(asked.map(([name]) => name), ["children", "children", "get", "create"])
  await host.createSession({ ...base, model: "router/big/one", key: "k3", adopt: false })
  assert.deepEqual(asked.at(-1)?.[1].body.model, { id: "big/one", providerID: "router" })
})

test("the parent's model is asked for once, and another that the user chooses is the next child's", async () => {
  const answers: Record<string, any> = { get: new Error("socket closed"), create: { data: { id: "new" } } }
  const { it, asked } = client(answers)
  const host = new V1Host(it)
  const create = (key: string) => host.createSession({ parent: "p", title: "T1", agent: "worker", key, adopt: false })
  await assert.rejects(create("k0"))
  answers.get = { data: { id: "p", model: { id: "big", providerID: "lab" } } }
  await Promise.all([create("k1"), create("k2")])
  host.updated({ id: "p", model: { id: "small", providerID: "lab" } })
  host.updated({ id: "of another", model: { id: "other", providerID: "lab" } })
  host.updated(undefined)
  await create("k3")
  assert.deepEqual(asked.map(([name]) => name), ["get", "get", "create", "create", "create"])
  assert.deepEqual(asked.slice(2).map(([, request]) => request.body.model.id), ["big", "big", "small"])
})

test("a host that refuses or is away becomes a fault of the wire", async () => {
  const { it } = client({
    abort: { error: { name: "NotFoundError", data: { message: "no such session" } }, response: { status: 404 } },
    delete: new Error("socket closed"),
  })
  const host = new V1Host(it)
  await assert.rejects(host.abort("s"), (error: any) => {
    assert.deepEqual([error.code, error.data], [-32020, { name: "NotFoundError", message: "no such session", status: 404 }])
    return true
  })
  await assert.rejects(host.remove("s"), (error: any) => error.data.name === "HostUnreachable" && /socket closed/.test(error.message))
})

test("a session that the host does not list is absent; messages come with text and calls", async () => {
  const { it, asked } = client({
    status: { data: { a: { type: "busy" } } },
    messages: { data: [{ info: { id: "u", role: "user", time: {} }, parts: [{ type: "text", text: "hi" }] }, { info: { id: "m", role: "assistant", time: {} }, parts: [{ type: "tool", callID: "c", tool: "read", state: { status: "pending" } }] }] },
  })
  const host = new V1Host(it)
  assert.deepEqual(await host.status(["a", "b"]), ["busy", "absent"])
  const [user, answer] = await host.messages("a", 2)
  assert.deepEqual([user?.role, user?.text, user?.completed], ["user", "hi", true])
  assert.deepEqual([answer?.completed, answer?.calls], [false, [{ call: "c", tool: "read", state: "running" }]])
  await host.prompt("a", "worker", "go", false)
  await host.prompt("a", "worker", "note", true)
  assert.deepEqual(asked.slice(-2).map(([name, request]) => [name, request.body.noReply]), [["promptAsync", false], ["prompt", true]])
})

// The hooks as a whole, with a sidecar.

let fake: Fake
let pool: Pool<Workspace>
let hooks: ReturnType<typeof hooksV1>
let host: ReturnType<typeof client>
const make = (options: object = {}, directory = "/p") => hooksV1({ client: host.it, directory, worktree: "/" }, options, pool)
beforeEach(() => {
  fake = new Fake()
  process.env.GANTRY_BIN = fake.bin
  pool = new Pool<Workspace>(FAST)
  host = client({ showToast: { data: true } })
  hooks = make()
})
afterEach(async () => {
  await hooks.dispose()
  fake.remove()
})
const runTask = async (text: string, parts: any[] = [{ type: "text", text }]) => {
  await hooks["command.execute.before"]({ command: "task", sessionID: "ses_p", arguments: text }, { parts })
  return parts
}
const context = (over: object = {}) => ({ sessionID: "ses_p", messageID: "msg", callID: "call_1", agent: "commander", abort: new AbortController().signal, ...over })
const say = (type: string, properties: object) => hooks.event({ event: { type, properties } })

test("a compaction is told of the conversation's open mission, and waits for nobody else", async () => {
  const compact = async (sessionID: string) => {
    const output = { context: [] as string[] }
    await hooks["experimental.session.compacting"]({ sessionID }, output)
    return output.context
  }
  assert.deepEqual(await compact("ses_p"), [])
  await runTask("do it")
  assert.deepEqual(await compact("ses_other"), [])
  assert.equal(fake.got("command/run").length, 0)
  const [kept, ...more] = await compact("ses_p")
  assert.match(kept ?? "", /Keep its id and state in the summary/)
  assert.deepEqual(more, [])
  assert.deepEqual(fake.got("command/run").map(({ session, command }) => [session, command]), [["ses_p", "status"]])
})

test("/task accepts the mission, keeps the user's words and files, and names the mission to the Commander", async () => {
  const file = { type: "file", url: "file:///p/a" }
  const parts = await runTask('"do it"', [{ type: "text", text: '"do it"' }, file])
  assert.deepEqual(parts[0], { type: "text", text: "do it" })
  assert.match(parts[1].text, /^Mission m1 has been accepted/)
  assert.equal(parts[1].synthetic, true)
  assert.deepEqual(parts.slice(2), [file])
  assert.equal(fake.got("workspace/open")[0].worktree, "/p", "the root of the file system is no project")
  assert.equal(host.asked.length, 0, "no toast of its own")
})

test("a failure of /task is a sentence with an end, so that a headless host prints it; a toast would say it twice", async () => {
  process.env.GANTRY_BIN = "/nope"
  const parts = await runTask("do it", [{ type: "text", text: "do it" }, { type: "file", url: "file:///p/a" }])
  assert.equal(parts.length, 2)
  assert.match(parts[0].text, /not at \/nope; correct GANTRY_BIN/)
  assert.ok(parts[0].time.end > 0)
  assert.match(parts[1].text, /Call no tool/)
  assert.deepEqual(host.asked, [])
})

test("another command is left alone", async () => {
  const parts = [{ type: "text", text: "x" }]
  await hooks["command.execute.before"]({ command: "init", sessionID: "s", arguments: "x" }, { parts })
  assert.deepEqual(parts, [{ type: "text", text: "x" }])
})

test("an order is answered at once, and the turn that the host begins is to be as short as one can be", async () => {
  const parts: any[] = [{ type: "text", text: "$99" }]
  await hooks.config({})
  await hooks["command.execute.before"]({ command: "task-steer", sessionID: "ses_p", arguments: '"use pnpm"' }, { parts })
  assert.deepEqual(fake.got("command/run"), [{ directory: "/p", session: "ses_p", command: "steer", text: "use pnpm" }])
  assert.deepEqual(parts.map(({ text, synthetic, time }) => [text, synthetic ?? false, time !== undefined]), [["steer: use pnpm", false, true], [ANSWERED, true, false]])
})

test("an order that comes as a message is obeyed at once, seen by the user and not by the model", async () => {
  await hooks.config({})
  const message = async (parts: any[], sessionID = "ses_p") => (await hooks["chat.message"]({ sessionID }, { parts }), parts)
  const part = (text: string) => ({ id: "prt_1", sessionID: "ses_p", messageID: "msg_1", type: "text", text })
  const parts = await message([{ ...part("where I am"), synthetic: true }, part("/task-steer use pnpm\nand tabs"), { ...part("x"), type: "file" }])
  assert.deepEqual(fake.got("command/run"), [{ directory: "/p", session: "ses_p", command: "steer", text: "use pnpm\nand tabs" }])
  assert.deepEqual(parts.map(({ text, ignored, synthetic, messageID }) => [text, ignored ?? false, synthetic ?? false, messageID]), [
    ["/task-steer use pnpm\nand tabs\n\nsteer: use pnpm\nand tabs", true, false, "msg_1"],
    [OBEYED, false, true, "msg_1"],
  ])
  assert.equal(new Set(parts.map(({ id }) => id)).size, 2)
  for (const text of ["/task-dance now", "/tasks", "say /task-steer x", "please"]) assert.deepEqual(await message([part(text)]), [part(text)])
  pool.children.set("ses_child", {} as Workspace)
  assert.deepEqual(await message([part("/task-steer x")], "ses_child"), [part("/task-steer x")], "an agent gives no orders")
  assert.equal(fake.got("command/run").length, 1)
})

test("the half in the terminal interface has the process started when it asks for it", async () => {
  await hooks.event({ event: { type: "tui.command.execute", properties: { command: "prompt.clear" } } })
  await settled()
  assert.equal(fake.starts(), 0)
  await hooks.event({ event: { type: "tui.command.execute", properties: { command: WAKE } } })
  await until("the process has the directory open", () => fake.got("workspace/open").length === 1)
})

test("where the terminal interface serves the orders, the server half leaves them to it", () => {
  const home = mkdtempSync(join(tmpdir(), "gantry-terminal-"))
  const env = { XDG_CONFIG_HOME: home }
  const worker = "/$bunfs/root/src/cli/tui/worker.js"
  assert.equal(servedByTerminal(home, worker, env), false, "not registered: they would be missing")
  mkdirSync(join(home, "opencode"))
  writeFileSync(join(home, "opencode", "tui.jsonc"), '{"plugin": ["opencode-gantry@0.1.0"] /* mine */}')
  assert.equal(servedByTerminal("/p", worker, env), true)
  assert.equal(servedByTerminal("/p", "/$bunfs/root/src/index.js", env), false, "headless")
  rmSync(home, { recursive: true })
})

test("the configuration of the terminal interface is read where and as the host reads it", () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "gantry-terminal-")))
  const sub = join(home, "project", "sub", "deep")
  mkdirSync(sub, { recursive: true })
  mkdirSync(join(home, "conf"))
  const served = (env: object = {}) => servedByTerminal(sub, "/$bunfs/root/src/cli/tui/worker.js", { HOME: home, ...env })
  const own = join(home, "project", "tui.json")
  const says = (text: string, expected: boolean, file = own, env: object = {}) => {
    writeFileSync(file, text)
    assert.equal(served(env), expected, text)
    rmSync(file)
  }
  says('{"plugin": ["opencode-gantry"]}', true)
  says('\ufeff{"plugin": [["opencode-gantry@0.1.0", {"a": 1}], // mine\n], /* "x": */ }', true)
  says('{"plugin": ["other"] /* "opencode-gantry" */}', false)
  says('{\n  // "plugin": ["opencode-gantry"]\n}', false)
  says('{"theme": "opencode-gantry", "plugin": ["opencode-gantry-theme", "a//b", "c, ]"]}', false)
  says('{"plugin": ["opencode-gantry"], "plugin_enabled": {"opencode-gantry": false}}', false)
  says('{"plugin": ["{env:GANTRY_PLUGIN}"]}', true, own, { GANTRY_PLUGIN: "opencode-gantry" })
  says('{"plugin": ["opencode-gantry"]', false)
  says('{"plugin": ["opencode-gantry"]}', false, own, { OPENCODE_DISABLE_PROJECT_CONFIG: "true" })
  says('{"plugin": ["opencode-gantry"]}', true, join(home, "conf", "tui.jsonc"), { OPENCODE_CONFIG_DIR: join(home, "conf") })
  says('{"plugin": ["opencode-gantry"]}', true, join(home, "conf", "any.json"), { OPENCODE_TUI_CONFIG: join(home, "conf", "any.json") })
  // The tests are built into one folder with the file they take for the other half.
  const beside = join(dirname(fileURLToPath(import.meta.url)), "tui.js")
  for (const entry of [pathToFileURL(beside).href, dirname(beside), relative(dirname(own), beside)]) says(JSON.stringify({ plugin: [entry] }), true)
  says(JSON.stringify({ plugin: [pathToFileURL(join(home, "tui.js")).href] }), false)
  rmSync(home, { recursive: true })
})

test("a user's own /task is neither replaced nor taken over", async () => {
  await hooks.config({ command: { task: { template: "mine" } } })
  const parts = await runTask("do it")
  assert.deepEqual(parts, [{ type: "text", text: "do it" }])
  assert.equal(fake.starts(), 0)
})

test("foreign sessions cost nothing: no call, no wait, no state", async () => {
  await runTask("do it")
  const before = fake.records().length
  const first = hooks["tool.execute.before"]({ tool: "write", sessionID: "ses_foreign", callID: "c" }, { args: { filePath: "/p/locked" } })
  const second = hooks["tool.execute.before"]({ tool: "edit", sessionID: "ses_other", callID: "c" }, { args: {} })
  assert.equal(first, second, "one promise that was resolved long ago")
  for (let i = 0; i < 100; i++) await say("session.status", { sessionID: "ses_foreign", status: { type: "idle" } })
  await say("message.part.delta", { sessionID: "ses_p", delta: "x" })
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(fake.records().length, before)
})

test("a whole mission: tool call, child, lease, events, progress, report", async () => {
  host = client({ create: { data: { id: "ses_c" } }, get: { data: {} }, children: { data: [] }, messages: { data: [] }, status: { data: {} } })
  hooks = make()
  await runTask("do it")
  const call = hooks.tool.mission!.execute({ brief: "host" }, context())
  await say("message.part.updated", { sessionID: "ses_p", part: running({ callID: "call_1", sessionID: "ses_p" }) })
  await until("the child is prompted", () => host.asked.some(([name]) => name === "promptAsync"))
  await assert.rejects(hooks["tool.execute.before"]({ tool: "write", sessionID: "ses_c", callID: "w" }, { args: { filePath: "locked.txt" } }), /held by task T2/)
  await hooks["tool.execute.before"]({ tool: "write", sessionID: "ses_c", callID: "w" }, { args: { filePath: "free.txt" } })
  await say("session.status", { sessionID: "ses_c", status: { type: "idle" } })
  const result = await call
  assert.match(result.output, /^REPORT/)
  assert.equal(result.title, "Mission completed")
  const patches = host.asked.filter(([name]) => name === "patch").map(([, request]) => request)
  assert.equal(patches[0].body.state.title, "executing 1/4")
  assert.deepEqual(patches[0].path, { id: "ses_p", messageID: "m", partID: "prt" })
  assert.deepEqual(patches.at(-1).body.state.input, { brief: "b" })
})

test("a mission's session in another directory is served by the mission's own", async () => {
  await runTask("do it")
  const elsewhere = make({}, "/worktree")
  try {
    pool.children.set("ses_w", pool.parents.get("ses_p") as Workspace)
    await elsewhere["tool.execute.before"]({ tool: "edit", sessionID: "ses_w", callID: "e" }, { args: { filePath: "free" } })
    await elsewhere.tool.submit_report!.execute({ status: "done", summary: "x" }, context({ sessionID: "ses_w", callID: "r", agent: "worker" }))
    await elsewhere.event({ event: { type: "session.status", properties: { sessionID: "ses_w", status: { type: "idle" } } } })
    await until("the event", () => fake.got("event/batch").length === 1)
    for (const method of ["lease/check", "tool/call", "event/batch"]) assert.equal(fake.got(method)[0].directory, "/p", method)
  } finally {
    await elsewhere.dispose()
  }
})

test("Esc cancels at the sidecar, and the call ends as an error that says so", async () => {
  await runTask("do it")
  const abort = new AbortController()
  const call = hooks.tool.mission!.execute({ brief: "hang" }, context({ abort: abort.signal }))
  await until("the call is there", () => fake.got("tool/call").length === 1)
  abort.abort()
  await assert.rejects(call, /the mission was cancelled/)
  assert.equal(fake.got("$/cancel").length, 1)
})

test("tools carry their arguments, and the whole schema when the host asks for the definition", async () => {
  assert.deepEqual(Object.keys(hooks.tool), TOOLS.map((tool) => tool.name))
  assert.deepEqual(Object.keys(hooks.tool.mission!.args), ["brief", "acceptance", "constraints"])
  const output = { jsonSchema: { type: "object", required: ["brief", "acceptance", "constraints"] } }
  await hooks["tool.definition"]({ toolID: "mission" }, output)
  assert.deepEqual((output.jsonSchema as any).required, ["brief"])
  const other = { jsonSchema: "untouched" }
  await hooks["tool.definition"]({ toolID: "read" }, other)
  assert.equal(other.jsonSchema, "untouched")
})

test("an event that is odd in every way is no error for the host", async () => {
  await runTask("do it")
  for (const event of [{ type: "message.part.updated", properties: { sessionID: "ses_p" } }, { type: "x", properties: { sessionID: "ses_p", part: 7, info: null } }, { type: "y", properties: null }, { type: "z" }]) {
    await hooks.event({ event: event as any })
  }
})

test("open missions of an earlier host are taken up after the load, and only with the marker", async () => {
  await new Promise((resolve) => setTimeout(resolve, 120))
  assert.equal(fake.starts(), 0)
  const directory = realpathSync(tmpdir())
  fake.mark(createHash("sha256").update(directory).digest("hex").slice(0, 32))
  const again = make({}, directory)
  try {
    await until("the directory is opened", () => fake.got("workspace/open").length === 1)
    assert.equal(fake.got("workspace/open")[0].directory, directory)
  } finally {
    await again.dispose()
  }
})
