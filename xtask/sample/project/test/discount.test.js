import assert from "node:assert/strict";
import { test } from "node:test";
import { discountOf } from "../src/discount.js";
import { parseAmount } from "../src/parse.js";

test("a percentage is a share of the amount", () => {
  assert.equal(discountOf(parseAmount("39.98"), "10%"), 400);
  assert.equal(discountOf(parseAmount("39.98"), "0%"), 0);
});

test("a fixed amount is taken as it is", () => {
  assert.equal(discountOf(parseAmount("39.98"), "5.00"), 500);
});

test("no code is no discount", () => {
  assert.equal(discountOf(parseAmount("39.98"), ""), 0);
});
