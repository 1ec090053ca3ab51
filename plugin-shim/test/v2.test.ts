// The V2 half against a context that knows only the shapes of that line and refuses everything else.
import assert from "node:assert/strict"
import { afterEach, beforeEach, test } from "node:test"
import { TOOLS } from "../src/generated/tools"
import { ORDERS } from "../src/roles"
import type { HostEvent } from "../src/generated/types"
import plugin from "../src/index"
import { V2Host } from "../src/host/v2"
import { V2Events } from "../src/host/v2-events"
import { setupV2 } from "../src/plugin-v2"
import { Pool } from "../src/sidecar/pool"
import type { Workspace } from "../src/workspace"
import { FAST, Fake, until } from "./helper"

/** Throws on any access to what the object does not have. */
function strict<T extends object>(what: string, object: T): T {
  return new Proxy(object, {
    get(target, key, receiver) {
      // Asking whether something is there is allowed for what hosts may lack, and for a promise check.
      if (!(key in target) && typeof key === "string" && !OPTIONAL.has(`${what}.${key}`) && key !== "then") throw new Error(`${what} has no ${key}`)
      return Reflect.get(target, key, receiver)
    },
  })
}
const OPTIONAL = new Set(["ctx.agent", "agent editor.list", "agent editor.get", "ctx.command", "ctx.permission", "ctx.permission.list", "ctx.storage", "ctx.session.remove", "ctx.session.switchAgent", "ctx.session.hook", "ctx.session.synthetic", "ctx.tool.hook", "tool context.progress"])

function keys(what: string, given: any, required: string[], optional: string[] = []): void {
  for (const key of required) assert.ok(key in given, `${what} lacks ${key}`)
  for (const key of Object.keys(given)) assert.ok([...required, ...optional].includes(key), `${what} knows no ${key}`)
}

type Agent = { id: string; mode: string; hidden: boolean; system?: string; description?: string; permissions: { action: string; resource: string; effect: string }[] }
const agent = (id: string, over: Partial<Agent> = {}): Agent => ({
  id, mode: "all", hidden: false, permissions: [{ action: "*", resource: "*", effect: "allow" }, { action: "external_directory", resource: "*", effect: "ask" }], ...over,
})

class Events implements AsyncIterable<any> {
  private waiting: ((result: IteratorResult<any>) => void) | undefined
  private queue: any[] = []
  closed = false
  emit(type: string, data: object): void {
    const event = strict("event", { id: "evt", type, data })
    if (this.waiting) this.waiting({ value: event, done: false })
    else this.queue.push(event)
    this.waiting = undefined
  }
  [Symbol.asyncIterator]() {
    return {
      next: () => {
        if (this.queue.length > 0) return Promise.resolve({ value: this.queue.shift(), done: false })
        return new Promise<IteratorResult<any>>((resolve) => (this.waiting = resolve))
      },
      return: async () => {
        this.closed = true
        this.waiting?.({ value: undefined, done: true })
        return { value: undefined, done: true as const }
      },
    }
  }
}

