/* One small picture a parameter: its values against the metric. */
import { axisOf, hasGaps, targetAxis, varyingParams } from "./axes.js";
import { el, emptyNote, fill, panel } from "./dom.js";
import { markRows } from "./history.js";
import { formatNumber, plainText, plural } from "./format.js";
import { createPlane } from "./plane.js";
import { SECOND, targetGoal, targetKey } from "./store.js";
import { onTheme } from "./theme.js";
import { trialTip } from "./tip.js";

export function slicesView(store) {
  const { section, heading, body } = panel("Parameters against the metric", "slices");
  const grid = el("div", { class: "slices" });
  const planes = new Map();
  body.append(grid);
  const draw = () => {
    heading.textContent = `Each parameter against ${plainText(store.metric)}`;
    const keys = varyingParams(store);
    if (!keys.length) { fill(grid, emptyNote("No parameter has had two values yet.")); planes.clear(); return; }
    if (keys.some((key) => !planes.has(key)) || planes.size !== keys.length) arrange(store, grid, planes, keys);
    const y = targetAxis(store, targetKey(store), targetGoal(store));
    for (const key of keys) { const cell = planes.get(key); cell.stale = y; if (cell.seen) drawSlice(store, cell, key); }
  };
  store.on("rows filter metric top", draw, SECOND);
  store.on("hover selection", () => {
    for (const { plane, seen } of planes.values()) if (plane.spec && seen) { markRows(store, plane.spec); plane.mark(); }
  });
  onTheme(draw);
  return section;
}

function arrange(store, grid, planes, keys) {
  planes.clear();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) for (const [key, cell] of planes) if (cell.figure === entry.target) { cell.seen = entry.isIntersecting; if (cell.seen && cell.stale) drawSlice(store, cell, key); }
  }, { rootMargin: "100px" });
  for (const key of keys) planes.set(key, sliceCell(store, key));
  fill(grid, ...[...planes.values()].map((cell) => cell.figure));
  for (const cell of planes.values()) watcher.observe(cell.figure);
}

function sliceCell(store, key) {
  const plane = createPlane({
    label: key, height: 150, onbrush: store.brush, onhover: store.hover, tipOf: (row) => trialTip(store, row),
    onpick: (row) => store.select(store.trials.number[row] === store.selected ? null : store.trials.number[row]),
  });
  const figure = el("figure", { class: "slice" }, el("figcaption", {}, plainText(key.slice(2))), plane.host);
  return { plane, figure, seen: false, stale: null };
}

function drawSlice(store, cell, key) {
  const { trials } = store;
  const x = axisOf(store, key);
  const spec = { x, y: { ...cell.stale }, count: trials.count, states: trials.state, mask: store.mask, topRows: store.topRows, narrow: true, yLabels: true, inactive: hasGaps(store, key) };
  cell.stale = null;
  markRows(store, spec);
  cell.plane.draw(spec);
  cell.plane.say(sliceWords(store, x));
}

function sliceWords(store, x) {
  const told = store.topRows.map((row) => x.values[row]).filter((value) => !Number.isNaN(value));
  const best = told.length ? ` The best ${told.length} lie between ${wordOf(x, Math.min(...told))} and ${wordOf(x, Math.max(...told))}.` : "";
  return `${x.title} against ${plainText(store.metric)}, ${plural(store.shown, "trial")} shown.${best}`;
}

function wordOf(axis, value) {
  return axis.scale.levels ? axis.scale.label(value) : formatNumber(value);
}
