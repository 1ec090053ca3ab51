// Newline-delimited JSON-RPC 2.0 in both directions over one pipe. A bad line is answered and never ends the connection.
import { ERROR, type Notifications, type SidecarMethods } from "../generated/types"
import { RpcError, messageOf } from "../errors"
import { log } from "../log"

export const LINE_LIMIT = 8 * 1024 * 1024
const NEWLINE = 10

/** The connection ended before the answer came; the call may or may not have been carried out. */
export class Gone extends Error {
  constructor() {
    super("the sidecar ended before it answered")
  }
}

export interface PeerEnd {
  write(line: string): void
  serve(method: string, params: unknown): Promise<unknown>
}

type Pending = { resolve(value: unknown): void; reject(error: Error): void }
type Incoming = {
  jsonrpc?: unknown
  id?: unknown
  method?: unknown
  params?: unknown
  result?: unknown
  error?: { code?: unknown; message?: unknown; data?: unknown } | null
}

export class Peer {
  private readonly pending = new Map<number, Pending>()
  private nextId = 1
  private chunks: Buffer[] = []
  private buffered = 0
  private closed = false

  constructor(private readonly end: PeerEnd) {}

  get inFlight(): number {
    return this.pending.size
  }

  /**
   * When `signal` fires, the other end is told by `$/cancel`; the call still ends with the answer, because only the
   * other end knows what was cancelled.
   */
  call<M extends keyof SidecarMethods>(
    method: M,
    params: SidecarMethods[M]["params"],
    signal?: AbortSignal,
  ): Promise<SidecarMethods[M]["result"]> {
    if (this.closed) return Promise.reject(new Gone())
    const id = this.nextId++
    const line = JSON.stringify({ jsonrpc: "2.0", id, method, params })
    if (overLimit(line)) {
      return Promise.reject(new RpcError(ERROR.INVALID_REQUEST, `the arguments of ${method} are over 8 MB; send less at once`))
    }
    return new Promise((resolve, reject) => {
      const cancel = () => this.notify("$/cancel", { id })
      const settle = () => signal?.removeEventListener("abort", cancel)
      this.pending.set(id, {
        resolve: (value) => (settle(), resolve(value as SidecarMethods[M]["result"])),
        reject: (error) => (settle(), reject(error)),
      })
      this.send(line)
      if (signal?.aborted) cancel()
      else signal?.addEventListener("abort", cancel, { once: true })
    })
  }

  notify<N extends keyof Notifications>(method: N, params: Notifications[N]): void {
    if (this.closed) return
    const line = JSON.stringify({ jsonrpc: "2.0", method, params })
    if (overLimit(line)) return log(`dropped a notification ${method} of over 8 MB`)
    this.send(line)
  }

  /** Bytes from the other end, cut anywhere. */
  feed(chunk: Buffer): void {
    let rest = chunk
    for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
      this.keep(rest.subarray(0, at))
      this.endLine()
      rest = rest.subarray(at + 1)
    }
    this.keep(rest)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    for (const call of this.pending.values()) call.reject(new Gone())
    this.pending.clear()
    this.chunks = []
  }

  private keep(part: Buffer): void {
    if (part.length === 0) return
    this.buffered += part.length
    if (this.buffered > LINE_LIMIT) this.chunks = []
    else this.chunks.push(part)
  }

  private endLine(): void {
    const tooLong = this.buffered > LINE_LIMIT
    const line = Buffer.concat(this.chunks).toString("utf8")
    this.chunks = []
    this.buffered = 0
    if (tooLong) return this.refuse(null, ERROR.INVALID_REQUEST, "the line is over 8 MB")
    if (line.trim() !== "") this.take(line)
  }

  private take(line: string): void {
    let message: Incoming
    try {
      message = JSON.parse(line) as Incoming
    } catch {
      return this.refuse(null, ERROR.PARSE_ERROR, "the line is not JSON")
    }
    if (message === null || typeof message !== "object" || Array.isArray(message) || message.jsonrpc !== "2.0") {
      return this.refuse(null, ERROR.INVALID_REQUEST, "not a JSON-RPC 2.0 message; batches are not supported")
    }
    if (typeof message.method === "string") return this.takeRequest(message.id, message.method, message.params)
    this.takeAnswer(message)
  }

  private takeRequest(id: unknown, method: string, params: unknown): void {
    // No notification of the sidecar means anything to the shim yet; a newer sidecar may send some.
    if (id === undefined || id === null) return
    if (typeof id !== "number" && typeof id !== "string") {
      return this.refuse(null, ERROR.INVALID_REQUEST, "the id must be a number or a string")
    }
    this.end.serve(method, params).then(
      (result) => this.answer(id, result),
      (error: unknown) => {
        if (error instanceof RpcError) return this.refuse(id, error.code, error.message, error.data)
        log(`${method} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
        this.refuse(id, ERROR.INTERNAL_ERROR, `${method} failed: ${messageOf(error)}`)
      },
    )
  }

  private takeAnswer(message: Incoming): void {
    const call = typeof message.id === "number" ? this.pending.get(message.id) : undefined
    if (!call) return log(`an answer to no call of ours: ${JSON.stringify(message).slice(0, 300)}`)
    this.pending.delete(message.id as number)
    if (message.error) {
      const { code, message: text, data } = message.error
      call.reject(new RpcError(typeof code === "number" ? code : ERROR.INTERNAL_ERROR, String(text ?? "no message"), data))
    } else call.resolve(message.result)
  }

  private answer(id: number | string, result: unknown): void {
    const line = JSON.stringify({ jsonrpc: "2.0", id, result: result ?? {} })
    if (overLimit(line)) return this.refuse(id, ERROR.INTERNAL_ERROR, "the answer is over 8 MB; ask for less")
    this.send(line)
  }

  private refuse(id: number | string | null, code: number, message: string, data?: unknown): void {
    this.send(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, data } }))
  }

  private send(line: string): void {
    if (!this.closed) this.end.write(`${line}\n`)
  }
}

/** The limit counts bytes, of which a UTF-16 unit makes three at most; most lines need no second look. */
function overLimit(line: string): boolean {
  return line.length * 3 > LINE_LIMIT && Buffer.byteLength(line) > LINE_LIMIT
}
