// `npx opencode-gantry …`: runs the sidecar's own command line.
import { spawnSync } from "node:child_process"
import { messageOf } from "./errors"
import { launched, locate, spawnFault } from "./sidecar/locate"

function main(): number {
  let path: string
  try {
    path = locate({ env: process.env, directory: process.cwd() })
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    return 4
  }
  const { status, signal, error } = spawnSync(path, process.argv.slice(2), { stdio: "inherit", env: launched(process.env, path) })
  if (error) {
    process.stderr.write(`${spawnFault(path, (error as NodeJS.ErrnoException).code, error.message).message}\n`)
    return 4
  }
  return signal ? 130 : (status ?? 1)
}

process.exitCode = main()
