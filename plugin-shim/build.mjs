// Builds the one file the host loads, or (with `test`) the tests. Node built-ins stay imports.
import { readdirSync, rmSync } from "node:fs"
import { build } from "esbuild"

const common = { bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" }

if (process.argv[2] === "test") {
  rmSync("build/test", { recursive: true, force: true })
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"))
  await build({ ...common, entryPoints: tests.map((name) => `test/${name}`), outdir: "build/test", sourcemap: "inline", outExtension: { ".js": ".mjs" } })
} else {
  await build({ ...common, entryPoints: ["src/index.ts"], outfile: "dist/index.js", minifySyntax: true })
}
