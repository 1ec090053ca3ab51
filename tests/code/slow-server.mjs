// A language server that takes its time, as a real one does on a busy machine. It says what it finds of open Go files once
// it has been told nothing new for `delay` ms; with `repeats` for each version, else only when it has changed.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

// With `asks` it asks something itself while it does not read, and says nothing until it has the reply.
const { delay, repeats, asks } = JSON.parse(readFileSync("server.json", "utf8"))
const open = new Map()
const said = new Map()
let timer
let input = Buffer.alloc(0)
let waits = asks

const disk = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
const send = (message) => {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message })
  process.stdout.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

function errors(path, text) {
  const at = (line, message, source) => ({
    range: { start: { line, character: 0 }, end: { line, character: 1 } },
    severity: 1,
    message,
    source,
  })
  const lines = text.split("\n")
  const bad = lines.findIndex((line) => line.startsWith("gantry") || line.startsWith(")"))
  if (bad >= 0) return [at(bad, `expected declaration, found ${lines[bad]}`, "syntax")]
  const lib = path.replace(/app\.go$/, "lib.go")
  const known = [...open].find(([uri]) => fileURLToPath(uri) === lib)?.[1].text ?? disk(lib)
  const use = lines.findIndex((line) => line.includes("lib.F("))
  return use >= 0 && !known?.includes("func F(") ? [at(use, "undefined: lib.F", "compiler")] : []
}

// The disk and the open texts as they are now; said later.
function look() {
  clearTimeout(timer)
  const found = [...open].map(([uri, { version, text }]) => [uri, version, errors(fileURLToPath(uri), text)])
  timer = setTimeout(() => {
    if (waits) return
    for (const [uri, version, diagnostics] of found) {
      const now = JSON.stringify(repeats ? [version, diagnostics] : diagnostics)
      if (said.get(uri) === now) continue
      said.set(uri, now)
      send({ method: "textDocument/publishDiagnostics", params: { uri, version, diagnostics } })
    }
  }, delay)
}

function take({ id, method, params }) {
  if (!method && id === 2) {
    waits = false
    return look()
  }
  switch (method) {
    case "initialize":
      return send({ id, result: { capabilities: { textDocumentSync: 1 } } })
    case "initialized":
      return send({ id: 1, method: "client/registerCapability", params: { registrations: [{ id: "w", method: "workspace/didChangeWatchedFiles" }] } })
    case "textDocument/didOpen":
      if (waits && open.size === 0) {
        process.stdin.pause()
        setTimeout(() => send({ id: 2, method: "workspace/configuration", params: { items: [{}] } }), 400)
        setTimeout(() => process.stdin.resume(), 800)
      }
      open.set(params.textDocument.uri, params.textDocument)
      return look()
    case "textDocument/didChange":
      open.set(params.textDocument.uri, { version: params.textDocument.version, text: params.contentChanges[0].text })
      return look()
    case "textDocument/didClose":
      open.delete(params.textDocument.uri)
      return look()
    case "workspace/didChangeWatchedFiles":
      return look()
    case "shutdown":
      return send({ id, result: null })
    case "exit":
      return process.exit(0)
  }
}

process.stdin.on("data", (bytes) => {
  input = Buffer.concat([input, bytes])
  for (;;) {
    const head = input.indexOf("\r\n\r\n")
    if (head < 0) return
    const length = Number(/Content-Length: (\d+)/i.exec(input.subarray(0, head).toString())[1])
    if (input.length < head + 4 + length) return
    const message = JSON.parse(input.subarray(head + 4, head + 4 + length).toString())
    input = input.subarray(head + 4 + length)
    take(message)
  }
})
process.stdin.on("end", () => process.exit(0))
