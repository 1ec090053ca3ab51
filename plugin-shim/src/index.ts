// The plugin as both host lines load it: V1 calls `server` once per directory, V2 calls `setup`.
import type { V2Context } from "./host/v2"
import { hooksV1, type V1Input } from "./plugin-v1"
import { setupV2 } from "./plugin-v2"
import { Pool } from "./sidecar/pool"
import type { Workspace } from "./workspace"

const pool = new Pool<Workspace>()

export default {
  id: "opencode-gantry",
  server: async (input: V1Input, options?: unknown) => hooksV1(input, options, pool),
  setup: async (ctx?: Partial<V2Context>) => {
    // 1.18 calls this as well, with a context that lacks what a mission needs.
    if (!ctx?.session?.create || !ctx?.tool?.transform || !ctx?.event?.subscribe) return
    return setupV2(ctx as V2Context, pool)
  },
}
