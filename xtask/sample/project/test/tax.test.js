import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAmount } from "../src/parse.js";
import { taxOf } from "../src/tax.js";

test("each rate has its percentage", () => {
  assert.equal(taxOf(parseAmount("39.98"), "standard"), 800);
  assert.equal(taxOf(parseAmount("12.50"), "reduced"), 63);
  assert.equal(taxOf(parseAmount("2.85"), "zero"), 0);
});

test("an unknown rate is refused", () => {
  for (const rate of ["luxury", "", "toString"]) {
    assert.throws(() => taxOf(100, rate), RangeError, rate);
  }
});
