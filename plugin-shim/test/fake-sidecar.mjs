// A sidecar by script: speaks the wire strictly, keeps a record of what it was sent in its folder, and misbehaves on
// request. Usage: node fake-sidecar.mjs FOLDER sidecar. In FOLDER: `die` holds how many starts end at once, `mute` makes
// it answer nothing, `deaf` makes it outlive its stdin, `chatter` makes it ask on, `version` is the protocol version it answers with, `refuse` is the error for mission/create.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

const folder = process.argv[2]
const file = (name) => join(folder, name)
const read = (name, otherwise) => (existsSync(file(name)) ? readFileSync(file(name), "utf8").trim() : otherwise)
const record = (entry) => appendFileSync(file("record.jsonl"), `${JSON.stringify({ pid: process.pid, ...entry })}\n`)

const FIELDS = {
  "initialize": ["protocolVersion", "client", "host"],
  "workspace/open": ["directory", "worktree", "options", "reattach"],
  "workspace/close": ["directory"],
  "mission/create": ["directory", "parentSession", "text", "key"],
  "mission/status": ["directory", "mission?"],
  "command/run": ["directory", "session", "command", "text"],
  "tool/call": ["directory", "session", "message?", "call", "agent", "tool", "args"],
  "lease/check": ["directory", "session", "call", "tool", "paths", "command?", "subject?"],
  "event/batch": ["directory", "events"],
  "$/cancel": ["id"],
  "shutdown": [],
}

const missions = JSON.parse(read("missions.json", "[]"))
const saveMissions = () => writeFileSync(file("missions.json"), JSON.stringify(missions))
const sessions = JSON.parse(read("sessions.json", "[]"))
const pending = new Map()
const cancels = new Map()
const watchers = new Set()
let nextId = 1

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
const ask = (method, params) =>
  new Promise((resolve, reject) => {
    const id = nextId++
    pending.set(id, { resolve, reject })
    say({ id, method, params })
  })
const fail = (code, message) => Object.assign(new Error(message), { code })
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function check(method, params) {
  const fields = FIELDS[method]
  if (!fields) throw fail(-32601, `no method ${method}`)
  const names = fields.map((field) => field.replace("?", ""))
  for (const name of Object.keys(params)) if (!names.includes(name)) throw fail(-32602, `unknown field ${name} in ${method}`)
  for (const field of fields) if (!field.endsWith("?") && !(field in params)) throw fail(-32602, `missing field ${field} in ${method}`)
}

function summary(params) {
  return {
    id: `m${missions.length + 1}`, title: params.text.slice(0, 40), state: "queued", parentSession: params.parentSession,
    directory: params.directory, done: 0, running: 0, waiting: 0, failed: 0, total: 0, createdAt: Date.now(),
  }
}

function endMission(session) {
  for (const mission of missions) {
    if (mission.parentSession === session) Object.assign(mission, { state: "completed", endedAt: Date.now() })
  }
  saveMissions()
}

/** One worker's turn in the real host: create, prompt, show progress, wait for the end of the turn, report. */
async function runInHost(params) {
  const { directory, session, call } = params
  const child = await ask("host/session.create", { directory, parent: session, title: "T1: first task", agent: "worker", key: `${call}/T1`, adopt: true })
  const same = await ask("host/session.create", { directory, parent: session, title: "T1: first task", agent: "worker", key: `${call}/T1`, adopt: true })
  record({ child: child.session, adopted: child.session === same.session })
  sessions.push(child.session)
  writeFileSync(file("sessions.json"), JSON.stringify(sessions))
  await ask("host/toast", { directory, title: "Gantry", message: "Mission started", variant: "info", duration: 3000 })
  const idle = new Promise((resolve) => {
    const watch = (event) => {
      if (event.session === child.session && event.type === "status" && event.state === "idle") resolve(watchers.delete(watch))
    }
    watchers.add(watch)
  })
  await ask("host/session.prompt", { directory, session: child.session, agent: "worker", text: "Task T1: first task", noReply: false })
  for (let i = 1; i <= 4; i++) {
    await ask("host/progress", { directory, session, call, title: `executing ${i}/4`, metadata: { done: i } })
    await sleep(Number(read("pace", "100")))
  }
  await idle
  const { messages } = await ask("host/session.messages", { directory, session: child.session, limit: 5 })
  const status = await ask("host/session.status", { directory, sessions: [session, child.session] })
  record({ messages, status })
  const refused = await ask("host/session.prompt", { directory, session, agent: "commander", text: "not now", noReply: true }).catch((error) => error)
  record({ refused })
  return { title: "Mission completed", output: `REPORT: ${messages.at(-1)?.text}`, metadata: { mission: "m1" } }
}

