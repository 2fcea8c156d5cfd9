/* Parallel coordinates: one line a trial through all axes; drag along an axis to brush it. Drawn in slices of time. */
import { axisOf, hasGaps, targetAxis, varyingParams } from "./axes.js";
import { el, emptyNote, fill, panel } from "./dom.js";
import { openFilter } from "./filterbar.js";
import { formatCount, plainText, plural } from "./format.js";
import { fitCanvas, sizeOf, whenResized } from "./plane.js";
import { edgeOf } from "./scales.js";
import { SECOND, targetGoal, targetKey, valuedRows } from "./store.js";
import { colours, onTheme, ramp } from "./theme.js";
import { hideTip, showTip, trialTip } from "./tip.js";

const TOP = 30;
const FOOT = 30;
const SHADES = 10;
const MOST_AXES = 14;
const FRAME = 8;
const FEW_LINES = 350;
const MOST_LINES = 4000;
const MOST_UNDER = 1500;
const SLICE = 40;
const CALM = 140;

export function parallelView(store) {
  const { section, body, tools } = panel("Parallel coordinates", "parallel");
  const [under, lines, over] = ["under", "lines", "over"].map((name) => el("canvas", { class: name }));
  const heads = el("div", { class: "axis-heads" });
  const host = el("div", { class: "parallel", role: "group" }, el("div", { class: "canvases", role: "img", "aria-label": "Parallel coordinates" }, under, lines, over), heads);
  const scroller = el("div", { class: "parallel-scroll", tabindex: "0", role: "region", "aria-label": "Parallel coordinates, scrolls sideways" }, host);
  const view = { store, host, under, lines, over, heads, image: host.firstChild, axes: [], keys: "", jobs: {}, timers: {}, drag: null, colour: new Uint8Array(0) };
  const part = el("span", { class: "quiet" });
  const key = el("span", { class: "scale-key" }, el("span", {}, "worse"), el("span", { class: "scale-ramp" }), el("span", {}, "better"));
  tools.append(part, key);
  body.append(scroller);
  const empty = emptyNote("No parameter has had two values yet.");
  const draw = (events) => {
    const keys = varyingParams(store);
    const few = keys.length === 0;
    if (few !== (body.firstChild === empty)) fill(body, few ? empty : scroller);
    if (!few) layOut(view, mostImportant(store, keys), events);
    key.hidden = !targetGoal(store);
    part.textContent = few ? "" : partWords(view, keys.length);
  };
  store.on("rows filter metric top importance", draw, SECOND);
  store.on("hover selection", () => drawMarks(view));
  onTheme(() => draw(["rows"]));
  whenResized(host, () => { if (view.axes.length) draw(["rows"]); });
  over.addEventListener("pointerdown", (event) => beginBrush(view, event));
  over.addEventListener("pointermove", (event) => moveBrush(view, event));
  over.addEventListener("pointerup", () => endBrush(view));
  over.addEventListener("pointercancel", () => { view.drag = null; });
  over.addEventListener("pointerleave", () => { hideTip(); if (!view.drag) store.hover(-1); });
  over.addEventListener("touchstart", (event) => { if (event.touches.length === 1 && axisAt(view, placeIn(view, event.touches[0]).x)) event.preventDefault(); }, { passive: false }); // a finger on an axis brushes, beside it it scrolls
  return section;
}

/* Where there is no room for all parameters those that decide most, as far as that is known; in the order of the space. */
function mostImportant(store, keys) {
  if (keys.length <= MOST_AXES) return keys;
  const share = (key) => store.shares?.get(key.slice(2)) ?? 0;
  const chosen = new Set([...keys].sort((one, other) => share(other) - share(one)).slice(0, MOST_AXES));
  return keys.filter((key) => chosen.has(key));
}

/* What is not drawn. */
function partWords(view, count) {
  const { store } = view;
  const words = [];
  if (count > MOST_AXES) words.push(store.shares ? `the ${MOST_AXES} of ${count} parameters that matter most` : `the first ${MOST_AXES} of ${count} parameters`);
  const rows = passingRows(store);
  if (rows.length > MOST_LINES) words.push(`${formatCount(thinned(rows, MOST_LINES).length)} of ${formatCount(rows.length)} lines, evenly chosen`);
  if (!rows.length) words.push(store.shown ? `no trial with ${plainText(store.metric)}` : "no trial passes the filter");
  return words.join("; ");
}

