/** 1999 → "19.99". */
export function formatAmount(cents) {
  throw new Error("formatAmount is not written yet");
}

/** An invoice as aligned text, one item per line, the sums below. */
export function formatInvoice(invoice) {
  throw new Error("formatInvoice is not written yet");
}
