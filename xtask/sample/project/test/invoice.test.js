import assert from "node:assert/strict";
import { test } from "node:test";
import { invoice } from "../src/invoice.js";

const ORDER = "Desk lamp; 2; 19.99; standard\n\nNotebook; 10; 1.25; reduced\n";

test("items are taxed and summed", () => {
  assert.deepEqual(invoice(ORDER), {
    items: [
      { name: "Desk lamp", quantity: 2, net: 3998, tax: 800 },
      { name: "Notebook", quantity: 10, net: 1250, tax: 63 },
    ],
    net: 5248,
    tax: 863,
    total: 6111,
  });
});

test("the discount is taken off before tax", () => {
  const { items, total } = invoice(ORDER, "10%");
  assert.deepEqual(items.map((item) => item.net), [3598, 1125]);
  assert.deepEqual(items.map((item) => item.tax), [720, 56]);
  assert.equal(total, 5499);
});