function fakeHost(lacks: string[] = [], users: Agent[] = []) {
  const agents = new Map([agent("build"), agent("explore", { permissions: [{ action: "*", resource: "*", effect: "deny" }] }), ...users].map((one) => [one.id, one]))
  const tools = new Map<string, any>()
  const commands = new Map<string, any>()
  const hooks = new Map<string, any>()
  const sessions = new Map<string, any>([["ses_p", { id: "ses_p", agent: "build", model: { id: "big", providerID: "lab" } }]])
  const storage = new Map<string, unknown>()
  const calls: [string, any][] = []
  const events = new Events()
  const registration = async () => ({ dispose: async () => {} })
  const known = (input: any) => {
    const session = sessions.get(input.sessionID)
    if (!session) throw Object.assign(new Error(`no session ${input.sessionID}`), { _tag: "SessionNotFoundError" })
    return session
  }
  const session: any = {
    create: async (input: any) => {
      keys("session.create", input, ["title", "agent"], ["parentID", "model", "permissions", "metadata"])
      calls.push(["create", input])
      const info = { ...input, id: `ses_${sessions.size}` }
      if (lacks.includes("parentID")) delete info.parentID
      sessions.set(info.id, info)
      return info
    },
    get: async (input: any) => (keys("session.get", input, ["sessionID"]), known(input)),
    prompt: async (input: any) => {
      keys("session.prompt", input, ["sessionID", "text", "delivery"], ["id", "files", "agents", "resume"])
      assert.ok(["steer", "queue"].includes(input.delivery))
      calls.push(["prompt", input])
      return known(input)
    },
    synthetic: async (input: any) => {
      keys("session.synthetic", input, ["sessionID", "text", "description", "delivery"], ["resume"])
      calls.push(["synthetic", input])
      return known(input)
    },
    interrupt: async (input: any) => (keys("session.interrupt", input, ["sessionID"]), calls.push(["interrupt", input]), known(input)),
    context: async (input: any) => {
      keys("session.context", input, ["sessionID"])
      return [
        { type: "agent-switched", id: "msg_0" },
        { type: "user", id: "msg_1", text: "Task T1" },
        { type: "assistant", id: "msg_2", content: [{ type: "text", text: "done" }, { type: "tool", id: "c", name: "edit", state: { status: "completed" } }], finish: "stop", time: { created: 1, completed: 2 }, cost: 1, tokens: { input: 3, output: 4, reasoning: 0, cache: { read: 0, write: 0 } } },
      ]
    },
    switchAgent: async (input: any) => (keys("session.switchAgent", input, ["sessionID", "agent"]), calls.push(["switchAgent", input]), undefined),
    hook: async (name: string, callback: any) => (assert.equal(name, "context"), hooks.set(name, callback), registration()),
  }
  const ctx: any = {
    app: strict("ctx.app", { version: "2.3.0" }),
    location: strict("ctx.location", { directory: "/p", project: { id: "x", directory: "/p" } }),
    options: { workers: 2 },
    agent: {
      transform: async (change: any) => {
        const get = (id: string) => agents.get(id)
        const known = lacks.includes("agent list") ? {} : { list: () => [...agents.values()], get }
        change(strict("agent editor", { ...known, update: (id: string, update: any) => {
          const value = agents.get(id) ?? agent(id)
          update(value)
          keys("agent", value, ["id", "mode", "permissions"], ["hidden", "system", "description", "model"])
          for (const rule of value.permissions) keys("rule", rule, ["action", "resource", "effect"])
          agents.set(id, value)
        } }))
        return registration()
      },
    },
    command: {
      transform: async (change: any) => {
        change(strict("command editor", { add: (command: any) => (keys("command", command, ["name", "description", "execute"]), commands.set(command.name, command)) }))
        return registration()
      },
    },
    tool: {
      transform: async (change: any) => {
        change(strict("tool editor", { add: (tool: any) => {
          keys("tool", tool, ["name", "description", "input", "options", "execute"])
          assert.deepEqual(tool.options, { codemode: false })
          tools.set(tool.name, tool)
        } }))
        return registration()
      },
      hook: async (name: string, callback: any) => (assert.equal(name, "execute.before"), hooks.set(name, callback), registration()),
    },
    event: strict("ctx.event", { subscribe: (...args: unknown[]) => (assert.equal(args.length, 0), events) }),
    permission: strict("ctx.permission", {
      reply: async (input: any) => (keys("permission.reply", input, ["sessionID", "requestID", "reply"], ["message"]), calls.push(["reply", input])),
    }),
    storage: strict("ctx.storage", { get: async (key: string) => storage.get(key), set: async (key: string, value: unknown) => void storage.set(key, value) }),
  }
  for (const name of lacks) if (name.startsWith("session.")) delete session[name.slice(8)]
  for (const name of lacks) if (name === "tool.hook") delete ctx.tool.hook
  ctx.session = strict("ctx.session", session)
  ctx.tool = strict("ctx.tool", ctx.tool)
  for (const name of lacks) delete ctx[name]
  return { ctx: strict("ctx", ctx), agents, tools, commands, hooks, calls, events, sessions }
}

let fake: Fake
let pool: Pool<Workspace>
let cleanup: (() => Promise<void>) | undefined
beforeEach(() => {
  fake = new Fake()
  process.env.GANTRY_BIN = fake.bin
  pool = new Pool<Workspace>(FAST)
})
afterEach(async () => {
  await cleanup?.()
  cleanup = undefined
  fake.remove()
})
const start = async (host: ReturnType<typeof fakeHost>) => {
  cleanup = await setupV2(host.ctx, pool)
  return host
}
const invoke = (host: ReturnType<typeof fakeHost>, text: string) =>
  host.commands.get("task").execute({ sessionID: "ses_p", messageID: "msg_9", prompt: { text, files: ["f"] }, delivery: "queue" })
