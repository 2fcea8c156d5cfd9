/* The trials as a table that holds only the rows in sight, however many there are. */
import { varyingParams } from "./axes.js";
import { el, panel } from "./dom.js";
import { formatNumber, formatSeconds, formatValue, plainText } from "./format.js";
import { linkTo, trialPath } from "./links.js";
import { sizeOf, whenResized } from "./plane.js";
import { announce, trialTip } from "./tip.js";
import { STATES, levelsOf, titleOf, valuesOf } from "./trials.js";

const ROW = 31;
const SPARE = 6;

export function tableView(store) {
  const { section, body, tools } = panel("Trials", "trials");
  const view = { store, columns: [], rows: new Int32Array(0), hidden: new Set(), known: "" };
  view.head = el("tr", { "aria-rowindex": "1" });
  view.above = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", {}));
  view.below = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", {}));
  view.lines = el("tbody", {}, view.above, view.below);
  view.table = el("table", { class: "grid" }, el("caption", { class: "unseen" }, "Trials; the buttons in the head sort"), el("thead", {}, view.head), view.lines);
  view.scroller = el("div", { class: "grid-scroll", tabindex: "0", role: "region", "aria-label": "Table of trials; arrows choose a row, Enter opens it" }, view.table);
  view.scroller.addEventListener("scroll", () => requestAnimationFrame(() => showRows(view)), { passive: true });
  view.scroller.addEventListener("keydown", (event) => moveChoice(view, event));
  view.scroller.addEventListener("pointerleave", () => store.hover(-1));
  whenResized(view.scroller, () => showRows(view));
  view.menu = el("details", { class: "menu" }, el("summary", {}, "Columns"), el("div", { class: "menu-body" }));
  tools.append(view.menu);
  closeAlone(view.menu);
  body.append(view.scroller);
  store.on("rows filter sort metric", () => { chooseColumns(view); sortRows(view); view.shownFrom = -1; showRows(view); });
  store.on("selection", () => { view.shownFrom = -1; showRows(view); });
  store.on("top", () => { view.shownFrom = -1; showRows(view); });
  return section;
}

function chooseColumns(view) {
  const { store } = view;
  const single = store.goals.length === 1;
  const metrics = [...store.trials.metrics.keys()].filter((name) => !single || name !== store.goals[0].name).map((name) => `m.${name}`);
  const params = [...store.trials.params.keys()].map((name) => `p.${name}`);
  const varying = new Set(varyingParams(store));
  const all = ["number", "state", ...(single ? ["value"] : []), "seconds", ...params.filter((key) => varying.has(key)), ...metrics, "attempt", "reason", ...params.filter((key) => !varying.has(key))];
  const known = all.join("\n") + varying.size;
  if (known === view.known) { markSort(view); return; }
  if (!view.known) view.hidden = new Set([...metrics.slice(store.goals.length > 1 ? store.goals.length : 3), "attempt", ...params.filter((key) => !varying.has(key))]);
  view.known = known;
  view.all = all;
  fillMenu(view);
  headRow(view);
}

/* A menu closes by Escape, which then takes no filter away, and when one goes on somewhere else. */
function closeAlone(menu) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
  const outside = (event) => { if (!menu.isConnected) document.removeEventListener("pointerdown", outside); else if (!menu.contains(event.target)) menu.open = false; };
  document.addEventListener("pointerdown", outside);
}

function fillMenu(view) {
  const menu = view.menu.querySelector(".menu-body");
  menu.replaceChildren(...view.all.map((key) => {
    const box = el("input", { type: "checkbox", checked: !view.hidden.has(key), onchange: () => { if (box.checked) view.hidden.delete(key); else view.hidden.add(key); headRow(view); view.shownFrom = -1; showRows(view); } });
    return el("label", { class: "field" }, box, el("span", {}, columnTitle(view.store, key)));
  }));
}

function columnTitle(store, key) {
  return plainText(key === "value" ? store.goals[0].name : titleOf(key));
}

function headRow(view) {
  view.columns = view.all.filter((key) => !view.hidden.has(key));
  view.head.replaceChildren(...view.columns.map((key) => el("th", { scope: "col", "data-key": key, class: isNumeric(view.store, key) ? "right" : null },
    el("button", { type: "button", onclick: () => sortBy(view, key) }, columnTitle(view.store, key), el("span", { class: "arrow", "aria-hidden": "true" })))));
  view.table.setAttribute("aria-colcount", view.columns.length);
  view.above.firstChild.colSpan = view.below.firstChild.colSpan = view.columns.length;
  markSort(view);
}

function isNumeric(store, key) {
  return key !== "reason" && !levelsOf(store.trials, key);
}

