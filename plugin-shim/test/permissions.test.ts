import assert from "node:assert/strict"
import { test } from "node:test"
import { TOOLS } from "../src/generated/tools"
import { type PermissionMap, appended, asMap, hides, rulesOf } from "../src/permissions"
import { type HostConfig, ROLES, addTo } from "../src/roles"

const deny = Object.fromEntries(TOOLS.map((tool) => [tool.name, "deny"]))

const HIDES: [string, PermissionMap, string, boolean][] = [
  ["nothing said", {}, "task", false],
  ["denied by name", { task: "deny" }, "task", true],
  ["denied by star", { "*": "deny" }, "task", true],
  ["allowed again by name", { "*": "deny", task: "allow" }, "task", false],
  ["denied by star after the name", { task: "allow", "*": "deny" }, "task", true],
  ["one pattern denied last", { task: { "*": "deny", x: "deny" } }, "task", false],
  ["star denied last", { task: { x: "allow", "*": "deny" } }, "task", true],
  ["a wildcard in the name", { "mission*": "deny" }, "mission_status", true],
  ["a question mark", { "tas?": "deny" }, "task", true],
  ["no part of a name", { tas: "deny" }, "task", false],
  ["dots are dots", { "t.sk": "deny" }, "task", false],
]
for (const [name, map, tool, expected] of HIDES) {
  test(`a tool is hidden or not: ${name}`, () => assert.equal(hides(rulesOf(map), tool), expected))
}

/** What the host would find for a tool and a pattern in two maps one after the other. */
function evaluate(maps: PermissionMap[], tool: string, pattern: string): string {
  const is = (wild: string, value: string) => new RegExp(`^${wild.replaceAll("*", ".*")}$`).test(value)
  return maps.flatMap(rulesOf).findLast((rule) => is(rule.permission, tool) && is(rule.pattern, pattern))?.action ?? "ask"
}

const MAPS: PermissionMap[] = [
  {},
  { "*": "ask" },
  { edit: "deny", bash: "deny" },
  { edit: { "*": "ask", "src/x": "allow" }, "*": "deny", read: "allow" },
  { "*": "allow", edit: { "src/*": "ask" } },
  { task: "allow", "*": "ask" },
  { task: { "*": "deny", planner: "allow" }, edit: "ask" },
  { task: { planner: "deny", worker: "deny" }, mission: "deny" },
]
test("one map says the same as the two it is made of", () => {
  for (const first of MAPS) {
    for (const second of MAPS) {
      const both = appended(first, second)
      for (const tool of ["edit", "bash", "read", "task", "mission"]) {
        for (const pattern of ["src/x", "src/y", "planner", "other", "*"]) {
          const expected = evaluate([first, second], tool, pattern)
          assert.equal(evaluate([both], tool, pattern), expected, JSON.stringify({ first, second, both, tool, pattern }))
        }
      }
    }
  }
})

test("a permission in any shape becomes a map", () => {
  assert.deepEqual(asMap("ask"), { "*": "ask" })
  assert.deepEqual(asMap(undefined), {})
  assert.deepEqual(asMap(null), {})
  assert.deepEqual(asMap({ edit: "deny" }), { edit: "deny" })
})

