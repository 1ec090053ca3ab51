import { parseAmount } from "./parse.js";

/**
 * Discount on an amount of cents, rounded half up: "10%" is a share of it, "5.00" a fixed amount,
 * "" none at all. Never more than the amount itself.
 */
export function discountOf(cents, code) {
  if (code === "") return 0;
  const wanted = code.endsWith("%")
    ? Math.round((cents * parseAmount(code.slice(0, -1))) / 10000)
    : parseAmount(code);
  return Math.min(wanted, cents);
}