function markSort(view) {
  const { key, down } = view.store.sort;
  for (const head of view.head.children) {
    const sorted = head.dataset.key === key;
    if (sorted) head.setAttribute("aria-sort", down ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
    head.querySelector(".arrow").textContent = sorted ? (down ? "▼" : "▲") : "";
  }
}

function sortBy(view, key) {
  const { store } = view;
  const goal = store.goals.find((each) => key === `m.${each.name}` || key === "value");
  const first = key === "number" || goal?.goal === "maximize";
  store.sort = store.sort.key === key ? { key, down: !store.sort.down } : { key, down: first };
  view.scroller.scrollTop = 0;
  store.tell("sort");
}

function sortRows(view) {
  const { trials, mask, order, sort, shown } = view.store;
  const rows = new Int32Array(shown);
  let at = 0;
  for (const row of order) if (mask[row]) { rows[at] = row; at += 1; }
  const sign = sort.down ? -1 : 1;
  if (sort.key === "reason") rows.sort((one, other) => sign * trials.reason[one].localeCompare(trials.reason[other]));
  else {
    const values = valuesOf(trials, sort.key);
    if (values && !(sort.key === "number" && !sort.down)) rows.sort((one, other) => compareNumbers(values[one], values[other], sign) || trials.number[one] - trials.number[other]);
  }
  view.rows = rows;
  view.table.setAttribute("aria-rowcount", rows.length + 1);
}

function compareNumbers(one, other, sign) {
  if (Number.isNaN(one)) return Number.isNaN(other) ? 0 : 1;
  if (Number.isNaN(other)) return -1;
  return sign * (one - other);
}

function showRows(view) {
  const { scroller, rows } = view;
  const height = sizeOf(scroller).height || 400;
  const first = Math.max(0, Math.min(rows.length, Math.floor(scroller.scrollTop / ROW)) - SPARE);
  const last = Math.min(rows.length, Math.ceil((scroller.scrollTop + height) / ROW) + SPARE);
  if (view.shownFrom === first && view.shownTo === last) return;
  view.shownFrom = first;
  view.shownTo = last;
  const top = new Set(view.store.topRows);
  const focused = document.activeElement?.closest?.("tr[data-number]")?.dataset.number;
  const lines = [];
  for (let at = first; at < last; at += 1) lines.push(lineOf(view, rows[at], at, top));
  view.above.firstChild.style.height = `${first * ROW}px`;
  view.below.firstChild.style.height = `${(rows.length - last) * ROW}px`;
  view.lines.replaceChildren(view.above, ...lines, view.below);
  if (focused) view.lines.querySelector(`tr[data-number="${focused}"] a`)?.focus({ preventScroll: true });
}

function lineOf(view, row, at, top) {
  const { store } = view;
  const number = store.trials.number[row];
  const state = STATES[store.trials.state[row]];
  const line = el("tr", { "aria-rowindex": at + 2, "data-number": number, class: `state-${state.toLowerCase()}${top.has(row) ? " top-row" : ""}${store.selected === number ? " chosen" : ""}` }, ...view.columns.map((key) => cellOf(store, row, key)));
  line.addEventListener("click", (event) => { if (!event.target.closest("a")) store.select(store.selected === number ? null : number); });
  line.addEventListener("pointerenter", () => store.hover(row));
  return line;
}

function cellOf(store, row, key) {
  const { trials } = store;
  if (key === "number") return el("th", { scope: "row", class: "right" }, linkTo(trialPath(store.sweep, trials.number[row]), `#${trials.number[row]}`, { tabindex: "-1" })); // with Tab nobody would come to the end of 10,000 rows
  if (key === "state") return el("td", {}, el("span", { class: `state state-${STATES[trials.state[row]].toLowerCase()}` }, STATES[trials.state[row]].toLowerCase()));
  if (key === "reason") { const text = plainText(trials.reason[row]); return el("td", { class: "text", title: text }, text.slice(0, 120)); }
  const value = valuesOf(trials, key)?.[row];
  if (key === "seconds") return el("td", { class: "right" }, formatSeconds(value));
  const levels = levelsOf(trials, key);
  if (Number.isNaN(value) || value === undefined) return el("td", { class: `${levels ? "" : "right "}none` }, key.startsWith("p.") ? "inactive" : "–");
  return levels ? el("td", { class: "text" }, formatValue(levels[value]).slice(0, 60)) : el("td", { class: "right" }, formatNumber(value, 6));
}

function moveChoice(view, event) {
  const steps = { ArrowDown: 1, ArrowUp: -1, Enter: 0 };
  if (!(event.key in steps) || event.target !== view.scroller) return;
  const { store, rows, scroller } = view;
  const now = rows.findIndex((row) => store.trials.number[row] === store.selected);
  if (event.key === "Enter") { if (now >= 0) view.lines.querySelector(`tr[data-number="${store.selected}"] a`)?.click(); return; }
  event.preventDefault();
  const next = Math.max(0, Math.min(rows.length - 1, now + steps[event.key]));
  if (!rows.length) return;
  store.select(store.trials.number[rows[next]]);
  announce(trialTip(store, rows[next]).slice(0, 3).map(([name, text]) => `${name} ${text}`).join(", "));
  const y = next * ROW;
  if (y < scroller.scrollTop) scroller.scrollTop = y;
  else if (y + 2 * ROW > scroller.scrollTop + scroller.clientHeight - ROW) scroller.scrollTop = y + 3 * ROW - scroller.clientHeight;
}