function layOut(view, keys, events) {
  const { store, host } = view;
  const last = { ...targetAxis(store, targetKey(store), targetGoal(store)), title: plainText(store.metric) };
  const before = new Map(view.axes.map((axis) => [axis.key, axis.ys]));
  view.axes = [...keys.slice(0, MOST_AXES).map((key) => axisOf(store, key)), last];
  host.style.setProperty("min-width", `${view.axes.length * 92}px`);
  const { width, height } = sizeOf(host);
  view.height = height;
  const margin = view.axes[0].scale.levels ? 72 : 52;
  view.axes.forEach((axis, at) => {
    axis.ys = before.get(axis.key);
    axis.x = margin + (at * (width - margin - 56)) / Math.max(1, view.axes.length - 1);
    axis.gaps = at < view.axes.length - 1 && hasGaps(store, axis.key);
  });
  headLine(view);
  const moved = events.some((event) => event !== "filter" && event !== "top");
  if (moved) placeLines(view);
  const filtered = store.shown < store.trials.count;
  if (moved || view.wasFiltered !== filtered) drawLines(view, "under", underRows(view, filtered), colours().faint);
  view.wasFiltered = filtered;
  drawLines(view, "lines", shownRows(view), null);
  drawMarks(view);
  view.image.setAttribute("aria-label", `Parallel coordinates of ${plural(store.shown, "trial")} over ${view.axes.map((axis) => axis.title).join(", ")}. Filters are set by the buttons that name the axes.`);
}

function headLine(view) {
  const keys = view.axes.map((axis) => axis.key).join(" ");
  if (view.keys !== keys) {
    view.keys = keys;
    fill(view.heads, ...view.axes.map((axis) => el("button", { type: "button", class: "axis-head", title: `Filter by ${axis.title}`, onclick: () => openFilter(view.store, axis.key) }, axis.title)));
  }
  [...view.heads.children].forEach((head, at) => {
    head.style.left = `${view.axes[at].x}px`;
    head.classList.toggle("brushed", Boolean(view.axes[at].brush));
  });
}

function placeLines(view) {
  const { store, axes } = view;
  const { count } = store.trials;
  const span = view.height - TOP - FOOT - 18;
  for (const axis of axes) {
    if (!axis.ys || axis.ys.length < count) axis.ys = new Float32Array(count);
    const wide = axis.scale.levels ? Math.min(0.6, 24 * axis.scale.levels.length / span) : 0;
    for (let row = 0; row < count; row += 1) {
      const value = axis.values[row];
      const shake = wide ? ((((row * 2654435761) >>> 0) % 1000) / 1000 - 0.5) * wide : 0;
      const share = Number.isNaN(value) ? NaN : axis.scale.at(value + shake);
      axis.ys[row] = Number.isNaN(share) ? view.height - 14 : TOP + (1 - Math.max(0, Math.min(1, share))) * span;
    }
  }
  if (view.colour.length < count) view.colour = new Uint8Array(count + 256);
  view.colour.fill(targetGoal(store) ? 0 : SHADES / 2);
  const { ranked } = store;
  ranked.forEach((row, place) => { view.colour[row] = Math.min(SHADES - 1, Math.floor((1 - place / Math.max(1, ranked.length)) * SHADES)); });
}

function shownRows(view) {
  return thinned(passingRows(view.store), MOST_LINES);
}

/* The trials with a value that pass the filter, the best last, so that they lie on top. */
function passingRows(store) {
  const { ranked, mask } = store;
  const rows = [];
  if (targetGoal(store)) for (let at = ranked.length - 1; at >= 0; at -= 1) { if (mask[ranked[at]]) rows.push(ranked[at]); }
  else for (const row of valuedRows(store)) if (mask[row]) rows.push(row);
  return rows;
}

