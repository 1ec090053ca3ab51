/** 1999 → "19.99". */
export function formatAmount(cents) {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
}

/** An invoice as aligned text, one item per line, the sums below. */
export function formatInvoice({ items, net, tax, total }) {
  const rows = items.map((item) => [item.name, String(item.quantity), formatAmount(item.net)]);
  rows.push(["Net", "", formatAmount(net)], ["Tax", "", formatAmount(tax)], ["Total", "", formatAmount(total)]);
  const width = (column) => Math.max(...rows.map((row) => row[column].length));
  const [name, quantity, amount] = [width(0), width(1), width(2)];
  return rows
    .map((row) => `${row[0].padEnd(name)}  ${row[1].padStart(quantity)}  ${row[2].padStart(amount)}`)
    .join("\n");
}
