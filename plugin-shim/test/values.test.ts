// Pure parts, as tables.
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { USAGE, openMission, unquoted } from "../src/command"
import { RpcError, Sentence } from "../src/errors"
import { type Loose, modelOf } from "../src/host/loose"
import { readOptions } from "../src/options"
import { dataHome, openMarker, socketFolder, socketsIn } from "../src/paths"
import { locate, spawnFault } from "../src/sidecar/locate"
import { nobodyAtWork } from "../src/tui/door"
import { shellCommand, subjectOf, writePaths } from "../src/writes"

const PATCH = ["*** Begin Patch", "*** Add File: a b.txt", "+*** Update File: no.txt", "*** Update File: src/x.ts ", "*** Move to: src/y.ts", "@@", "-a", "*** Delete File: /abs/z", "*** Add File:", "*** End Patch"].join("\r\n")
const WRITES: [string, unknown, string[]][] = [
  ["write", { filePath: "/p/a.txt", content: "x" }, ["/p/a.txt"]],
  ["edit", { filePath: "a.txt", oldString: "x", newString: "y" }, ["a.txt"]],
  ["edit", { path: "src/a.txt" }, ["src/a.txt"]],
  ["multiedit", { filePath: "a", edits: [{ filePath: "b" }, { filePath: "a" }, null] }, ["a", "b"]],
  ["apply_patch", { patchText: PATCH }, ["a b.txt", "src/x.ts", "src/y.ts", "/abs/z"]],
  ["patch", { patchText: "*** Begin Patch\n*** Add File: a\n*** End Patch" }, ["a"]],
  ["apply_patch", { patchText: 7 }, []],
  ["apply_patch", { patchText: "cat <<'EOF'\n*** Begin Patch\n*** Delete File: gone\n*** End Patch\nEOF" }, ["gone"]],
  ["write", { filePath: "" }, []],
  ["write", null, []],
  ["read", { filePath: "/p/a.txt" }, []],
  ["bash", { command: "echo x > y" }, []],
  ["submit_report", { files_changed: ["a"] }, []],
]
for (const [tool, args, expected] of WRITES) {
  test(`paths of ${tool} ${JSON.stringify(args)?.slice(0, 40)}`, () => assert.deepEqual(writePaths(tool, args), expected))
}

const COMMANDS: [string, unknown, string | undefined][] = [
  ["bash", { command: "touch ~/calc/a $HOME/b ${HOME}" }, "touch /home/ada/calc/a /home/ada/b /home/ada"],
  ["bash", { command: "cat <~/a; X=~/b; echo a~/b ~ada $HOMES" }, "cat </home/ada/a; X=/home/ada/b; echo a~/b ~ada $HOMES"],
  ["shell", { command: "ls", workdir: "~/calc" }, "/home/ada/calc\nls"],
  ["bash", { command: 7 }, undefined],
  ["write", { command: "ls" }, undefined],
]
for (const [tool, args, expected] of COMMANDS) {
  test(`command of ${tool} ${JSON.stringify(args)?.slice(0, 40)}`, () => assert.equal(shellCommand(tool, args, "/home/ada"), expected))
}

const SUBJECTS: [string, unknown, string | undefined][] = [
  ["read", { filePath: "a/../b" }, "a/../b"],
  ["read", { path: "b" }, "b"],
  ["list", { path: "src" }, "src"],
  ["list", {}, undefined],
  ["glob", { pattern: "*.ts", path: "src" }, "*.ts"],
  ["grep", { path: "src" }, "src"],
  ["webfetch", { url: "https://a.example" }, "https://a.example"],
  ["webfetch", { url: 7 }, undefined],
  ["task", { subagent_type: "explore", prompt: "x" }, "explore"],
  ["shell", { command: "ls ~", workdir: "~" }, "ls ~"],
  ["write", { filePath: "a" }, undefined],
  ["constructor", { name: "a" }, undefined],
  ["read", null, undefined],
]
for (const [tool, args, expected] of SUBJECTS) {
  test(`subject of ${tool} ${JSON.stringify(args)?.slice(0, 40)}`, () => assert.equal(subjectOf(tool, args), expected))
}

const QUOTED: [string, string][] = [
  ["do it", "do it"],
  ['"do it"', "do it"],
  ['"do \\"x\\" it"', 'do "x" it'],
  ['"a\\\\b"', "a\\\\b"],
  ['"say \\\\"x\\\\" now"', 'say \\"x\\" now'],
  ['"a" and "b"', '"a" and "b"'],
  ['say "hi"', 'say "hi"'],
  ['""', ""],
  ['"  "', ""],
  ["  ", ""],
  ['"', '"'],
  ['"two\nlines"', "two\nlines"],
]
for (const [given, expected] of QUOTED) test(`the words of ${JSON.stringify(given)}`, () => assert.equal(unquoted(given), expected))

