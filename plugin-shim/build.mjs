// Builds the one file the host loads, and with `test` the tests as well. Node built-ins stay imports.
import { createHash } from "node:crypto"
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { build } from "esbuild"

const common = { bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" }

await build({ ...common, entryPoints: ["src/index.ts"], outfile: "dist/index.js", minifySyntax: true })
// The host puts its own modules in the place of these two.
await build({ ...common, entryPoints: ["src/tui/index.ts"], outfile: "dist/tui.js", minifySyntax: true, external: ["solid-js", "@opentui/solid"] })
await build({ ...common, entryPoints: ["src/launcher.ts"], outfile: "dist/launcher.js", banner: { js: "#!/usr/bin/env node" } })

// `gantry doctor` tells by this line whether a host would load the file as it was built.
const { version } = JSON.parse(readFileSync("package.json", "utf8"))
for (const file of ["dist/index.js", "dist/tui.js"]) {
  const text = readFileSync(file, "utf8")
  writeFileSync(file, `// opencode-gantry ${version} ${createHash("sha256").update(text).digest("hex")}\n${text}`)
}

if (process.argv[2] === "test") {
  rmSync("build/test", { recursive: true, force: true })
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"))
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    // The host's modules exist in the host only.
    alias: { "solid-js": "./test/solid.ts", "@opentui/solid": "./test/solid.ts" },
    outdir: "build/test",
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
  })
}
