// Whether the half of the plugin in the host's terminal interface serves the commands that need no model. It is loaded later than
// this one, so its configuration has to say: read where the host reads it, and as the host reads it.
import { readFileSync, realpathSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"

type Env = Record<string, string | undefined>

const PACKAGE = "opencode-gantry"
const FILES = ["tui.json", "tui.jsonc"]

/** True in the process of the terminal interface, where its configuration names Gantry. There the commands would stand twice. */
export function servedByTerminal(directory: string, program: string | undefined = process.argv[1], env: Env = process.env): boolean {
  // The host loads the server half into a worker of the terminal interface.
  if (!program?.includes("/tui/")) return false
  const beside = real(join(dirname(fileURLToPath(import.meta.url)), "tui.js"))
  return places(directory, env).some((file) => names(file, beside, env))
}

function places(directory: string, env: Env): string[] {
  const home = env.HOME || homedir()
  const own = isOn(env.OPENCODE_DISABLE_PROJECT_CONFIG) ? [] : upFrom(directory)
  const folders = [
    join(env.XDG_CONFIG_HOME || join(home, ".config"), "opencode"),
    ...own.flatMap((folder) => [folder, join(folder, ".opencode")]),
    join(home, ".opencode"),
    ...(env.OPENCODE_CONFIG_DIR ? [env.OPENCODE_CONFIG_DIR] : []),
  ]
  const files = folders.flatMap((folder) => FILES.map((name) => join(folder, name)))
  return env.OPENCODE_TUI_CONFIG ? [...files, env.OPENCODE_TUI_CONFIG] : files
}

function isOn(flag: string | undefined): boolean {
  return flag === "1" || flag?.toLowerCase() === "true"
}

/** The folder and all around it: the host stops at no root of a project here. */
function upFrom(folder: string): string[] {
  const above = dirname(folder)
  return above === folder ? [folder] : [folder, ...upFrom(above)]
}

function names(file: string, beside: string, env: Env): boolean {
  let found: { plugin?: unknown; plugin_enabled?: Record<string, unknown> } | null
  try {
    found = JSON.parse(plainJson(readFileSync(file, "utf8").replace(/\{env:([^}]+)\}/g, (_, name: string) => env[name] ?? "")))
  } catch {
    // Missing, or nothing that the host can read either.
    return false
  }
  if (!Array.isArray(found?.plugin) || found.plugin_enabled?.[PACKAGE] === false) return false
  return found.plugin.some((entry: unknown) => isOurs(Array.isArray(entry) ? entry[0] : entry, file, beside))
}

function isOurs(entry: unknown, file: string, beside: string): boolean {
  if (typeof entry !== "string") return false
  if (entry === PACKAGE || entry.startsWith(`${PACKAGE}@`)) return true
  if (!/^(file:|[./~]|[a-zA-Z]:)/.test(entry)) return false
  try {
    const path = real(entry.startsWith("file:") ? fileURLToPath(entry) : resolve(dirname(file), entry))
    return path === beside || beside.startsWith(path + sep)
  } catch {
    return false
  }
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

const TEXT = String.raw`"(?:\\.|[^"\\])*"`

/** Without what JSON with comments has beside JSON. */
function plainJson(text: string): string {
  const dropping = (what: string) => new RegExp(`${TEXT}|${what}`, "g")
  const keepTexts = (match: string) => (match.startsWith('"') ? match : " ")
  const bare = text.replace(/^\ufeff/, "").replace(dropping(String.raw`//[^\n]*|/\*[^]*?\*/`), keepTexts)
  return bare.replace(dropping(String.raw`,(?=\s*[}\]])`), keepTexts)
}