function underRows(view, filtered) {
  return filtered ? thinned(targetGoal(view.store) ? [...view.store.ranked] : valuedRows(view.store), MOST_UNDER) : [];
}

function thinned(rows, most) {
  const every = Math.ceil(rows.length / most);
  return every > 1 ? rows.filter((_, at) => at % every === 0) : rows;
}

/* A few lines, spread over all, are there at once; the whole picture is drawn aside in slices of time and then shown. */
function drawLines(view, slot, rows, colour) {
  const job = (view.jobs[slot] ?? 0) + 1;
  view.jobs[slot] = job;
  const { context } = fitCanvas(view[slot], view.host);
  const few = thinned(rows, FEW_LINES);
  strokeLines(view, context, few, colour);
  clearTimeout(view.timers[slot]);
  if (few === rows) return;
  const still = () => view.jobs[slot] === job && view.host.isConnected;
  view.timers[slot] = setTimeout(() => refine(view, slot, { rows, colour, still }), CALM);
}

function refine(view, slot, { rows, colour, still }) {
  const aside = document.createElement("canvas");
  const { context } = fitCanvas(aside, view.host);
  let at = 0;
  const step = () => {
    if (!still()) return;
    const started = performance.now();
    for (; at < rows.length && performance.now() - started < FRAME; at += SLICE) strokeLines(view, context, rows.slice(at, at + SLICE), colour, rows.length);
    if (at < rows.length) { requestAnimationFrame(step); return; }
    const { context: shown, width, height } = fitCanvas(view[slot], view.host);
    shown.drawImage(aside, 0, 0, width, height);
  };
  step();
}

function strokeLines(view, context, rows, colour, total = rows.length) {
  context.globalAlpha = colour ? 1 : Math.max(0.14, Math.min(0.75, 260 / Math.max(1, total) + 0.1));
  context.lineWidth = 1;
  let shade = -1;
  for (const row of rows) {
    if (colour ? shade < 0 : view.colour[row] !== shade) {
      if (shade >= 0) context.stroke();
      shade = colour ? 0 : view.colour[row];
      context.strokeStyle = colour ?? ramp(shade / (SHADES - 1));
      context.beginPath();
    }
    trace(view, context, row);
  }
  if (shade >= 0) context.stroke();
}

function trace(view, context, row) {
  const { axes } = view;
  context.moveTo(axes[0].x, axes[0].ys[row]);
  for (let at = 1; at < axes.length; at += 1) context.lineTo(axes[at].x, axes[at].ys[row]);
}

function drawMarks(view) {
  if (!view.axes.length) return;
  const { context } = fitCanvas(view.over, view.host);
  const { store } = view;
  const { best, text } = colours();
  context.lineWidth = 1.6;
  context.strokeStyle = best;
  context.beginPath();
  for (const row of store.topRows) trace(view, context, row);
  context.stroke();
  const chosen = store.selected === null ? -1 : store.trials.rowOf.get(store.selected) ?? -1;
  for (const row of [chosen, store.hovered]) {
    if (row < 0 || row >= store.trials.count) continue;
    context.beginPath();
    context.lineWidth = 2.6;
    context.strokeStyle = row === chosen ? best : text;
    trace(view, context, row);
    context.stroke();
  }
  drawParallelAxes(view, context);
}

function drawParallelAxes(view, context) {
  const { line, quiet, brush, text, panel: ground } = colours();
  const bottom = view.height - FOOT - 18;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const axis of view.axes) {
    context.strokeStyle = quiet;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(axis.x + 0.5, TOP);
    context.lineTo(axis.x + 0.5, bottom);
    context.stroke();
    const span = bottom - TOP;
    const ticks = axis.scale.ticks(5);
    const every = Math.ceil(ticks.length / 14);
    context.textAlign = axis === view.axes.at(-1) ? "left" : "right";
    const side = axis === view.axes.at(-1) ? 6 : -6;
    context.lineWidth = 3;
    context.strokeStyle = ground;
    ticks.forEach((tick, at) => {
      if (at % every) return;
      const y = TOP + (1 - axis.scale.at(tick)) * span;
      const label = axis.scale.label(tick);
      const shown = label.length > 9 ? `${label.slice(0, 8)}…` : label;
      context.strokeText(shown, axis.x + side, y);
      context.fillStyle = text;
      context.fillText(shown, axis.x + side, y);
    });
    if (axis.gaps) {
      context.lineWidth = 1;
      context.strokeStyle = line;
      context.setLineDash([2, 3]);
      context.strokeRect(axis.x - 26, view.height - 22, 52, 16);
      context.setLineDash([]);
      context.textAlign = "center";
      context.fillStyle = quiet;
      context.lineWidth = 3;
      context.strokeStyle = ground;
      context.strokeText("inactive", axis.x, view.height - 14);
      context.fillText("inactive", axis.x, view.height - 14);
    }
    if (axis.brush) drawAxisBrush(view, context, axis, { bottom, fill: brush, edge: text });
  }
}

