// Whether the half of the plugin in the host's terminal interface serves the commands that need no model.
import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

type Env = Record<string, string | undefined>

const PACKAGE = "opencode-gantry"
const FILES = ["tui.json", "tui.jsonc"]

/** True in the process of the terminal interface, where its configuration names Gantry. There the commands would stand twice. */
export function servedByTerminal(directory: string, program: string | undefined = process.argv[1], env: Env = process.env): boolean {
  // The host loads the server half into a worker of the terminal interface.
  if (!program?.includes("/tui/")) return false
  const beside = join(dirname(fileURLToPath(import.meta.url)), "tui.js")
  const global = join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config"), "opencode")
  return [global, directory, join(directory, ".opencode")].some((folder) => FILES.some((name) => names(join(folder, name), beside)))
}

function names(file: string, beside: string): boolean {
  try {
    const text = readFileSync(file, "utf8")
    return text.includes(PACKAGE) || text.includes(beside)
  } catch {
    return false
  }
}
