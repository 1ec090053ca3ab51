import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAmount, parseLine } from "../src/parse.js";

test("amounts become cents", () => {
  assert.equal(parseAmount("19.99"), 1999);
  assert.equal(parseAmount("7"), 700);
  assert.equal(parseAmount("0.5"), 50);
});

test("what is no amount is refused", () => {
  for (const text of ["", "abc", "1.234", "-1", "1,50"]) {
    assert.throws(() => parseAmount(text), RangeError, text);
  }
});

test("a line has four fields", () => {
  const lamp = { name: "Desk lamp", quantity: 2, price: 1999, rate: "standard" };
  assert.deepEqual(parseLine(" Desk lamp ; 2; 19.99; standard"), lamp);
  for (const text of ["Desk lamp; 2; 19.99", "; 2; 19.99; zero", "Desk lamp; two; 19.99; zero"]) {
    assert.throws(() => parseLine(text), RangeError, text);
  }
});