const toolContext = (over: object = {}) =>
  strict("tool context", { sessionID: "ses_p", agent: "commander", messageID: "msg_9", id: "call_1", signal: new AbortController().signal, ...over })

test("setup does nothing with the partial context of the V1 line", async () => {
  assert.equal(plugin.id, "opencode-gantry")
  assert.equal(typeof plugin.server, "function")
  for (const ctx of [undefined, {}, { tool: { transform() {} } }, { session: {}, tool: { transform: () => assert.fail("called") }, event: { subscribe() {} } }]) {
    assert.equal(await plugin.setup(ctx as any), undefined)
  }
})

test("agents, tools and the command are registered, no process is started", async () => {
  const host = await start(fakeHost())
  assert.deepEqual([...host.tools.keys()], TOOLS.map((tool) => tool.name))
  assert.deepEqual([...host.commands.keys()], ["task", ...Object.keys(ORDERS).map((order) => `task-${order}`)])
  const commander = host.agents.get("commander")!
  assert.deepEqual([commander.mode, commander.hidden], ["primary", false])
  assert.deepEqual(["planner", "worker", "reviewer"].map((id) => [host.agents.get(id)?.mode, host.agents.get(id)?.hidden]), Array(3).fill(["subagent", true]))
  assert.equal(fake.starts(), 0)
})

const effect = (one: Agent, action: string, resource = "*") =>
  one.permissions.findLast((rule) => (rule.action === action || rule.action === "*") && (rule.resource === resource || rule.resource === "*"))?.effect

test("roles may what they must, others see nothing", async () => {
  const host = await start(fakeHost())
  const of = (id: string) => host.agents.get(id)!
  assert.deepEqual(["edit", "shell", "subagent", "submit_plan", "mission"].map((action) => effect(of("planner"), action)), ["deny", "deny", "deny", "allow", "deny"])
  assert.deepEqual(["edit", "shell", "subagent", "submit_report"].map((action) => effect(of("worker"), action)), ["allow", "allow", "deny", "allow"])
  assert.deepEqual(["mission", "submit_plan", "read"].map((action) => effect(of("build"), action)), ["deny", "deny", "allow"])
  assert.deepEqual(["worker", "general"].map((id) => effect(of("build"), "subagent", id)), ["deny", "allow"])
  assert.equal(of("explore").permissions.some((rule) => rule.action === "subagent"), false, "what is denied as a whole stays so")
  const request = { agent: "build", tools: { read: {}, mission: {}, submit_report: {} } }
  host.hooks.get("context")(request)
  assert.deepEqual(Object.keys(request.tools), ["read"])
  const own = { agent: "worker", tools: { read: {}, mission: {}, submit_report: {} } }
  host.hooks.get("context")(own)
  assert.deepEqual(Object.keys(own.tools), ["read", "submit_report"])
})

test("a user's own agent of a role's name keeps its fields and rules", async () => {
  const mine = agent("planner", { mode: "all", system: "mine", permissions: [{ action: "shell", resource: "*", effect: "ask" }] })
  const host = await start(fakeHost([], [mine]))
  const planner = host.agents.get("planner")!
  assert.deepEqual([planner.system, planner.mode, effect(planner, "shell"), effect(planner, "edit"), effect(planner, "submit_plan")], ["mine", "all", "ask", "deny", "allow"])
})

test("/task is code: the mission first, then the Commander's turn with the message's id", async () => {
  const host = await start(fakeHost())
  await invoke(host, "/task do it")
  assert.equal(fake.got("mission/create")[0].text, "do it")
  assert.deepEqual(fake.got("initialize")[0].host, { line: "v2", version: "2.3.0", pid: process.pid })
  const [agentCall, prompt] = host.calls.slice(-2)
  assert.deepEqual(agentCall, ["switchAgent", { sessionID: "ses_p", agent: "commander" }])
  assert.deepEqual([prompt?.[0], prompt?.[1].id, prompt?.[1].delivery, prompt?.[1].files], ["prompt", "msg_9", "queue", ["f"]])
  assert.match(prompt?.[1].text, /^do it\n\nMission m1 has been accepted/)
})

