// A host of one mission: the planner hands in two tasks, and the first worker's session asks before each of its writes.
// Prints milliseconds of the plugin's hook: of a declared file, and of files that are taken on the way.
const [file, directory, declared, taken] = process.argv.slice(2)
const { default: plugin } = await import(file)

const plan = {
  summary: "Two files.",
  tasks: [1, 2].map((n) => ({ id: `T${n}`, title: `Write file ${n}`, description: "Write it.", files: [`made/${n}.txt`] })),
}
const agents = new Map()
let name = 0
let work
const worker = new Promise((resolve) => (work = resolve))
const answer = (data) => Promise.resolve({ data })
const context = (sessionID, agent) => ({ sessionID, agent, messageID: `msg_${++name}`, callID: `call_${name}`, abort: new AbortController().signal })
const tell = (type, properties) => hooks.event({ event: { type, properties } })
const end = (sessionID) => {
  const info = { id: `msg_${++name}`, sessionID, role: "assistant", time: { created: 1, completed: 2 }, finish: "stop", cost: 0, tokens: { input: 1, output: 1 } }
  tell("message.updated", { sessionID, info })
  tell("session.status", { sessionID, status: { type: "idle" } })
}
const session = {
  create: ({ body }) => {
    const id = `ses_${++name}`
    agents.set(id, body.agent)
    return answer({ id })
  },
  promptAsync: ({ path, body }) => {
    const agent = body.agent ?? agents.get(path.id)
    if (agent === "worker") work(path.id)
    if (agent === "planner") setTimeout(() => hooks.tool.submit_plan.execute(plan, context(path.id, agent)).then(() => end(path.id)))
    return answer({})
  },
}
for (const call of ["get", "prompt", "abort", "delete"]) session[call] = () => answer({})
for (const call of ["children", "messages"]) session[call] = () => answer([])
session.status = () => answer(Object.fromEntries([...agents.keys()].map((id) => [id, { type: "busy" }])))
const nothing = () => answer({})
const client = { session, tui: { showToast: nothing }, _client: { get: nothing, post: nothing, patch: nothing, delete: nothing } }

const hooks = await plugin.server({ client, directory, worktree: directory })
await hooks["command.execute.before"]({ command: "task", sessionID: "ses_user", arguments: "Write two files" }, { parts: [] })
hooks.tool.mission.execute({ brief: "Write two files." }, context("ses_user", "commander")).catch((error) => {
  console.error(`the mission ended: ${error}`)
  process.exit(1)
})
const id = await worker
const asked = async (filePath) => {
  const call = { tool: "write", sessionID: id, callID: `call_${++name}` }
  const from = performance.now()
  await hooks["tool.execute.before"](call, { args: { filePath, content: "x" } })
  return performance.now() - from
}
// The first calls are those of a runtime that has not seen the code.
for (let n = 0; n < 50; n++) await asked(`${directory}/made/1.txt`)
const times = [[], []]
for (let n = 0; n < Number(declared); n++) times[0].push(await asked(`${directory}/made/1.txt`))
for (let n = 0; n < Number(taken); n++) times[1].push(await asked(`${directory}/more/${n}.txt`))
const foreign = await asked(`${directory}/made/2.txt`).then(() => "", String)
if (!foreign.includes("is being changed by task T2")) throw new Error(`a write into another task's file: ${foreign || "let through"}`)
console.log(JSON.stringify(times))
process.exit(0)
