import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const run = (...args) => spawnSync(process.execPath, [path("../src/cli.js"), ...args], { encoding: "utf8" });

test("an order file is printed as an invoice", () => {
  const { status, stdout } = run(path("../examples/order.txt"), "10%");
  assert.equal(status, 0);
  assert.match(stdout, /^Total +57\.55$/m);
});

test("without a file the usage is shown", () => {
  const { status, stderr } = run();
  assert.equal(status, 2);
  assert.match(stderr, /^Usage: /);
});