test("an order is code: the sidecar's answer in the conversation, and no turn", async () => {
  const host = await start(fakeHost())
  await host.commands.get("task-steer").execute({ sessionID: "ses_p", messageID: "msg_9", prompt: { text: "/task-steer use pnpm" }, delivery: "queue" })
  assert.deepEqual(fake.got("command/run"), [{ directory: "/p", session: "ses_p", command: "steer", text: "use pnpm" }])
  assert.deepEqual(host.calls.map(([name, input]) => [name, input.text, input.resume]), [["synthetic", "steer: use pnpm", false]])
})

test("a failure of /task is one sentence in the conversation and no turn", async () => {
  process.env.GANTRY_BIN = "/nope"
  const host = await start(fakeHost())
  await invoke(host, "do it")
  assert.deepEqual(host.calls.map(([name, input]) => [name, input.resume]), [["synthetic", false]])
  assert.match(host.calls[0]?.[1].text, /not at \/nope; correct GANTRY_BIN/)
})

test("a whole mission: child, lease, events, progress, report", async () => {
  const host = await start(fakeHost())
  await invoke(host, "do it")
  const shown: any[] = []
  const call = host.tools.get("mission").execute({ brief: "host" }, toolContext({ progress: async (metadata: object) => void shown.push(metadata) }))
  await until("the child is prompted", () => host.calls.filter(([name]) => name === "prompt").length === 2)
  const created = host.calls.filter(([name]) => name === "create").map(([, input]) => input)
  assert.equal(created.length, 1, "the second request adopts the first session")
  assert.deepEqual([created[0].parentID, created[0].model, created[0].metadata], ["ses_p", { id: "big", providerID: "lab" }, { gantry: "call_1/T1" }])
  const before = host.hooks.get("execute.before")
  await assert.rejects(before({ tool: "edit", sessionID: "ses_1", id: "w", input: { path: "locked.txt" } }), /held by task T2/)
  await before({ tool: "edit", sessionID: "ses_foreign", id: "w", input: { path: "locked.txt" } })
  host.events.emit("session.execution.started", { sessionID: "ses_1" })
  host.events.emit("session.execution.succeeded", { sessionID: "ses_1" })
  const result = await call
  assert.equal(result.content, "REPORT: done")
  assert.deepEqual(Object.keys(result).sort(), ["content", "metadata", "output"])
  assert.equal(result.output, result.content)
  assert.ok(shown.some((metadata) => metadata.title === "executing 1/4"))
  const record = fake.records().find((one) => (one as any).messages) as any
  assert.deepEqual(record.messages.at(-1).calls, [{ call: "c", tool: "edit", state: "completed" }])
  assert.equal(record.status.sessions[1].state, "idle")
})

test("a report for the user's conversation is queued, never pressed into a running turn", async () => {
  const host = fakeHost()
  await new V2Host(host.ctx).prompt("ses_p", "commander", "REPORT", false)
  assert.deepEqual(host.calls, [["synthetic", { sessionID: "ses_p", text: "REPORT", description: "Gantry, for the commander", delivery: "queue" }]])
})

test("a host that drops the parent is told apart, and faults carry the host's name for them", async () => {
  const old = new V2Host(fakeHost(["parentID"]).ctx)
  await assert.rejects(old.createSession({ parent: "ses_p", title: "t", agent: "worker", key: "k", adopt: false }), (error: any) => error.data.name === "HostTooOld")
  const host = new V2Host(fakeHost().ctx)
  await assert.rejects(host.abort("ses_gone"), (error: any) => error.code === -32020 && error.data.name === "SessionNotFoundError")
  await assert.rejects(host.remove("ses_p"), (error: any) => error.data.name === "Unsupported")
})

test("an ask is answered by its id, and a host that lists none says so", async () => {
  const host = fakeHost()
  const port = new V2Host(host.ctx)
  await port.answer({ id: "per_1", session: "ses_1" })
  await port.answer({ id: "per_2", session: "ses_1", refusal: "not today" })
  assert.deepEqual(host.calls, [
    ["reply", { sessionID: "ses_1", requestID: "per_1", reply: "once" }],
    ["reply", { sessionID: "ses_1", requestID: "per_2", reply: "reject", message: "not today" }],
  ])
  await assert.rejects(port.asks(), (error: any) => error.data.name === "Unsupported")
})

