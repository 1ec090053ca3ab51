// Where Gantry keeps its data, and the marker that says a directory has open missions.
import { createHash } from "node:crypto"
import { realpathSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

type Env = Record<string, string | undefined>

export function dataHome(env: Env = process.env, platform: string = process.platform): string {
  if (env.GANTRY_HOME) return env.GANTRY_HOME
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "gantry")
  if (env.XDG_DATA_HOME) return join(env.XDG_DATA_HOME, "gantry")
  return join(env.HOME || homedir(), ".local", "share", "gantry")
}

/** The sidecar writes this file while the directory has an open mission; its name is all that is read. */
export function openMarker(directory: string, home: string = dataHome()): string {
  let real = directory
  try {
    real = realpathSync(directory)
  } catch {
    // The directory is gone; its given name then leads to no marker, which is right.
  }
  return join(home, "open", createHash("sha256").update(real).digest("hex").slice(0, 32))
}
