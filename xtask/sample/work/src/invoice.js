import { discountOf } from "./discount.js";
import { parseLine } from "./parse.js";
import { taxOf } from "./tax.js";

/**
 * An order of several lines → { items, net, tax, total }. The discount is taken off each item before tax;
 * an item is { name, quantity, net, tax }.
 */
export function invoice(order, discount = "") {
  const lines = order.split("\n").filter((line) => line.trim() !== "");
  const items = lines.map((line) => {
    const { name, quantity, price, rate } = parseLine(line);
    const gross = quantity * price;
    const net = gross - discountOf(gross, discount);
    return { name, quantity, net, tax: taxOf(net, rate) };
  });
  const sum = (key) => items.reduce((total, item) => total + item[key], 0);
  const [net, tax] = [sum("net"), sum("tax")];
  return { items, net, tax, total: net + tax };
}