test("a host with fewer capabilities still loads", async () => {
  const host = await start(fakeHost(["agent", "command", "storage", "tool.hook", "session.hook", "session.switchAgent", "session.synthetic"]))
  assert.equal(host.tools.size, TOOLS.length)
  await cleanup?.()
  const unlisted = await start(fakeHost(["agent list"]))
  assert.ok(["commander", "planner", "worker", "reviewer"].every((name) => unlisted.agents.get(name)?.system))
  assert.deepEqual(unlisted.agents.get("build")?.permissions, agent("build").permissions)
})

test("unloading ends the event stream and the process", async () => {
  const host = await start(fakeHost())
  await invoke(host, "do it")
  await cleanup?.()
  cleanup = undefined
  assert.equal(host.events.closed, true)
  assert.deepEqual(pool.pids(), [])
  assert.equal(fake.records().at(-1)?.end, true)
})

const S = "ses_1"
const failed = { type: "provider", message: "no" }
const TABLE: [string, { type: string; data?: object }[], HostEvent[]][] = [
  ["a turn that fails", [{ type: "session.execution.failed", data: { sessionID: S, error: failed } }], [{ type: "error", session: S, error: { name: "provider", message: "no" } }, { type: "status", session: S, state: "idle" }]],
  ["a turn that is interrupted", [{ type: "session.execution.interrupted", data: { sessionID: S, reason: "user" } }], [{ type: "error", session: S, error: { name: "MessageAbortedError", message: "interrupted: user" } }, { type: "status", session: S, state: "idle" }]],
  ["a retry", [{ type: "session.retry.scheduled", data: { sessionID: S, attempt: 1, at: 5, error: failed } }], [{ type: "status", session: S, state: "retry", retryAt: 5, message: "no" }]],
  [
    "a step with text and a call",
    [
      { type: "session.text.ended", data: { sessionID: S, assistantMessageID: "m", ordinal: 1, text: "b" } },
      { type: "session.text.ended", data: { sessionID: S, assistantMessageID: "m", ordinal: 0, text: "a" } },
      { type: "session.tool.input.started", data: { sessionID: S, assistantMessageID: "m", callID: "c", name: "edit" } },
      { type: "session.tool.called", data: { sessionID: S, assistantMessageID: "m", callID: "c", input: {}, executed: false } },
      { type: "session.tool.progress", data: { sessionID: S, assistantMessageID: "m", callID: "c" } },
      { type: "session.tool.success", data: { sessionID: S, assistantMessageID: "m", callID: "c" } },
      { type: "session.step.ended", data: { sessionID: S, assistantMessageID: "m", finish: "tool-calls", cost: 0, tokens: { input: 1, output: 2, reasoning: 0, cache: { read: 0, write: 0 } } } },
    ],
    [
      { type: "tool", session: S, call: "c", tool: "edit", state: "running" },
      { type: "tool", session: S, call: "c", tool: "edit", state: "completed" },
      { type: "message", session: S, message: { id: "m", role: "assistant", text: "a\nb", completed: true, finish: "tool-calls", usage: { input: 1, output: 2, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 }, calls: [{ call: "c", tool: "edit", state: "completed" }] } },
    ],
  ],
  [
    "a question and its answer",
    [{ type: "permission.asked", data: { id: "q", sessionID: S, action: "edit", resources: ["x"] } }, { type: "permission.replied", data: { sessionID: S, requestID: "q", reply: "once" } }],
    [{ type: "permission", session: S, id: "q", open: true, permission: "edit", patterns: ["x"], rejected: false }, { type: "permission", session: S, id: "q", open: false, permission: "edit", patterns: [], rejected: false }],
  ],
  ["a deleted session", [{ type: "session.deleted", data: { sessionID: S } }], [{ type: "deleted", session: S }]],
  ["what concerns no session", [{ type: "agent.updated", data: {} }, { type: "session.deleted" }], []],
]
for (const [name, given, expected] of TABLE) {
  test(`event: ${name}`, () => {
    const events = new V2Events()
    assert.deepEqual(given.flatMap((event) => events.map(event)), expected)
  })
}
