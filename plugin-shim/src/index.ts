// The plugin as both host lines load it: V1 calls `server` once per directory, V2 calls `setup`.
import { hooksV1, type V1Input } from "./plugin-v1"
import { Pool } from "./sidecar/pool"
import type { Workspace } from "./workspace"

const pool = new Pool<Workspace>()

export default {
  id: "opencode-gantry",
  server: async (input: V1Input, options?: unknown) => hooksV1(input, options, pool),
}
