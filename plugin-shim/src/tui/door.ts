// The way from the terminal interface to the sidecar: sockets that only this user can open. Each process of Gantry has one; which of
// them knows the mission shows when it is asked.
import { type Socket, createConnection } from "node:net"
import { ERROR, PROTOCOL_VERSION, type SidecarMethods } from "../generated/types"
import { version as VERSION } from "../../package.json"
import { RpcError } from "../errors"
import { log } from "../log"
import { socketFolder, socketsIn } from "../paths"
import { Peer } from "../sidecar/peer"

export type Look = "mission/status" | "mission/view" | "mission/list" | "notice/list"
export type Order = "mission/control" | "mission/rollback" | "command/run"
type Params<M extends Look | Order> = SidecarMethods[M]["params"]
type Result<M extends Look | Order> = SidecarMethods[M]["result"]
type Found<T> = { result: T } | RpcError | undefined
/** Of these sockets, asked at that time, those whose process has a directory open; more may come until all have answered. */
type Near = { of: string; at: number; paths: string[]; first: Promise<unknown>; all: Promise<unknown> }

/** A process that does not answer a question within this time is passed over. */
const PATIENCE_MS = 3_000
/** An order may take longer: files are taken back, or a mission is read from the store. */
const ORDER_MS = 30_000
/** A process that was silent is left alone for so long, unless its answer comes after all. */
const REST_MS = 30_000
/** Which processes have a directory open is asked again after this time. */
const NEAR_MS = 5_000

/** What the user is told where no process answers. The sidecar opens no socket on Windows. */
export function nobodyAtWork(platform: string = process.platform): string {
  if (platform === "win32") return "The panel and its commands are not there on Windows yet: tell the Commander in the conversation."
  return "No mission is at work here. One begins with /task followed by what is to be done."
}

export class Door {
  private readonly open = new Map<string, Promise<{ peer: Peer; socket: Socket }>>()
  /** Processes that fell silent, until when they are left alone. */
  private readonly silent = new Map<string, number>()
  /** By directory, the processes that have it open. */
  private readonly known = new Map<string, Near>()

  constructor(private readonly folder = socketFolder()) {}

  /**
   * What a process knows: one that has the directory open before the others, which read it from their store. Nothing when none
   * knows it; the last reason is thrown when all refuse.
   */
  async look<M extends Look>(method: M, params: Params<M> & { directory: string }): Promise<Result<M> | undefined> {
    const near = await this.near(params.directory)
    const found = await this.first(near, method, params)
    if (found && !(found instanceof RpcError)) return found.result
    const far = this.sockets().filter((path) => !near.includes(path))
    const elsewhere = await this.first(far, method, params)
    if (elsewhere && !(elsewhere instanceof RpcError)) return elsewhere.result
    const refusal = [elsewhere, found].find((one) => one && one.code !== ERROR.NOT_FOUND)
    if (refusal) throw refusal
    return undefined
  }

  /**
   * Carried out by a process that has the directory open: another one would take the mission over, and has no host there that
   * could work on it. Nothing when there is no such process.
   */
  async order<M extends Order>(method: M, params: Params<M> & { directory: string }): Promise<Result<M> | undefined> {
    let refusal: RpcError | undefined
    const near = this.nearBy(params.directory)
    await near.first
    // One after another: which of two has the mission shows when it is asked.
    for (let at = 0; ; at++) {
      if (at === near.paths.length) await near.all
      const path = near.paths[at]
      if (path === undefined) break
      const found = await this.askOne(path, method, params, ORDER_MS)
      if (found && !(found instanceof RpcError)) return found.result
      if (this.silent.has(path)) throw new Error("Gantry's process does not answer; /task-status will say whether it was done.")
      if (found && (refusal === undefined || refusal.code === ERROR.NOT_FOUND)) refusal = found
    }
    if (refusal) throw refusal
    return undefined
  }

  /** The processes that have the directory open, as soon as one has said so. */
  async near(directory: string): Promise<string[]> {
    const near = this.nearBy(directory)
    await near.first
    return near.paths
  }

  private nearBy(directory: string): Near {
    const sockets = this.sockets()
    const of = sockets.join()
    const known = this.known.get(directory)
    if (known && known.paths.length > 0 && known.of === of && Date.now() - known.at < NEAR_MS) return known
    const paths: string[] = []
    const asked = sockets.map(async (path) => {
      const found = await this.askOne(path, "notice/list", { directory })
      if (found && !(found instanceof RpcError)) paths.push(path)
      return found
    })
    const near = { of, at: Date.now(), paths, first: firstOf(asked), all: Promise.all(asked) }
    this.known.set(directory, near)
    return near
  }

  /** What each process has to say, by its socket, which also chooses what it is asked. At once: one that hangs takes no time from the others. */
  async askAll<M extends Look>(method: M, paramsFor: (socket: string) => Params<M>): Promise<Map<string, Result<M>>> {
    const answers = new Map<string, Result<M>>()
    const ask = async (path: string) => {
      const found = await this.askOne(path, method, paramsFor(path))
      if (found instanceof RpcError) {
        if (found.code !== ERROR.NOT_FOUND) log(`panel: ${method}: ${found.message}`)
      } else if (found) answers.set(path, found.result)
    }
    await Promise.all(this.sockets().map(ask))
    return answers
  }

  dispose(): void {
    for (const path of [...this.open.keys()]) this.close(path)
  }

  /** The first of them that knows it; else a reason of one that refuses. */
  private first<M extends Look>(paths: string[], method: M, params: Params<M>): Promise<Found<Result<M>>> {
    return firstOf(paths.map((path) => this.askOne(path, method, params)))
  }

  /** Its answer, or why it refuses; nothing from a process that does not answer. */
  private async askOne<M extends Look | Order>(path: string, method: M, params: Params<M>, patience = PATIENCE_MS): Promise<Found<Result<M>>> {
    if (Date.now() < (this.silent.get(path) ?? 0)) return undefined
    try {
      const answer = this.connect(path).then(({ peer }) => peer.call(method, params))
      // One that was only slow is heard again.
      answer.then(() => this.silent.delete(path), (error) => error instanceof RpcError && this.silent.delete(path))
      return { result: await within(answer, patience) }
    } catch (error) {
      if (error instanceof RpcError) return error
      if (error instanceof Silence) this.silent.set(path, Date.now() + REST_MS)
      else this.close(path)
      return undefined
    }
  }

  private sockets(): string[] {
    const all = socketsIn(this.folder)
    for (const path of this.silent.keys()) if (!all.includes(path)) this.silent.delete(path)
    return all
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
    await peer.call("initialize", { protocolVersion: PROTOCOL_VERSION, client, host: { line: "v1", pid: process.pid } })
    return { peer, socket }
  }

  private close(path: string): void {
    const open = this.open.get(path)
    this.known.clear()
    this.open.delete(path)
    open?.then(({ socket }) => socket.destroy(), () => undefined)
  }
}

class Silence extends Error {}

function within<T>(work: Promise<T>, patience: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence()), patience)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}

/** The first that has a result, without waiting for the others; else a refusal, if there is one. */
function firstOf<T>(all: Promise<Found<T>>[]): Promise<Found<T>> {
  return new Promise((resolve) => {
    let refusal: RpcError | undefined
    let left = all.length
    if (left === 0) resolve(undefined)
    for (const one of all) {
      void one.then((found) => {
        if (found instanceof RpcError) {
          if (refusal === undefined || refusal.code === ERROR.NOT_FOUND) refusal = found
        } else if (found) resolve(found)
        if (--left === 0) resolve(refusal)
      })
    }
  })
}
