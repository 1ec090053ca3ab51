// Usage: node src/cli.js FILE [DISCOUNT]

import { readFileSync } from "node:fs";
import { formatInvoice } from "./format.js";
import { invoice } from "./invoice.js";

const [file, discount] = process.argv.slice(2);
if (file === undefined) {
  console.error("Usage: node src/cli.js FILE [DISCOUNT]");
  process.exitCode = 2;
} else {
  console.log(formatInvoice(invoice(readFileSync(file, "utf8"), discount)));
}
