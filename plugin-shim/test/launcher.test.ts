// The built launcher, as a package manager puts it on the PATH.
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { test } from "node:test"
import { launched, locate } from "../src/sidecar/locate"

const NATIVE = `opencode-gantry-${process.platform}-${process.arch}`

function withPackage(work: (folder: string, put: (name: string, text: string) => string) => void) {
  const folder = mkdtempSync(join(tmpdir(), "gantry-launcher-"))
  const put = (name: string, text: string) => {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    chmodSync(path, 0o755)
    return path
  }
  try {
    put("node_modules/opencode-gantry/dist/launcher.js", readFileSync(resolve("dist/launcher.js"), "utf8"))
    put("node_modules/opencode-gantry/package.json", '{"type": "module"}')
    mkdirSync(join(folder, "node_modules/.bin"))
    // Counts the launchers, and ends what would go on without end.
    put("bin/node", `#!/bin/sh\necho x >> ${join(folder, "starts")}\n[ $(wc -l < ${join(folder, "starts")}) -lt 6 ] || exit 99\nexec ${process.execPath} "$@"\n`)
    work(folder, put)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function start(folder: string, env: Record<string, string> = {}) {
  const PATH = [join(folder, "node_modules/.bin"), join(folder, "bin"), join(folder, "other"), "/usr/bin", "/bin"].join(":")
  const { status, stdout, stderr } = spawnSync(join(folder, "node_modules/.bin/gantry"), ["--version"], { env: { PATH, GANTRY_HOME: join(folder, "home"), ...env }, encoding: "utf8", timeout: 20_000 })
  const starts = readFileSync(join(folder, "starts"), "utf8").length / 2
  return { status, stdout, stderr, starts }
}

type Shim = [string, (folder: string, put: (name: string, text: string) => string) => void, number]
const SHIMS: Shim[] = [
  ["npm's link", (folder) => symlinkSync("../opencode-gantry/dist/launcher.js", join(folder, "node_modules/.bin/gantry")), 1],
  ["pnpm's script", (_, put) => put("node_modules/.bin/gantry", '#!/bin/sh\nexec node "$(dirname "$0")/../opencode-gantry/dist/launcher.js" "$@"\n'), 2],
]
for (const [name, install, starts] of SHIMS) {
  test(`${name} to the launcher does not start itself again and again`, () =>
    withPackage((folder, put) => {
      install(folder, put)
      const nothing = start(folder)
      assert.deepEqual([nothing.status, nothing.starts], [4, starts], nothing.stderr)
      assert.match(nothing.stderr, /^Gantry's sidecar is not installed for this system: .*set GANTRY_BIN to its path\.\n$/)
      const named = start(folder, { GANTRY_BIN: join(folder, "node_modules/.bin/gantry") })
      assert.equal(named.status, 4)
      assert.match(named.stderr, /node_modules\/\.bin\/gantry is Gantry's launcher, .*set GANTRY_BIN to the sidecar itself or remove it\.\n$/)
      // Further on the way there is another.
      rmSync(join(folder, "starts"))
      put("other/gantry", '#!/bin/sh\necho "other $1"\n')
      assert.equal(start(folder).stdout, "other --version\n")
      // And with the package for this platform it is that one.
      put(`node_modules/${NATIVE}/bin/gantry`, '#!/bin/sh\necho "native $1"\n')
      assert.equal(start(folder).stdout, "native --version\n")
    }))
}

test("a launcher on the PATH stands for the binary beside it", () =>
  withPackage((folder, put) => {
    symlinkSync("../opencode-gantry/dist/launcher.js", join(folder, "node_modules/.bin/gantry"))
    const search = { env: { PATH: join(folder, "node_modules/.bin"), GANTRY_HOME: join(folder, "home") }, directory: folder, self: "/elsewhere/dist/index.js" }
    assert.throws(() => locate(search), /not installed for this system/)
    const native = put(`node_modules/${NATIVE}/bin/gantry`, "\x7fELF")
    assert.equal(locate(search), native)
    assert.equal(launched(search.env, native), search.env, "a binary does not come back")
  }))
