/* What the sweep was told: its space and its settings. */
import { el } from "./dom.js";
import { formatNumber, formatValue, plainText } from "./format.js";

export function settingsView(store) {
  const { sweep } = store;
  const node = el("div", { class: "two" },
    el("div", {}, el("h3", {}, "Space"), plainTable(["parameter", "kind", "values", "when"], (sweep.space ?? []).map((each) => [plainText(each.name), each.log ? `${each.kind}, log` : each.kind, domainWords(each), whenWords(each.when)]))),
    el("div", {}, el("h3", {}, "Settings"), plainTable(["setting", "value"], Object.entries(sweep.settings ?? {}).map(([key, value]) => [plainText(key), plainText(value)]))));
  return { node, draw: () => {} };
}

function domainWords(each) {
  if (each.choices) return each.choices.map(formatValue).join(", ");
  if (each.low === null || each.low === undefined) return formatValue(each.value ?? null);
  return `${formatNumber(each.low)} to ${formatNumber(each.high)}${each.step ? `, step ${formatNumber(each.step)}` : ""}`;
}

export function whenWords(when) {
  if (!when) return "";
  if (typeof when === "string") return plainText(when);
  return Object.entries(when).map(([name, value]) => `${plainText(name)} = ${Array.isArray(value) ? value.map(formatValue).join(" or ") : formatValue(value)}`).join(", ");
}

export function plainTable(heads, rows, numeric = []) {
  return el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": heads.join(", ") }, el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", class: numeric.includes(at) ? "right" : null }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell, at) => el(at ? "td" : "th", { scope: at ? null : "row", class: numeric.includes(at) ? "right" : null }, cell)))))));
}