async function toolCall(params, id) {
  const brief = params.args?.brief ?? ""
  if (params.tool !== "mission") return { title: params.tool, output: `${params.tool} taken`, metadata: {} }
  if (brief.includes("die") && !existsSync(file("died"))) {
    writeFileSync(file("died"), "")
    process.kill(process.pid, "SIGKILL")
    await sleep(10_000)
  }
  if (brief.includes("hang")) {
    const cancelled = new Promise((resolve) => cancels.set(id, resolve))
    const child = brief.includes("host") ? runInHost(params) : undefined
    await cancelled
    child?.catch(() => {})
    if (child) await ask("host/session.abort", { directory: params.directory, session: sessions.at(-1) })
    endMission(params.session)
    throw fail(-32011, "the mission was cancelled")
  }
  const result = brief.includes("host") ? await runInHost(params) : { title: "Mission completed", output: `report of ${params.call}`, metadata: {} }
  endMission(params.session)
  return result
}

async function handle(method, params, id) {
  check(method, params)
  switch (method) {
    case "initialize":
      if (params.protocolVersion !== 1) throw fail(-32602, "protocolVersion")
      if (read("version") === "refuse") throw fail(-32010, "this sidecar speaks protocol 2")
      return { protocolVersion: Number(read("version", "1")), server: { name: "fake", version: "0" }, pid: process.pid, home: folder, store: file("store") }
    case "workspace/open":
      // Asks on, as one does that has a report to hand over.
      setInterval(() => existsSync(file("chatter")) && ask("host/session.status", { directory: params.directory, sessions: ["ses_p"] }).catch(() => {}), 30).unref()
      return { missions: missions.filter((mission) => mission.directory === params.directory && !mission.endedAt), sessions }
    case "mission/create": {
      const refusal = read("refuse")
      if (refusal) throw fail(Number(refusal.split(" ")[0]), refusal.slice(refusal.indexOf(" ") + 1))
      missions.push(summary(params))
      saveMissions()
      return { mission: missions.at(-1), queuedBehind: [] }
    }
    case "mission/status":
      return { mission: missions.find((mission) => mission.id === params.mission), tasks: [] }
    case "command/run":
      return { text: `${params.command}: ${params.text}` }
    case "tool/call":
      return toolCall(params, id)
    case "lease/check":
      if (params.paths.some((path) => path.includes("locked"))) return { allow: false, reason: "locked.txt is held by task T2; work on another file." }
      return { allow: true }
    default:
      return {}
  }
}

record({ start: true })
const deaths = Number(read("die", "0"))
if (deaths > 0) {
  writeFileSync(file("die"), String(deaths - 1))
  console.error("dying as asked")
  process.exit(3)
}

createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", async (line) => {
  const message = JSON.parse(line)
  record({ got: message.method ? message : { answer: message } })
  if (existsSync(file("mute"))) return
  if (message.method === undefined) {
    const call = pending.get(message.id)
    pending.delete(message.id)
    if (message.error) call?.reject(message.error)
    else call?.resolve(message.result)
    return
  }
  if (message.method === "$/cancel") cancels.get(message.params.id)?.()
  if (message.method === "event/batch") for (const event of message.params.events) for (const watch of [...watchers]) watch(event)
  try {
    const result = await handle(message.method, message.params, message.id)
    if (message.id !== undefined) say({ id: message.id, result })
  } catch (error) {
    record({ failed: message.method, error: error.message })
    if (message.id !== undefined) say({ id: message.id, error: { code: error.code ?? -32603, message: error.message, data: error.data } })
  }
}).on("close", () => {
  record({ end: true })
  if (!existsSync(file("deaf"))) process.exit(0)
  setInterval(() => {}, 1000)
})
