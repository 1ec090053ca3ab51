// One run of the sidecar's process, from spawn to its end.
import { spawn, type ChildProcessByStdio } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { ERROR, PROTOCOL_VERSION, type HostInfo } from "../generated/types"
import { version as VERSION } from "../../package.json"
import { RpcError, Sentence, messageOf } from "../errors"
import { log } from "../log"
import { spawnFault } from "./locate"
import { Peer, type PeerEnd } from "./peer"

/** Bytes a process may leave unread before it counts as hung. */
const UNREAD_LIMIT = 64 * 1024 * 1024

export interface LifeTiming {
  /** Longest wait for the answer to `initialize`. */
  initializeMs: number
  /** From closing stdin to the kill. */
  killMs: number
}

/** The process ended, or fell silent, before it answered `initialize`; trying again may help. */
export class DiedAtStart extends Error {}

export class Life {
  readonly peer: Peer
  readonly ended: Promise<void>
  /** Set once `initialize` was answered. */
  readyAt: number | undefined
  stopping = false
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  private fault: Sentence | undefined
  private isOver = false

  constructor(
    private readonly bin: string,
    private readonly timing: LifeTiming,
    serve: PeerEnd["serve"],
  ) {
    try {
      this.child = spawn(bin, ["sidecar"], { stdio: ["pipe", "pipe", "pipe"], windowsHide: true })
    } catch (error) {
      throw spawnFault(bin, (error as NodeJS.ErrnoException).code, messageOf(error))
    }
    this.peer = new Peer({ serve, write: (line) => this.write(line) })
    this.ended = new Promise((resolve) => {
      const end = (why: string) => {
        if (this.isOver) return
        this.isOver = true
        log(`sidecar ${this.child.pid ?? "(never ran)"} ended: ${why}`)
        // In this order: whoever kept this process must know of its end before its callers do.
        resolve()
        this.peer.close()
      }
      this.child.on("error", (error: NodeJS.ErrnoException) => {
        if (this.child.pid === undefined) this.fault = spawnFault(bin, error.code, error.message)
        end(error.message)
      })
      this.child.on("exit", (code, signal) => end(signal ?? `exit code ${code}`))
    })
    // A write to a process that has just ended fails here; "exit" tells the rest.
    this.child.stdin.on("error", () => {})
    this.child.stdout.on("data", (chunk: Buffer) => this.peer.feed(chunk))
    this.child.stderr.on("data", (chunk: Buffer) => log(`sidecar ${this.child.pid}: ${chunk.toString("utf8")}`))
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  get alive(): boolean {
    return !this.isOver && !this.stopping
  }

  async initialize(host: HostInfo): Promise<void> {
    const answer = this.peer.call("initialize", {
      protocolVersion: PROTOCOL_VERSION,
      client: { name: "opencode-gantry", version: VERSION },
      host,
    })
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new DiedAtStart("no answer")), this.timing.initializeMs)
    })
    try {
      const result = await Promise.race([answer, silence])
      if (result?.protocolVersion !== PROTOCOL_VERSION) throw this.otherVersion()
      this.readyAt = Date.now()
    } catch (error) {
      answer.catch(() => {})
      this.child.kill("SIGKILL")
      // Also brings the error of a spawn that failed, which is told by an event of its own after the pipe broke.
      await this.ended
      if (this.fault) throw this.fault
      if (error instanceof Sentence) throw error
      if (error instanceof RpcError && error.code === ERROR.VERSION_MISMATCH) throw this.otherVersion()
      if (error instanceof RpcError) throw new Sentence(`Gantry's sidecar ${this.bin} refused to start: ${error.message}`)
      throw new DiedAtStart(messageOf(error))
    } finally {
      clearTimeout(timer)
    }
  }

  /** Asks it to end, closes its stdin, and kills it when that is not enough. */
  async stop(): Promise<void> {
    if (!this.stopping) {
      this.stopping = true
      if (this.readyAt !== undefined) this.peer.call("shutdown", {}).catch(() => {})
      this.child.stdin.end()
      const timer = setTimeout(() => this.child.kill("SIGKILL"), this.timing.killMs)
      void this.ended.then(() => clearTimeout(timer))
    }
    await this.ended
  }

  private write(line: string): void {
    if (this.child.stdin.writableLength > UNREAD_LIMIT) {
      log(`sidecar ${this.child.pid} reads nothing any more; it is ended`)
      this.child.kill("SIGKILL")
    } else this.child.stdin.write(line)
  }

  private otherVersion(): Sentence {
    return new Sentence(
      `Gantry's sidecar ${this.bin} does not belong to this plugin (opencode-gantry ${VERSION}); install the same version of both.`,
    )
  }
}
