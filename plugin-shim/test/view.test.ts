// The mission on the whole screen, at every size, and the panel: when it asks, and when it calls the user.
import assert from "node:assert/strict"
import { afterEach, mock, test } from "node:test"
import type { MissionViewResult, TaskDetail } from "../src/generated/types"
import { clip, fit, width, wrap } from "../src/tui/format"
import { tree } from "../src/tui/graph"
import { Orders } from "../src/tui/orders"
import { Panel } from "../src/tui/panel"
import { allowed, entries } from "../src/tui/screen"
import { missionView } from "../src/tui/view"
import { leave, textOf } from "./solid"
import { FakeTerminal, START, fakeDoor, pass, settle, shown, task, view } from "./terminal"

afterEach(() => (leave(), mock.timers.reset()))

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
