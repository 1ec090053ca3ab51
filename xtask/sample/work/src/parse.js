// Amounts are whole cents everywhere, so that sums are exact.

/** "19.99" → 1999. A RangeError for anything but an amount with at most two decimals. */
export function parseAmount(text) {
  const match = /^(\d+)(?:\.(\d{1,2}))?$/.exec(text.trim());
  if (!match) throw new RangeError(`not an amount: ${JSON.stringify(text)}`);
  const [, whole, decimals = ""] = match;
  return Number(whole) * 100 + Number(decimals.padEnd(2, "0"));
}

/** "Desk lamp; 2; 19.99; standard" → { name, quantity, price, rate }. A RangeError for a broken line. */
export function parseLine(text) {
  const fields = text.split(";").map((field) => field.trim());
  const [name, quantity, price, rate] = fields;
  if (fields.length !== 4 || !name || !/^[1-9]\d*$/.test(quantity)) {
    throw new RangeError(`not "name; quantity; price; rate": ${JSON.stringify(text)}`);
  }
  return { name, quantity: Number(quantity), price: parseAmount(price), rate };
}
