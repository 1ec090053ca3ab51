// Finds the sidecar's binary and puts into words why it cannot be run.
import { accessSync, constants, statSync } from "node:fs"
import { delimiter, isAbsolute, join, resolve } from "node:path"
import { Sentence } from "../errors"

export interface Search {
  env: Record<string, string | undefined>
  /** Plugin option `bin`. */
  option?: string | undefined
  /** Relative names are taken from here. */
  directory: string
  platform?: string
}

/** Order: GANTRY_BIN, plugin option `bin`, PATH. A named binary that is not there is an error, not a reason to look further. */
export function locate(search: Search): string {
  const named = search.env.GANTRY_BIN
    ? { path: search.env.GANTRY_BIN, from: "GANTRY_BIN" }
    : search.option
      ? { path: search.option, from: "the plugin option \"bin\"" }
      : undefined
  if (named) {
    const path = isAbsolute(named.path) ? named.path : resolve(search.directory, named.path)
    const fault = faultOf(path)
    if (fault === "missing") throw new Sentence(`Gantry's sidecar is not at ${path}; correct ${named.from} or remove it.`)
    if (fault) throw unrunnable(path, fault)
    return path
  }
  return onPath(search)
}

function onPath(search: Search): string {
  const windows = (search.platform ?? process.platform) === "win32"
  let refused: Sentence | undefined
  for (const folder of (search.env.PATH ?? search.env.Path ?? "").split(delimiter)) {
    if (!folder) continue
    const path = join(folder, windows ? "gantry.exe" : "gantry")
    const fault = faultOf(path)
    if (!fault) return path
    if (fault !== "missing") refused ??= unrunnable(path, fault)
  }
  if (refused) throw refused
  throw new Sentence("Gantry's sidecar \"gantry\" is not on the PATH; install it, or set GANTRY_BIN to its path.")
}

type Fault = "missing" | "folder" | "mode"

function faultOf(path: string): Fault | undefined {
  try {
    if (!statSync(path).isFile()) return "folder"
  } catch {
    return "missing"
  }
  try {
    accessSync(path, constants.X_OK)
  } catch {
    return "mode"
  }
  return undefined
}

function unrunnable(path: string, fault: Fault): Sentence {
  if (fault === "folder") return new Sentence(`${path} is not a file; set GANTRY_BIN to Gantry's sidecar.`)
  return new Sentence(`Gantry's sidecar ${path} is not executable; run "chmod +x ${path}".`)
}

/** What an error of spawn means for the user. */
export function spawnFault(path: string, code: string | undefined, message: string): Sentence {
  switch (code) {
    case "ENOEXEC":
    case "EBADARCH":
      return new Sentence(`Gantry's sidecar ${path} is built for another system; install the build for ${process.platform} ${process.arch}.`)
    case "EACCES":
    case "EPERM":
      return unrunnable(path, "mode")
    case "ENOENT":
      return new Sentence(`Gantry's sidecar ${path} cannot be run here because its loader or C library is missing; install the build for this system.`)
    default:
      return new Sentence(`Gantry's sidecar ${path} could not be started (${message}); check that it runs by hand with "${path} --version".`)
  }
}
