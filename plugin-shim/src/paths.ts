// Where Gantry keeps its data and its sockets, and the marker that says a directory has open missions.
import { createHash } from "node:crypto"
import { lstatSync, readdirSync, realpathSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

type Env = Record<string, string | undefined>

export function dataHome(env: Env = process.env, platform: string = process.platform): string {
  if (env.GANTRY_HOME) return env.GANTRY_HOME
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "gantry")
  if (env.XDG_DATA_HOME) return join(env.XDG_DATA_HOME, "gantry")
  return join(env.HOME || homedir(), ".local", "share", "gantry")
}

const SHORT = "/tmp/gantry-"
/** Longest path of a socket that every system takes, without the name of one in its folder. */
const MAX_FOLDER = 103 - "/4294967295.sock".length

/** Where sidecars have their sockets: in the data folder, or where its path is too long for one, in a folder that stands for it. */
export function socketFolder(home: string = dataHome()): string {
  const folder = join(home, "run")
  if (Buffer.byteLength(folder) <= MAX_FOLDER) return folder
  return `${SHORT}${process.geteuid?.()}-${hash(home).slice(0, 16)}`
}

/** All that are there; none where others could have put something, which they can beside the short folder. */
export function socketsIn(folder: string): string[] {
  try {
    const about = folder.startsWith(SHORT) ? lstatSync(folder) : undefined
    if (about && (!about.isDirectory() || about.uid !== process.geteuid?.() || (about.mode & 0o077) !== 0)) return []
    return readdirSync(folder).filter((name) => name.endsWith(".sock")).sort().map((name) => join(folder, name))
  } catch {
    // No sidecar has run yet.
    return []
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

/** The sidecar writes this file while the directory has an open mission; its name is all that is read. */
export function openMarker(directory: string, home: string = dataHome()): string {
  let real = directory
  try {
    real = realpathSync(directory)
  } catch {
    // The directory is gone; its given name then leads to no marker, which is right.
  }
  return join(home, "open", hash(real).slice(0, 32))
}
