// The way from the terminal interface to the sidecar: the sockets in the data folder, which only this user can open. Each process
// of Gantry has one; which of them knows the mission shows when it is asked.
import { readdirSync } from "node:fs"
import { type Socket, createConnection } from "node:net"
import { join } from "node:path"
import { ERROR, PROTOCOL_VERSION, type SidecarMethods } from "../generated/types"
import { version as VERSION } from "../../package.json"
import { RpcError } from "../errors"
import { log } from "../log"
import { dataHome } from "../paths"
import { Gone, Peer } from "../sidecar/peer"

type Asked = "mission/status" | "mission/view" | "mission/list" | "notice/list" | "mission/control" | "mission/rollback"

/** A process that does not answer within this time is passed over. */
const PATIENCE_MS = 3_000

/** What the user is told where no process answers. The sidecar opens no socket on Windows. */
export function nobodyAtWork(platform: string = process.platform): string {
  if (platform === "win32") return "The panel and its commands are not there on Windows yet: tell the Commander in the conversation."
  return "No mission is at work here. One begins with /task followed by what is to be done."
}

export class Door {
  private readonly open = new Map<string, Promise<{ peer: Peer; socket: Socket }>>()

  constructor(private readonly folder = join(dataHome(), "run")) {}

  /** The first answer of a process that knows the mission. Nothing when there is none; the last reason is thrown when all refuse. */
  async ask<M extends Asked>(method: M, params: SidecarMethods[M]["params"]): Promise<SidecarMethods[M]["result"] | undefined> {
    let refusal: RpcError | undefined
    for (const path of this.sockets()) {
      const found = await this.askOne(path, method, params)
      if (found instanceof RpcError) refusal = found
      else if (found) return found.result
    }
    if (refusal) throw refusal
    return undefined
  }

  /** What each process has to say, by its socket, which also chooses what it is asked. At once: one that hangs takes no time from the others. */
  async askAll<M extends Asked>(method: M, paramsFor: (socket: string) => SidecarMethods[M]["params"]): Promise<Map<string, SidecarMethods[M]["result"]>> {
    const answers = new Map<string, SidecarMethods[M]["result"]>()
    const ask = async (path: string) => {
      const found = await this.askOne(path, method, paramsFor(path))
      if (found instanceof RpcError) log(`panel: ${method}: ${found.message}`)
      else if (found) answers.set(path, found.result)
    }
    await Promise.all(this.sockets().map(ask))
    return answers
  }

  dispose(): void {
    for (const path of [...this.open.keys()]) this.close(path)
  }

  /** Its answer, or why it refuses; nothing from a process that does not know what is meant, or does not answer. */
  private async askOne<M extends Asked>(path: string, method: M, params: SidecarMethods[M]["params"]): Promise<{ result: SidecarMethods[M]["result"] } | RpcError | undefined> {
    try {
      const { peer } = await this.connect(path)
      return { result: await within(peer.call(method, params)) }
    } catch (error) {
      if (!(error instanceof RpcError)) this.close(path)
      else if (error.code !== ERROR.NOT_FOUND) return error
      return undefined
    }
  }

  private sockets(): string[] {
    try {
      return readdirSync(this.folder).filter((name) => name.endsWith(".sock")).sort().map((name) => join(this.folder, name))
    } catch {
      // No sidecar has run yet.
      return []
    }
  }

  private connect(path: string): Promise<{ peer: Peer; socket: Socket }> {
    const known = this.open.get(path)
    if (known) return known
    const made = this.greet(path)
    this.open.set(path, made)
    return made
  }

  private async greet(path: string): Promise<{ peer: Peer; socket: Socket }> {
    const socket = createConnection(path)
    const peer = new Peer({
      write: (line) => void socket.write(line),
      serve: (method) => Promise.reject(new RpcError(ERROR.METHOD_NOT_FOUND, `the panel has no method ${method}`)),
    })
    socket.on("data", (chunk: Buffer) => peer.feed(chunk))
    const end = () => (peer.close(), this.open.delete(path))
    socket.on("error", end)
    socket.on("close", end)
    socket.unref()
    const client = { name: "gantry-panel", version: VERSION }
    await within(peer.call("initialize", { protocolVersion: PROTOCOL_VERSION, client, host: { line: "v1", pid: process.pid } }))
    return { peer, socket }
  }

  private close(path: string): void {
    const open = this.open.get(path)
    this.open.delete(path)
    open?.then(({ socket }) => socket.destroy(), () => undefined)
  }
}

function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Gone()), PATIENCE_MS)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
