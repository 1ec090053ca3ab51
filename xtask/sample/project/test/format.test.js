import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAmount, formatInvoice } from "../src/format.js";

test("cents become amounts", () => {
  assert.equal(formatAmount(1999), "19.99");
  assert.equal(formatAmount(5), "0.05");
  assert.equal(formatAmount(0), "0.00");
});

test("columns are aligned", () => {
  const items = [
    { name: "Desk lamp", quantity: 2, net: 3998, tax: 800 },
    { name: "Notebook", quantity: 10, net: 1250, tax: 63 },
  ];
  assert.equal(
    formatInvoice({ items, net: 5248, tax: 863, total: 6111 }),
    ["Desk lamp   2  39.98", "Notebook   10  12.50", "Net            52.48", "Tax             8.63", "Total          61.11"].join("\n"),
  );
});