/** The native rules of the host's agents, as far as they decide what is visible. */
const BEFORE: Record<string, PermissionMap> = { build: { "*": "allow" }, explore: { "*": "deny" } }
const USERS: [string, HostConfig][] = [
  ["nothing", {}],
  ["one action", { permission: "ask" }],
  ["a map", { permission: { edit: { "*": "ask", "src/**": "allow" }, bash: "deny" } }],
  ["everything denied but reading", { permission: { "*": "deny", read: "allow" } }],
  ["task denied", { permission: { task: "deny" } }],
  ["task allowed by name", { permission: { task: "allow" } }],
  ["own agents", { agent: { mine: { permission: "allow" }, shy: { permission: { "*": "deny" } }, off: { disable: true } } }],
  ["an agent that allows our tools", { permission: "deny", agent: { mine: { permission: { "mission*": "allow", task: "allow" } } } }],
]
for (const [name, config] of USERS) {
  test(`other agents see neither tools nor roles, and keep their own: ${name}`, () => {
    const before = structuredClone(config)
    addTo(config, true)
    for (const agent of ["build", "explore", ...Object.keys(before.agent ?? {})]) {
      const base = BEFORE[agent] ?? { "*": "allow" }
      const mapsOf = (c: HostConfig) => [base, asMap(c.permission), asMap(c.agent?.[agent]?.permission)]
      const rules = mapsOf(config).flatMap(rulesOf)
      for (const tool of TOOLS) assert.ok(hides(rules, tool.name), `${agent} sees ${tool.name}`)
      for (const tool of ["task", "edit", "bash", "read", "webfetch"]) {
        assert.equal(hides(rules, tool), hides(mapsOf(before).flatMap(rulesOf), tool), `${agent}: ${tool}`)
      }
      for (const role of ["planner", "worker", "reviewer"]) assert.equal(evaluate(mapsOf(config), "task", role), "deny", `${agent} sees ${role}`)
      for (const [tool, pattern] of [["task", "general"], ["edit", "src/a.ts"], ["bash", "ls"], ["read", "x"]] as const) {
        assert.equal(evaluate(mapsOf(config), tool, pattern), evaluate(mapsOf(before), tool, pattern), `${agent}: ${tool} ${pattern}`)
      }
    }
  })
}

test("an agent that sees nothing of Gantry anyway is left as it is", () => {
  const config: HostConfig = { agent: { shy: { prompt: "x", permission: { "*": "deny" } } } }
  addTo(config, true)
  assert.deepEqual(config.agent?.shy, { prompt: "x", permission: { "*": "deny" } })
  assert.equal(config.agent?.title, undefined)
})

test("the roles are there, each with its own tools and no way to spawn", () => {
  const config: HostConfig = { permission: { edit: "ask" } }
  assert.deepEqual([...addTo(config, true)].sort(), Object.keys(config.command ?? {}).sort())
  assert.deepEqual(config.permission, { edit: "ask", ...deny })
  for (const [name, role] of Object.entries(ROLES)) {
    const agent = config.agent?.[name]
    const maps: PermissionMap[] = [{ "*": "allow" }, asMap(config.permission), asMap(agent?.permission)]
    assert.deepEqual([agent?.mode, agent?.hidden, agent?.prompt], [role.mode, role.hidden, role.prompt])
    for (const tool of TOOLS) {
      const expected = (tool.roles as readonly string[]).includes(name) ? "allow" : "deny"
      assert.equal(evaluate(maps, tool.name, "*"), expected, `${name} ${tool.name}`)
    }
    assert.ok(hides(maps.flatMap(rulesOf), "task"), `${name} cannot spawn`)
  }
  const of = (name: string, tool: string) => evaluate([asMap(config.permission), asMap(config.agent?.[name]?.permission)], tool, "f")
  assert.deepEqual(["planner", "reviewer", "commander", "worker"].map((name) => of(name, "edit")), ["deny", "deny", "deny", "ask"])
  assert.deepEqual(config.command?.task, { template: "$99", description: (config.command?.task as any).description, agent: "commander", subtask: false })
})

test("a user's own agent of a role's name wins field by field, but not in tools, task and existence", () => {
  const own = { prompt: "mine", model: "a/b", temperature: 0.2, mode: "all", disable: true, permission: { bash: "ask", task: "allow", submit_plan: "deny" } }
  const config: HostConfig = { agent: { planner: own } }
  addTo(config, true)
  const { permission, ...fields } = config.agent?.planner ?? {}
  assert.deepEqual(fields, { mode: "all", hidden: true, description: ROLES.planner?.description, prompt: "mine", model: "a/b", temperature: 0.2 })
  const map = asMap(permission)
  assert.deepEqual(["bash", "edit", "task", "submit_plan", "mission"].map((tool) => evaluate([map], tool, "x")), ["ask", "deny", "deny", "allow", "deny"])
})

test("a user's own command of that name stays", () => {
  const config: HostConfig = { command: { task: { template: "mine" } } }
  const report = { template: "my report" }
  Object.assign(config.command ?? {}, { "task-report": report })
  const ours = addTo(config, true)
  assert.deepEqual([ours.has("task"), ours.has("task-report"), ours.has("task-status")], [false, false, true])
  assert.deepEqual([config.command?.task, config.command?.["task-report"]], [{ template: "mine" }, report])
})
