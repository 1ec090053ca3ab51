// The half in the terminal interface on the V2 line, against a context that refuses what the line's contract does not have.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, test } from "node:test"
import plugin from "../src/tui/index"
import { V2Terminal } from "../src/tui/v2"
import { leave, textOf } from "./solid"

function strict<T extends object>(path: string, target: T): T {
  return new Proxy(target, {
    get: (of, key) => {
      if (typeof key === "string" && !(key in of)) assert.fail(`${path} has no ${key}`)
      return Reflect.get(of, key)
    },
  })
}

function fakeContext(route: any = { type: "session", sessionID: "ses_child" }) {
  const seen = { slots: [] as any[], pages: [] as any[], layers: [] as any[], events: [] as string[], went: [] as any[], undone: 0, said: [] as any[] }
  const undo = () => void seen.undone++
  const tone = (name: string) => ({ default: name })
  const dialog = { alert: async (d: any) => void seen.said.push(d), confirm: async () => undefined, prompt: async () => "words", select: async (d: any) => d.options[0].value }
  const context: any = strict("context", {
    location: undefined,
    data: strict("data", {
      on: (type: string) => (seen.events.push(type), undo),
      session: strict("data.session", { root: (id: string) => (id === "ses_child" ? "ses_root" : id), status: () => "idle" }),
      location: strict("data.location", { default: () => ({ directory: "/p" }) }),
    }),
    attention: strict("attention", { notify: async (notice: any) => void seen.said.push(notice) }),
    theme: strict("theme", {
      text: strict("theme.text", { default: "text", subdued: "subdued", action: strict("action", { primary: tone("primary") }), feedback: strict("feedback", { success: tone("success"), warning: tone("warning"), error: tone("error"), info: tone("info") }) }),
      border: tone("border"),
    }),
    keymap: strict("keymap", { layer: (layer: () => any) => void seen.layers.push(layer()) }),
    ui: strict("ui", {
      toast: strict("toast", { show: (toast: any) => void seen.said.push(toast) }),
      dialog: strict("dialog", dialog),
      router: strict("router", { register: (page: any) => (seen.pages.push(page), undo), navigate: (to: any) => (seen.went.push(to), (route = to)), current: () => route }),
      slot: (claim: any) => (seen.slots.push(claim), undo),
    }),
  })
  return { context, seen }
}

const home = mkdtempSync(join(tmpdir(), "gantry-tui-v2-"))
afterEach(leave)
process.env.GANTRY_HOME = home
process.on("exit", () => rmSync(home, { recursive: true, force: true }))

test("panel, view and commands are registered, and unloading undoes all of it", async () => {
  const { context, seen } = fakeContext()
  const unload = plugin.setup(context)
  assert.deepEqual(seen.slots.map(({ append }) => append), ["sidebar.content"])
  assert.equal(textOf(seen.slots[0].render({ sessionID: "ses_root" })), "", "no mission, nothing drawn")
  assert.deepEqual(seen.pages.map(({ name }) => name), ["mission"])
  const commands = seen.layers[0].commands
  assert.ok(commands.every((one: any) => one.palette && one.id === `gantry.${one.slash.name}`))
  assert.ok(commands.some((one: any) => one.slash.name === "task-view"))
  assert.equal(seen.events.length, 4)
  // No process of Gantry runs: the reason is for the user.
  commands.find((one: any) => one.slash.name === "task-status").run()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.match(seen.said[0].message, /No mission is at work here/)
  unload()
  assert.equal(seen.undone, 6)
})

test("the view has its keys for as long as it is drawn, and leads back", () => {
  const { context, seen } = fakeContext()
  const unload = plugin.setup(context)
  const drawn = seen.pages[0].render({ data: { mission: "m1" } })
  assert.match(textOf(drawn), /Looking for the mission/)
  const { mode, commands } = seen.layers[1]
  assert.equal(mode, "base", "no key while a dialog is open")
  assert.ok(commands.every((one: any) => one.id === undefined && typeof one.bind === "string"))
  unload()
  const terminal = new V2Terminal(context)
  terminal.openView("m1")
  terminal.openView("m2")
  terminal.leaveView()
  assert.deepEqual(seen.went, [{ type: "plugin", name: "mission", data: { mission: "m1" } }, { type: "plugin", name: "mission", data: { mission: "m2" } }, { type: "session", sessionID: "ses_child" }])
})

test("what the port asks for is there by the line's own names", async () => {
  const { context, seen } = fakeContext()
  const terminal = new V2Terminal(context)
  assert.deepEqual([terminal.directory(), terminal.session(), terminal.busy("s")], ["/p", "ses_root", false])
  const colours = ["text", "textMuted", "border", "primary", "success", "warning", "error", "info"] as const
  assert.deepEqual(colours.map((name) => terminal.colour(name)), ["text", "subdued", "border", "primary", "success", "warning", "error", "info"])
  assert.deepEqual([await terminal.ask("t", "p"), await terminal.confirm("t", "m"), await terminal.choose("t", [{ title: "a", about: "b", value: "c" }])], ["words", false, "c"])
  terminal.toast("success", "done")
  terminal.notify("t", "m", "question")
  assert.deepEqual(seen.said, [{ title: "Gantry", message: "done", variant: "success" }, { title: "t", message: "m", notification: { when: "blurred" }, sound: { name: "question", when: "always" } }])
})