function drawAxisBrush(view, context, axis, { bottom, fill: ground, edge }) {
  const span = bottom - TOP;
  const place = (value, otherwise) => (value === undefined ? otherwise : TOP + (1 - edgeOf(axis.scale, value)) * span);
  const boxes = [];
  if (axis.brush.inactive) boxes.push([view.height - 22, view.height - 6]);
  else if (axis.brush.levels) {
    const half = span / axis.scale.levels.length / 2;
    const wanted = new Set(axis.brush.levels.map((level) => JSON.stringify(level)));
    axis.scale.levels.forEach((level, at) => { if (wanted.has(JSON.stringify(level))) { const y = place(at); boxes.push([y - half, y + half]); } });
  } else boxes.push([place(axis.brush.high, TOP), place(axis.brush.low, bottom)]);
  context.fillStyle = ground;
  context.strokeStyle = edge;
  context.lineWidth = 1;
  for (const [top, low] of boxes) {
    context.fillRect(axis.x - 8, top, 16, low - top);
    context.strokeRect(axis.x - 8, top, 16, low - top);
  }
}

function placeIn(view, event) {
  const box = view.over.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function axisAt(view, x) {
  return view.axes.find((each) => Math.abs(each.x - x) < 18);
}

function beginBrush(view, event) {
  const { x, y } = placeIn(view, event);
  const axis = axisAt(view, x);
  if (!axis || event.button !== 0) return;
  view.drag = { key: axis.key, from: y, moved: false };
  if (axis.gaps && y > view.height - 24) { view.store.brush(axis.key, axis.brush?.inactive ? null : { inactive: true }); view.drag = null; return; }
  view.over.setPointerCapture(event.pointerId);
}

function moveBrush(view, event) {
  const { x, y } = placeIn(view, event);
  if (!view.drag) {
    view.over.style.cursor = axisAt(view, x) ? "ns-resize" : "default";
    hoverLine(view, event, x, y);
    return;
  }
  const axis = view.axes.find((each) => each.key === view.drag.key);
  view.drag.moved ||= Math.abs(y - view.drag.from) > 3;
  if (!view.drag.moved || !axis) return;
  const bottom = view.height - FOOT - 18;
  const share = (place) => (bottom - place) / (bottom - TOP);
  view.store.brush(axis.key, axis.between(Math.max(0, share(Math.max(y, view.drag.from))), Math.min(1, share(Math.min(y, view.drag.from)))));
}

function endBrush(view) {
  if (view.drag && !view.drag.moved) view.store.brush(view.drag.key, null);
  view.drag = null;
}

function hoverLine(view, event, x, y) {
  const { axes, store } = view;
  const at = Math.max(1, axes.findIndex((axis) => axis.x > x));
  const [left, right] = [axes[at - 1], axes[at]];
  const share = (x - left.x) / (right.x - left.x);
  let nearest = -1;
  let least = 6;
  for (const row of store.ranked) {
    if (!store.mask[row]) continue;
    const away = Math.abs(left.ys[row] + (right.ys[row] - left.ys[row]) * share - y);
    if (away < least) { least = away; nearest = row; }
  }
  store.hover(nearest);
  if (nearest >= 0) showTip(event.clientX, event.clientY, trialTip(store, nearest)); else hideTip();
}
