// Amounts are whole cents everywhere, so that sums are exact.

/** "19.99" → 1999. A RangeError for anything but an amount with at most two decimals. */
export function parseAmount(text) {
  throw new Error("parseAmount is not written yet");
}

/** "Desk lamp; 2; 19.99; standard" → { name, quantity, price, rate }. A RangeError for a broken line. */
export function parseLine(text) {
  throw new Error("parseLine is not written yet");
}
