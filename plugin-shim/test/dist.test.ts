// The built file, as a host gets it.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { resolve } from "node:path"
import { test } from "node:test"
import { pathToFileURL } from "node:url"

const FILE = resolve("dist/index.js")
const load = async () => (await import(pathToFileURL(FILE).href)) as { default: any }

test("one file that needs nothing but Node's own modules, loaded without waiting", () => {
  const source = readFileSync(FILE, "utf8")
  const imports = [...source.matchAll(/^import\b.*?from "([^"]+)"/gms), ...source.matchAll(/\b(?:import|require)\("([^"]+)"\)/g)].map((match) => match[1] as string)
  assert.ok(imports.length > 0)
  for (const name of imports) assert.ok(name.startsWith("node:") && isBuiltin(name), name)
  assert.doesNotMatch(source, /^(?:await|for await)\b/m)
  assert.doesNotMatch(source, /console\.|process\.std(?:out|err)/, "nothing is said on the terminal")
})

test("one default export for both lines, with no key beside it that a host would stumble on", async () => {
  const module = await load()
  assert.deepEqual(Object.keys(module), ["default"])
  assert.deepEqual(Object.keys(module.default), ["id", "server", "setup"])
})

test("server answers with hooks before anything of the host is asked", async () => {
  const { default: plugin } = await load()
  const untouched = new Proxy({}, { get: (_, key) => assert.fail(`the host's client was asked for ${String(key)}`) })
  const hooks = await Promise.race([
    plugin.server({ client: untouched, directory: "/nowhere", worktree: "/nowhere" }, {}),
    new Promise((_, reject) => setImmediate(() => reject(new Error("it waited")))),
  ])
  assert.deepEqual(Object.keys(hooks).sort(), ["chat.message", "command.execute.before", "config", "dispose", "event", "experimental.session.compacting", "tool", "tool.definition", "tool.execute.before"])
  await hooks.dispose()
})