const SUMMARY = { id: "m3", title: "t", state: "queued", parentSession: "s", directory: "/p", done: 0, running: 0, waiting: 0, failed: 0, total: 0, createdAt: 1 }

test("a mission opens with the user's words and a brief that names it", async () => {
  const asked: string[] = []
  const opening = await openMission('"do it"', async (text, key) => (asked.push(text, key), { mission: SUMMARY, queuedBehind: ["m1", "m2"] }))
  assert.ok(opening.mission === "m3" && opening.text === "do it")
  assert.match(opening.instruction, /^Mission m3 has been accepted.*after the 2 missions before it/)
  assert.match(opening.instruction, /Call the tool `mission` once/)
  assert.match(asked[1] as string, /^[0-9a-f-]{36}$/)
})

const FAILURES: [string, unknown, RegExp][] = [
  ["a sentence", new Sentence("Install it."), /^Install it\.$/],
  ["a full disk", new RpcError(-32014, "the disk is full; free some space"), /^Gantry did not accept the mission because it cannot write its store: the disk is full; free some space\.$/],
  ["a full sidecar", new RpcError(-32001, "x"), /try again in a moment\.$/],
  ["a conflict", new RpcError(-32013, "The mission is paused; resume it"), /^The mission is paused; resume it\.$/],
  ["bad params", new RpcError(-32602, "workers must be 1 to 50"), /^workers must be 1 to 50\.$/],
  ["anything else", new TypeError("x is not a function"), /^Gantry failed \(x is not a function\); see .*shim\.log and try again\.$/],
  ["no error at all", "odd", /^Gantry failed \(odd\)/],
]
for (const [name, error, expected] of FAILURES) {
  test(`${name} ends as one sentence and no mission`, async () => {
    const opening = await openMission("do it", async () => Promise.reject(error))
    assert.ok(opening.mission === undefined)
    assert.match(opening.sentence, expected)
    assert.match(opening.instruction, /No mission was started/)
  })
}

test("an empty request asks nobody and says how to use it", async () => {
  const opening = await openMission('""', async () => assert.fail("asked"))
  assert.ok(opening.mission === undefined && opening.sentence === USAGE)
})

const OPTIONS: [unknown, string | undefined, object][] = [
  [undefined, undefined, {}],
  [null, undefined, {}],
  ["x", undefined, {}],
  [{ workers: 3, bin: "/b" }, "/b", { workers: 3, bin: "/b" }],
  // What is wrong goes to the sidecar as it is, which says so.
  [{ wrokers: 3, budgetTokens: "many", bin: 3 }, undefined, { wrokers: 3, budgetTokens: "many", bin: 3 }],
  [{ bin: "" }, undefined, { bin: "" }],
]
for (const [given, bin, sent] of OPTIONS) {
  test(`options ${JSON.stringify(given)}`, () => assert.deepEqual(readOptions(given), { bin, given: sent }))
}

const MODELS: [object, object][] = [
  [{ providerID: "lab", modelID: "x" }, { model: "lab/x" }],
  [{ model: { providerID: "lab", id: "x" } }, { model: "lab/x" }],
  [{ model: "x" }, {}],
  [{}, {}],
]
for (const [message, expected] of MODELS) test(`the model of ${JSON.stringify(message)}`, () => assert.deepEqual(modelOf(message as Loose), expected))

const HOMES: [Record<string, string>, string, string][] = [
  [{ GANTRY_HOME: "/g", XDG_DATA_HOME: "/x", HOME: "/h" }, "linux", "/g"],
  [{ XDG_DATA_HOME: "/x", HOME: "/h" }, "linux", "/x/gantry"],
  [{ HOME: "/h" }, "darwin", "/h/.local/share/gantry"],
  [{ LOCALAPPDATA: "/local", HOME: "/h" }, "win32", "/local/gantry"],
]
test("sockets are where the sidecar opens them, also where the data folder's path is too long for one", () => {
  assert.equal(socketFolder("/home/ann"), join("/home/ann", "run"))
  const long = `/home/ann/${"x".repeat(100)}`
  assert.equal(socketFolder(long), `/tmp/gantry-${process.geteuid?.()}-aa78d9180c1d1b26`)
  const short = socketFolder(`${long}${process.pid}`)
  mkdirSync(short, { mode: 0o700 })
  try {
    writeFileSync(join(short, "1.sock"), "")
    assert.deepEqual(socketsIn(short), [join(short, "1.sock")])
    chmodSync(short, 0o777)
    assert.deepEqual(socketsIn(short), [], "anybody could have put it there")
  } finally {
    rmSync(short, { recursive: true })
  }
})

