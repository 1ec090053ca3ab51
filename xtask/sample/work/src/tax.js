/** Percent by name of the rate. */
export const RATES = { standard: 20, reduced: 5, zero: 0 };

/** Tax on an amount of cents, rounded half up. A RangeError for an unknown rate. */
export function taxOf(cents, rate) {
  if (!Object.hasOwn(RATES, rate)) throw new RangeError(`unknown rate: ${JSON.stringify(rate)}`);
  return Math.round((cents * RATES[rate]) / 100);
}
