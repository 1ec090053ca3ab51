import { parseAmount } from "./parse.js";

/**
 * Discount on an amount of cents, rounded half up: "10%" is a share of it, "5.00" a fixed amount,
 * "" none at all.
 */
export function discountOf(cents, code) {
  if (code === "") return 0;
  if (code.endsWith("%")) return Math.round((cents * parseAmount(code.slice(0, -1))) / 10000);
  return parseAmount(code);
}
