import assert from "node:assert/strict"
import { test } from "node:test"
import { RpcError } from "../src/errors"
import { Gone, LINE_LIMIT, Peer } from "../src/sidecar/peer"

function peer(serve: (method: string, params: unknown) => Promise<unknown> = async () => ({})) {
  const written: any[] = []
  const it = new Peer({ serve, write: (line) => written.push(JSON.parse(line)) })
  const say = (message: unknown) => it.feed(Buffer.from(`${JSON.stringify(message)}\n`))
  return { it, written, say }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

test("a call is answered, whatever the chunks are", async () => {
  const { it, written } = peer()
  const call = it.call("mission/status", { directory: "/ä" })
  assert.deepEqual(written[0], { jsonrpc: "2.0", id: 1, method: "mission/status", params: { directory: "/ä" } })
  const line = Buffer.from(`\n{"jsonrpc":"2.0","id":1,"result":{"report":"größer ✓"}}\n`)
  for (const byte of line) it.feed(Buffer.from([byte]))
  assert.deepEqual(await call, { report: "größer ✓" })
  assert.equal(it.inFlight, 0)
})

test("two messages in one chunk are two messages", async () => {
  const { it } = peer()
  const calls = [it.call("shutdown", {}), it.call("shutdown", {})]
  it.feed(Buffer.from('{"jsonrpc":"2.0","id":2,"result":{"n":2}}\n{"jsonrpc":"2.0","id":1,"result":{"n":1}}\n'))
  assert.deepEqual(await Promise.all(calls), [{ n: 1 }, { n: 2 }])
})

test("an error keeps code, message and data", async () => {
  const { it, say } = peer()
  const call = it.call("shutdown", {})
  say({ jsonrpc: "2.0", id: 1, error: { code: -32014, message: "disk full", data: { free: 0 } } })
  await assert.rejects(call, (error: RpcError) => error.code === -32014 && error.message === "disk full" && (error.data as any).free === 0)
})

const BAD: [string, string, number][] = [
  ["garbage", "{oops", -32700],
  ["a batch", '[{"jsonrpc":"2.0","id":1,"method":"x"}]', -32600],
  ["a message without its version", '{"id":1,"method":"x"}', -32600],
  ["null", "null", -32600],
  ["an id that is none", '{"jsonrpc":"2.0","id":{},"method":"x"}', -32600],
]
for (const [name, line, code] of BAD) {
  test(`${name} is refused and the connection lives`, async () => {
    const { it, written, say } = peer()
    it.feed(Buffer.from(`${line}\n`))
    assert.deepEqual([written[0].id, written[0].error.code], [null, code])
    say({ jsonrpc: "2.0", id: 7, method: "host/toast", params: {} })
    await settled()
    assert.deepEqual(written[1], { jsonrpc: "2.0", id: 7, result: {} })
  })
}

test("a line of 9 MB is skipped without being kept, and the next one is read", async () => {
  const { it, written, say } = peer()
  const piece = Buffer.alloc(1024 * 1024, 120)
  for (let i = 0; i < 9; i++) it.feed(piece)
  assert.ok((it as any).chunks.length === 0, "nothing of it is held")
  it.feed(Buffer.from("\n"))
  assert.deepEqual([written[0].id, written[0].error.code], [null, -32600])
  say({ jsonrpc: "2.0", id: 8, method: "host/toast", params: {} })
  await settled()
  assert.equal(written[1].id, 8)
})

test("what is too long is not sent", async () => {
  const { it, written, say } = peer(async () => "ü".repeat(LINE_LIMIT / 2))
  await assert.rejects(it.call("mission/create", { directory: "d", parentSession: "s", key: "k", text: "x".repeat(LINE_LIMIT) }), /8 MB/)
  say({ jsonrpc: "2.0", id: 3, method: "host/session.messages", params: {} })
  await settled()
  assert.deepEqual([written.length, written[0].id, written[0].error.code], [1, 3, -32603])
})

test("a handler that fails answers with its code, or -32603", async () => {
  const errors: Record<string, Error> = { a: new RpcError(-32020, "host", { name: "X", message: "y" }), b: new Error("boom") }
  const { written, say } = peer(async (method) => Promise.reject(errors[method]))
  say({ jsonrpc: "2.0", id: "one", method: "a" })
  say({ jsonrpc: "2.0", id: 2, method: "b" })
  await settled()
  assert.deepEqual(written[0], { jsonrpc: "2.0", id: "one", error: { code: -32020, message: "host", data: { name: "X", message: "y" } } })
  assert.deepEqual([written[1].error.code, written[1].error.message], [-32603, "b failed: boom"])
})

test("an abort is told by $/cancel, before and after the call, and the answer still counts", async () => {
  const { it, written, say } = peer()
  const late = new AbortController()
  const call = it.call("shutdown", {}, late.signal)
  late.abort()
  assert.deepEqual(written[1], { jsonrpc: "2.0", method: "$/cancel", params: { id: 1 } })
  say({ jsonrpc: "2.0", id: 1, result: { done: true } })
  assert.deepEqual(await call, { done: true })
  void it.call("shutdown", {}, AbortSignal.abort()).catch(() => {})
  assert.deepEqual(written[3], { jsonrpc: "2.0", method: "$/cancel", params: { id: 2 } })
})

test("closing ends every call with Gone, and later ones at once", async () => {
  const { it, written, say } = peer()
  const call = it.call("shutdown", {})
  it.close()
  await assert.rejects(call, Gone)
  await assert.rejects(it.call("shutdown", {}), Gone)
  say({ jsonrpc: "2.0", id: 99, result: {} })
  it.notify("$/cancel", { id: 1 })
  assert.equal(written.length, 1)
})