for (const [env, platform, expected] of HOMES) test(`data home of ${JSON.stringify(env)}`, () => assert.equal(dataHome(env, platform), expected))

test("the marker is named after the real directory", () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "gantry-marker-")))
  try {
    mkdirSync(join(folder, "real"))
    symlinkSync(join(folder, "real"), join(folder, "link"))
    const name = createHash("sha256").update(join(folder, "real")).digest("hex").slice(0, 32)
    assert.equal(openMarker(join(folder, "link"), "/g"), join("/g", "open", name))
    assert.match(openMarker(join(folder, "gone"), "/g"), /[0-9a-f]{32}$/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("the binary is looked for in order, and what is wrong with it is said", () => {
  const folder = mkdtempSync(join(tmpdir(), "gantry-locate-"))
  const put = (name: string, mode = 0o755) => {
    const path = join(folder, name)
    mkdirSync(join(path, ".."), { recursive: true })
    writeFileSync(path, "")
    chmodSync(path, mode)
    return path
  }
  try {
    const [env, option, onPath, plain] = [put("env"), put("option"), put("bin/gantry"), put("plain", 0o644)]
    put("plainbin/gantry", 0o644)
    const at = (given: Record<string, string>, bin?: string) =>
      locate({ env: { GANTRY_HOME: join(folder, "home"), ...given }, option: bin, directory: folder, platform: "linux", arch: "x64", self: join(folder, "a/node_modules/opencode-gantry/dist/index.js") })
    const PATH = `${join(folder, "none")}:${plain}:${join(folder, "bin")}`
    assert.equal(at({ GANTRY_BIN: env, PATH }, option), env)
    assert.equal(at({ PATH }, option), option)
    assert.equal(at({ PATH }, "option"), option, "relative to the directory")
    assert.equal(at({ PATH }), onPath)
    assert.equal(at({ PATH: `${join(folder, "plainbin")}:${join(folder, "bin")}` }), onPath, "one that cannot run is passed over")
    assert.throws(() => at({ GANTRY_BIN: "/nope", PATH }), /not at \/nope; correct GANTRY_BIN or remove it\.$/)
    assert.throws(() => at({ PATH }, "/nope"), /correct the plugin option "bin" or remove it\.$/)
    assert.throws(() => at({ GANTRY_BIN: folder }), /is not a file; set GANTRY_BIN/)
    assert.throws(() => at({ PATH: join(folder, "none") }), /no "gantry" on the PATH; install one, or set GANTRY_BIN/)
    // Root may run what nobody may run only if some bit is set, so this holds for root too.
    assert.throws(() => at({ GANTRY_BIN: plain }), /not executable; run "chmod \+x/)
    assert.throws(() => at({ PATH: join(folder, "plainbin") }), /not executable/)
    const windows = put("a/node_modules/opencode-gantry-win32-x64/bin/gantry.exe")
    assert.equal(locate({ env: {}, directory: folder, platform: "win32", arch: "x64", self: join(folder, "a/node_modules/opencode-gantry/dist/index.js") }), windows)
    const inHome = put("home/bin/gantry")
    assert.equal(at({ PATH }), inHome)
    const musl = put("a/node_modules/opencode-gantry-linux-x64-musl/bin/gantry")
    assert.equal(at({ PATH }), musl, "a static one runs anywhere")
    const fits = put("a/node_modules/opencode-gantry-linux-x64/bin/gantry")
    assert.equal(at({ PATH }), fits)
    assert.equal(at({ PATH }, option), option, "what is named comes first")
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("where the panel cannot be, nobody is told to begin a mission for it", () => {
  assert.match(nobodyAtWork("win32"), /not there on Windows yet: tell the Commander/)
  assert.match(nobodyAtWork("linux"), /begins with \/task/)
})

test("every error of a start is a sentence of its own", () => {
  const codes = ["ENOEXEC", "EACCES", "ENOENT", "EMFILE"]
  const said = codes.map((code) => spawnFault("/b/gantry", code, code).message)
  assert.equal(new Set(said).size, 4)
  for (const sentence of said) assert.match(sentence, /\/b\/gantry.*; (install|check).*\.$|; run "chmod \+x \/b\/gantry"\.$/)
})
