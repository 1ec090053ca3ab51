// The only state that all directories of a host share: the sidecar processes, and which directory owns which host session.
// Ownership is shared because a mission's session may run in another directory (a worktree), whose hooks then see it.
import { Sentence } from "../errors"
import { Sidecar, TIMING, type Timing } from "./sidecar"

const MOST_PROCESSES = 4

export class Pool<Owner> {
  /** Host session of a mission → the directory it belongs to. */
  readonly children = new Map<string, Owner>()
  /** Conversation with an open mission → its directory. */
  readonly parents = new Map<string, Owner>()
  private readonly sidecars = new Map<string, Sidecar>()

  constructor(private readonly timing: Timing = TIMING) {}

  sidecar(bin: string): Sidecar {
    const known = this.sidecars.get(bin)
    if (known) return known
    if (this.sidecars.size >= MOST_PROCESSES) this.makeRoom()
    const sidecar = new Sidecar(bin, this.timing)
    this.sidecars.set(bin, sidecar)
    return sidecar
  }

  peek(bin: string): Sidecar | undefined {
    return this.sidecars.get(bin)
  }

  /** Ids of the running processes. */
  pids(): number[] {
    return [...this.sidecars.values()].flatMap((sidecar) => sidecar.pid ?? [])
  }

  forget(owner: Owner): void {
    for (const map of [this.children, this.parents]) {
      for (const [session, of] of map) if (of === owner) map.delete(session)
    }
  }

  private makeRoom(): void {
    for (const [bin, sidecar] of this.sidecars) {
      if (!sidecar.idle) continue
      this.sidecars.delete(bin)
      void sidecar.stop()
      return
    }
    throw new Sentence("Four sidecars of Gantry are at work in this OpenCode; give its directories the same sidecar, or wait for a mission to end.")
  }
}
