/* Points over two axes on a canvas: drag to brush either axis or both, click to choose a trial. Fast for 100,000 points. */
import { el } from "./dom.js";
import { edgeOf } from "./scales.js";
import { colours } from "./theme.js";
import { hideTip, showTip } from "./tip.js";
import { COMPLETE, FAILED, PRUNED, RUNNING } from "./trials.js";

const BAND = 22;
const knownSizes = new WeakMap();
const resizeListeners = new WeakMap();
const sizeObserver = new ResizeObserver(noteSizes);

/* `spec()` gives {x, y: {values, scale, key, title}, band, inactive, line, mask, topRows, selected, count, states}. */
export function createPlane({ label, onbrush, onpick, onhover, tipOf, height }) {
  const base = el("canvas");
  const over = el("canvas", { class: "over" });
  const host = el("div", { class: "plane", role: "img", "aria-label": label, style: { height: `${height}px` } }, base, over);
  const plane = { host, spec: null, box: null, xs: new Float32Array(0), ys: new Float32Array(0), drag: null };
  plane.draw = (spec) => { plane.spec = spec; drawBase(plane, base); drawOver(plane, over); };
  plane.mark = () => drawOver(plane, over);
  plane.say = (text) => host.setAttribute("aria-label", text);
  whenResized(host, () => { if (plane.spec) plane.draw(plane.spec); });
  over.addEventListener("pointerdown", (event) => startDrag(plane, over, event));
  over.addEventListener("pointermove", (event) => moveOver(plane, over, event, { onbrush, onhover, tipOf }));
  over.addEventListener("pointerup", (event) => endDrag(plane, over, event, { onbrush, onpick }));
  over.addEventListener("pointercancel", () => { plane.drag = null; drawOver(plane, over); });
  over.addEventListener("pointerleave", () => { hideTip(); onhover?.(-1); });
  over.addEventListener("dblclick", () => { onbrush?.(plane.spec.x.key, null); onbrush?.(plane.spec.y.key, null); });
  return plane;
}

/* Sizes as observed: asking an element for its size after a change to the page would lay the whole page out anew. */
export function sizeOf(host) {
  if (!knownSizes.has(host)) {
    const size = { width: host.clientWidth, height: host.clientHeight };
    if (!size.width) return size;
    knownSizes.set(host, size);
    sizeObserver.observe(host);
  }
  return knownSizes.get(host);
}

export function whenResized(host, listener) {
  resizeListeners.set(host, listener);
  sizeObserver.observe(host);
}

function noteSizes(entries) {
  for (const { target, contentRect } of entries) {
    const before = knownSizes.get(target);
    const size = { width: Math.round(contentRect.width), height: Math.round(contentRect.height) };
    knownSizes.set(target, size);
    if (before?.width !== size.width || before?.height !== size.height) resizeListeners.get(target)?.();
  }
}

