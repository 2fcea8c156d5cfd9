/* The metric over the numbers of the trials, with the best so far. */
import { axisOf, targetAxis } from "./axes.js";
import { el, panel } from "./dom.js";
import { formatNumber, formatValue, plainText, plural } from "./format.js";
import { createPlane } from "./plane.js";
import { numberScale } from "./scales.js";
import { targetGoal, targetKey } from "./store.js";
import { onTheme } from "./theme.js";
import { trialTip } from "./tip.js";
import { COMPLETE, extent } from "./trials.js";

export function historyView(store) {
  const { section, heading, tools, body } = panel("History", "history");
  const plane = createPlane({
    label: "History", height: 300, onbrush: store.brush, onhover: store.hover, tipOf: (row) => trialTip(store, row),
    onpick: (row) => store.select(store.trials.number[row] === store.selected ? null : store.trials.number[row]),
  });
  const note = el("p", { class: "note" });
  const log = el("input", { type: "checkbox", checked: store.logValue, onchange: () => { store.logValue = log.checked; store.tell("metric"); } });
  tools.append(el("ul", { class: "legend" }, legendEntry("dot", "complete"), legendEntry("best", "best so far"), legendEntry("pruned", "pruned"), legendEntry("failed", "failed")), el("label", { class: "field" }, log, el("span", {}, "log")));
  body.append(plane.host, note);
  const draw = () => {
    heading.textContent = `${plainText(store.metric)} by trial`;
    const spec = historySpec(store);
    log.disabled = !store.logValue && !spec.y.positive;
    log.parentElement.title = log.disabled ? "Not all values are above 0" : "";
    plane.draw(spec);
    plane.say(historyWords(store));
    note.textContent = historyNote(store, spec);
  };
  store.on("rows filter metric top", draw);
  store.on("hover selection", () => { if (plane.spec) { markRows(store, plane.spec); plane.mark(); } });
  onTheme(() => plane.spec && draw());
  return section;
}

export function markRows(store, spec) {
  spec.hoveredRow = store.hovered;
  spec.selectedRow = store.selected === null ? -1 : store.trials.rowOf.get(store.selected) ?? -1;
}

export function legendEntry(kind, text) {
  return el("li", { class: `key key-${kind}` }, text);
}

function historySpec(store) {
  const { trials } = store;
  const x = axisOf(store, "number");
  const [low, high] = extent(trials.number, trials.count) ?? [0, 1];
  x.scale = numberScale(low - 0.5, Math.max(high, low + 9) + 0.5);
  x.between = (from, to) => { const ends = [Math.ceil(x.scale.invert(from)), Math.floor(x.scale.invert(to))]; return ends[0] <= ends[1] ? { low: ends[0], high: ends[1] } : null; };
  const y = targetAxis(store, targetKey(store), targetGoal(store));
  const unvalued = trials.state.subarray(0, trials.count).some((state, row) => state !== COMPLETE || !Number.isFinite(y.values[row]));
  const spec = { x, y, count: trials.count, states: trials.state, mask: store.mask, topRows: store.topRows, line: store.best, lineEnd: high, band: unvalued ? "none" : null };
  markRows(store, spec);
  return spec;
}

function historyNote(store, { y }) {
  const parts = [];
  if (store.trials.sample) parts.push(plainText(store.trials.sample));
  if (store.trials.unreadable) parts.push(`${plural(store.trials.unreadable, "trial")} cannot be read and ${store.trials.unreadable === 1 ? "is" : "are"} left out`);
  if (store.logValue && !y.scale.log) parts.push("not drawn on a log axis, for not all values are above 0");
  if (y.beyond) parts.push(`${plural(y.beyond, "far worse value")} at the edge`);
  if (store.top && store.topRows.length) parts.push(store.topRows.length === 1 ? "the best one is marked in every chart" : `the best ${store.topRows.length} are marked in every chart`);
  return parts.length ? `${parts.join("; ")}.` : "";
}

function historyWords(store) {
  const last = store.best.at(-1);
  if (!last) return `${plainText(store.metric)} by trial: no finished value yet among ${plural(store.trials.count, "trial")}.`;
  return `${plainText(store.metric)} by trial: ${plural(store.shown, "trial")} shown; best ${formatValue(last[1])} by trial ${last[0]}, improved ${plural(store.best.length - 1, "time")} since ${formatNumber(store.best[0][1])}.`;
}
