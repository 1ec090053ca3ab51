// Finds the sidecar's binary and puts into words why it cannot be run.
import { accessSync, closeSync, constants, existsSync, openSync, readSync, realpathSync, statSync } from "node:fs"
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { Sentence } from "../errors"
import { dataHome } from "../paths"

export interface Search {
  env: Record<string, string | undefined>
  /** Plugin option `bin`. */
  option?: string | undefined
  /** Relative names are taken from here. */
  directory: string
  platform?: string
  arch?: string
  /** The plugin's own file, which the packages for each platform lie beside. */
  self?: string
}

/** The launcher of `npx`, from the folder of its package on. */
const LAUNCHER = join("dist", "launcher.js")
/** Programs that launchers have started on the way to this one, as in PATH. */
const LAUNCHED = "GANTRY_LAUNCHED"

/** Order: GANTRY_BIN, plugin option `bin`, the package for this platform, `bin` in the data folder, PATH. A named binary that is not there is an error, not a reason to look further. */
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
    const behind = programBehind(path, search)
    if (behind) return behind
    throw new Sentence(`${path} is Gantry's launcher, with no sidecar for this system beside it; set ${named.from} to the sidecar itself or remove it.`)
  }
  return packaged(search) ?? inDataHome(search) ?? onPath(search)
}

/** Where the package manager has put the package for this platform: in a node_modules around the plugin's own file. */
function packaged(search: Search): string | undefined {
  const platform = search.platform ?? process.platform
  const self = search.self ?? fileURLToPath(import.meta.url)
  for (const name of packageNames(platform, search.arch ?? process.arch)) {
    let folder = dirname(self)
    for (let up = dirname(folder); up !== folder; folder = up, up = dirname(folder)) {
      const path = join(folder, "node_modules", name, "bin", program(platform))
      if (faultOf(path) === undefined) return path
    }
  }
  return undefined
}

/** Packages whose binary runs here, the best first. A musl binary is linked statically, so it runs beside glibc too. */
export function packageNames(platform: string, arch: string, musl = isMusl(arch)): string[] {
  const base = `opencode-gantry-${platform}-${arch}`
  if (platform !== "linux") return [base]
  return musl ? [`${base}-musl`] : [base, `${base}-musl`]
}

function isMusl(arch: string): boolean {
  const loader = { x64: "x86_64", arm64: "aarch64" }[arch] ?? arch
  return existsSync(`/lib/ld-musl-${loader}.so.1`) && !existsSync("/lib64/ld-linux-x86-64.so.2") && !existsSync("/lib/ld-linux-aarch64.so.1")
}

function inDataHome(search: Search): string | undefined {
  const path = join(dataHome(search.env, search.platform), "bin", program(search.platform ?? process.platform))
  return faultOf(path) === undefined ? programBehind(path, search) : undefined
}

/** What is to be run for a program that was found: for the launcher the binary beside it. None where the launcher would only come back to itself. */
function programBehind(path: string, search: Search): string | undefined {
  const real = realpathSync(path)
  if (real.endsWith(LAUNCHER)) return packaged({ ...search, self: real })
  const again = (search.env[LAUNCHED] ?? "").split(delimiter).includes(path)
  return again && mayLaunch(path, search.platform) ? undefined : path
}

/** Whether it may be a package manager's way to the launcher: pnpm and Yarn write a script there, and Bun a program on Windows. */
function mayLaunch(path: string, platform: string = process.platform): boolean {
  if (platform === "win32") return true
  const head = Buffer.alloc(2)
  let file: number
  try {
    file = openSync(path, "r")
  } catch {
    // A script has to be readable to run.
    return false
  }
  try {
    return readSync(file, head) === 2 && head.toString() === "#!"
  } finally {
    closeSync(file)
  }
}

/** The environment for a program that a launcher starts. If it is a launcher again, it passes this one over. */
export function launched(env: Search["env"], path: string): Search["env"] {
  if (!mayLaunch(path)) return env
  return { ...env, [LAUNCHED]: [env[LAUNCHED], path].filter(Boolean).join(delimiter) }
}

function program(platform: string): string {
  return platform === "win32" ? "gantry.exe" : "gantry"
}

function onPath(search: Search): string {
  let refused: Sentence | undefined
  for (const folder of (search.env.PATH ?? search.env.Path ?? "").split(delimiter)) {
    if (!folder) continue
    const path = join(folder, program(search.platform ?? process.platform))
    const fault = faultOf(path)
    const behind = fault ? undefined : programBehind(path, search)
    if (behind) return behind
    if (fault && fault !== "missing") refused ??= unrunnable(path, fault)
  }
  if (refused) throw refused
  throw new Sentence("Gantry's sidecar is not installed for this system: there is no package of it beside the plugin and no \"gantry\" on the PATH; install one, or set GANTRY_BIN to its path.")
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