export function fitCanvas(canvas, host) {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const { width, height } = sizeOf(host);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function drawBase(plane, canvas) {
  const { context, width, height } = fitCanvas(canvas, plane.host);
  if (width < 20) return;
  const { spec } = plane;
  context.font = colours().font;
  const labels = spec.y.scale.ticks(Math.max(2, Math.floor(height / 45))).map((tick) => [tick, clipped(spec.y.scale.label(tick), 12)]);
  const left = spec.narrow && !spec.yLabels ? 8 : Math.ceil(Math.max(...labels.map(([, text]) => context.measureText(text).width), context.measureText(spec.band ?? "").width, 10)) + 12;
  plane.box = { left, right: width - 10, top: 8, bottom: height - 24 - (spec.band ? BAND : 0), inactive: spec.inactive ? left + BAND : left };
  drawAxes(plane, context, labels, width, height);
  placePoints(plane);
  drawPoints(plane, context);
  if (spec.line?.length) drawSteps(plane, context);
  if (spec.topRows) for (const row of spec.topRows) drawDot(context, plane.xs[row], plane.ys[row], 4.2, colours().best, colours().panel);
}

function clipped(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function xPlace(plane, share) {
  return plane.box.inactive + share * (plane.box.right - plane.box.inactive);
}

function yPlace(plane, share) {
  return plane.box.bottom - share * (plane.box.bottom - plane.box.top);
}

function drawAxes(plane, context, labels, width, height) {
  const { spec, box } = plane;
  const { line, quiet } = colours();
  context.fillStyle = quiet;
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.beginPath();
  for (const [tick, text] of labels) {
    const y = Math.round(yPlace(plane, spec.y.scale.at(tick))) + 0.5;
    context.moveTo(box.left, y);
    context.lineTo(box.right, y);
    if (!spec.narrow || spec.yLabels) context.fillText(text, box.left - 6, y);
  }
  context.stroke();
  drawTicksBelow(plane, context);
  if (spec.band) {
    context.textAlign = "right";
    context.fillText(spec.band, box.left - 6, box.bottom + 3 + BAND / 2);
    context.strokeStyle = line;
    context.setLineDash([2, 3]);
    context.strokeRect(box.left + 0.5, box.bottom + 3.5, box.right - box.left, BAND - 3);
    context.setLineDash([]);
  }
  if (spec.inactive) {
    context.setLineDash([2, 3]);
    context.strokeRect(box.left + 0.5, box.top + 0.5, BAND - 6, box.bottom - box.top);
    context.setLineDash([]);
  }
}

function drawTicksBelow(plane, context) {
  const { spec, box } = plane;
  const bottom = box.bottom + (spec.band ? BAND : 0);
  context.textAlign = "center";
  context.textBaseline = "top";
  const wanted = Math.max(3, Math.floor((box.right - box.inactive) / 62));
  let taken = -Infinity;
  const ticks = spec.x.scale.ticks(wanted);
  const room = (box.right - box.inactive) / Math.max(1, ticks.length);
  for (const tick of ticks) {
    const text = clipped(spec.x.scale.label(tick), spec.x.scale.levels ? Math.max(3, Math.floor(room / 7)) : 12);
    const half = context.measureText(text).width / 2;
    const x = Math.max(box.left + half, Math.min(box.right + 8 - half, xPlace(plane, spec.x.scale.at(tick))));
    if (x - half < taken + 6) continue;
    context.fillText(text, x, bottom + 7);
    taken = x + half;
  }
}

function placePoints(plane) {
  const { spec, box } = plane;
  if (plane.xs.length < spec.count) { plane.xs = new Float32Array(spec.count + 256); plane.ys = new Float32Array(spec.count + 256); }
  const { xs, ys } = plane;
  const spread = spec.x.scale.levels ? Math.min(0.32, 14 / Math.max(14, (box.right - box.inactive) / spec.x.scale.levels.length)) : 0;
  const bandY = box.bottom + 3 + BAND / 2;
  for (let row = 0; row < spec.count; row += 1) {
    const across = spec.x.values[row];
    const up = spec.y.values[row];
    const shake = spread ? (((row * 2654435761) % 1000) / 1000 - 0.5) * spread * 2 : 0;
    if (Number.isNaN(across)) xs[row] = spec.inactive ? box.left + (BAND - 6) * (0.2 + 0.6 * (((row * 40503) % 97) / 97)) : NaN;
    else xs[row] = xPlace(plane, spec.x.scale.at(across + shake));
    const share = spec.y.scale.at(up);
    ys[row] = Number.isNaN(share) ? (spec.band ? bandY : NaN) : yPlace(plane, Math.max(-0.015, Math.min(1.015, share)));
  }
}

function drawPoints(plane, context) {
  const { spec } = plane;
  const { dot, failed, pruned, running, faint } = colours();
  const many = spec.count > 1500;
  const colour = { [COMPLETE]: dot, [PRUNED]: pruned, [FAILED]: failed, [RUNNING]: running };
  const size = spec.narrow ? (many ? 2 : 4) : many ? 3 : 6;
  plotRows(plane, context, (row) => !spec.mask[row], faint, size, COMPLETE);
  context.globalAlpha = many ? 0.55 : 0.75;
  for (const state of [COMPLETE, PRUNED, RUNNING, FAILED]) plotRows(plane, context, (row) => spec.mask[row] && spec.states[row] === state, colour[state], size, state);
  context.globalAlpha = 1;
}

function plotRows(plane, context, wanted, colour, size, state) {
  const { xs, ys, spec } = plane;
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 1.4;
  const half = size / 2;
  if (size <= 3 && state !== FAILED && state !== PRUNED) {
    for (let row = 0; row < spec.count; row += 1) if (wanted(row)) context.fillRect(xs[row] - half, ys[row] - half, size, size);
    return;
  }
  context.beginPath();
  for (let row = 0; row < spec.count; row += 1) {
    if (!wanted(row)) continue;
    const x = xs[row];
    const y = ys[row];
    if (state === FAILED) { context.moveTo(x - half, y - half); context.lineTo(x + half, y + half); context.moveTo(x + half, y - half); context.lineTo(x - half, y + half); }
    else if (state === PRUNED) { context.moveTo(x - half, y); context.lineTo(x + half, y); }
    else { context.moveTo(x + half, y); context.arc(x, y, half, 0, 6.2832); }
  }
  if (state === FAILED || state === PRUNED) context.stroke(); else context.fill();
}

function drawSteps(plane, context) {
  const { spec } = plane;
  const { best } = colours();
  context.strokeStyle = best;
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  let y = 0;
  spec.line.forEach(([number, value], at) => {
    const x = xPlace(plane, spec.x.scale.at(number));
    if (at) context.lineTo(x, y);
    y = yPlace(plane, Math.max(-0.015, Math.min(1.015, spec.y.scale.at(value))));
    if (at) context.lineTo(x, y); else context.moveTo(x, y);
  });
  context.lineTo(xPlace(plane, spec.x.scale.at(spec.lineEnd)), y);
  context.stroke();
}

function drawDot(context, x, y, radius, colour, edge) {
  if (Number.isNaN(x) || Number.isNaN(y)) return;
  context.beginPath();
  context.arc(x, y, radius, 0, 6.2832);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = edge;
  context.lineWidth = 1;
  context.stroke();
}

function drawOver(plane, canvas) {
  const { context } = fitCanvas(canvas, plane.host);
  const { spec, box } = plane;
  if (!spec || !box) return;
  const { brush, best, text } = colours();
  context.fillStyle = brush;
  for (const [axis, place, across] of [[spec.x, xPlace, true], [spec.y, yPlace, false]]) {
    const range = axis.brush && rangeOf(axis);
    if (!range) continue;
    const [one, other] = range.map((share) => place(plane, share));
    if (across) context.fillRect(one, box.top, other - one, box.bottom - box.top);
    else context.fillRect(box.left, other, box.right - box.left, one - other);
  }
  for (const row of [spec.selectedRow, spec.hoveredRow]) {
    if (row === undefined || row < 0) continue;
    context.beginPath();
    context.arc(plane.xs[row], plane.ys[row], 7, 0, 6.2832);
    context.strokeStyle = row === spec.selectedRow ? best : text;
    context.lineWidth = 2;
    context.stroke();
  }
  if (plane.drag?.moved) drawRubber(plane, context);
}

function rangeOf(axis) {
  const { brush, scale } = axis;
  if (brush.inactive) return null;
  if (brush.levels) return null;
  return [brush.low === undefined ? 0 : edgeOf(scale, brush.low), brush.high === undefined ? 1 : edgeOf(scale, brush.high)];
}

function drawRubber(plane, context) {
  const { from, to } = plane.drag;
  context.strokeStyle = colours().text;
  context.setLineDash([3, 3]);
  context.strokeRect(Math.min(from.x, to.x), Math.min(from.y, to.y), Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  context.setLineDash([]);
}

function pointerIn(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function startDrag(plane, canvas, event) {
  if (event.button !== 0 || !plane.box) return;
  const from = pointerIn(canvas, event);
  plane.drag = { from, to: from, moved: false };
  if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
}

function moveOver(plane, canvas, event, { onbrush, onhover, tipOf }) {
  const to = pointerIn(canvas, event);
  if (!plane.drag) {
    const row = nearestRow(plane, to);
    onhover?.(row);
    if (row >= 0 && tipOf) showTip(event.clientX, event.clientY, tipOf(row)); else hideTip();
    return;
  }
  plane.drag.to = to;
  plane.drag.moved ||= Math.hypot(to.x - plane.drag.from.x, to.y - plane.drag.from.y) > 5;
  if (plane.drag.moved) { hideTip(); brushDrag(plane, onbrush); drawOver(plane, canvas); }
}

function brushDrag(plane, onbrush) {
  const { from, to } = plane.drag;
  const { box, spec } = plane;
  const across = Math.abs(to.x - from.x);
  const up = Math.abs(to.y - from.y);
  const share = (place) => (place - box.inactive) / (box.right - box.inactive);
  const rise = (place) => (box.bottom - place) / (box.bottom - box.top);
  if (spec.inactive && from.x < box.inactive && to.x < box.inactive) { onbrush(spec.x.key, { inactive: true }); return; }
  if (across >= up / 3) onbrush(spec.x.key, spec.x.between(share(Math.min(from.x, to.x)), share(Math.max(from.x, to.x))));
  if (up >= across / 3) onbrush(spec.y.key, spec.y.between(rise(Math.max(from.y, to.y)), rise(Math.min(from.y, to.y))));
}

function endDrag(plane, canvas, event, { onbrush, onpick }) {
  const { drag } = plane;
  plane.drag = null;
  if (!drag) return;
  if (!drag.moved) {
    const row = nearestRow(plane, drag.to);
    if (row >= 0) onpick?.(row);
    else if (plane.spec.x.brush || plane.spec.y.brush) { onbrush(plane.spec.x.key, null); onbrush(plane.spec.y.key, null); }
  }
  drawOver(plane, canvas);
}

function nearestRow(plane, { x, y }) {
  const { xs, ys, spec } = plane;
  let nearest = -1;
  let least = 144;
  if (!spec) return nearest;
  for (let row = 0; row < spec.count; row += 1) {
    const away = (xs[row] - x) ** 2 + (ys[row] - y) ** 2 + (spec.mask[row] ? 0 : 60);
    if (away < least) { least = away; nearest = row; }
  }
  return nearest;
}
