/* The axis of a column: its scale from the space where it has one, else from the values. */
import { brushBetween } from "./filter.js";
import { plainText } from "./format.js";
import { levelScale, numberScale, padded, quantile } from "./scales.js";
import { COMPLETE, extent, levelsOf, titleOf, valuesOf, varies } from "./trials.js";

export function axisOf(store, key) {
  const { trials } = store;
  const values = valuesOf(trials, key) ?? new Float64Array(trials.count).fill(NaN);
  const levels = levelsOf(trials, key);
  const scale = levels ? levelScale(levels) : remembered(store, `axis ${key}`, () => numberAxis(store, key, values));
  return { key, values, scale, title: plainText(titleOf(key)), brush: store.brushes.get(key) ?? null, between: (from, to) => brushBetween(scale, from, to) };
}

function numberAxis(store, key, values) {
  const space = key.startsWith("p.") ? store.space.get(key.slice(2)) : null;
  const seen = extent(values, store.trials.count) ?? [0, 1];
  const low = Math.min(space?.low ?? Infinity, seen[0]);
  const high = Math.max(space?.high ?? -Infinity, seen[1]);
  return numberScale(...padded(low, high, space?.log), Boolean(space?.log));
}

/* The axis of the metric: a few far worse values do not flatten all others; they stand at its edge, and are counted. */
export function targetAxis(store, key, goal) {
  const axis = axisOf(store, key);
  const { scale, beyond, positive } = remembered(store, `target ${key} ${store.logValue}`, () => targetScale(store, axis, goal));
  return { ...axis, scale, beyond, positive, between: (from, to) => brushBetween(scale, from, to) };
}

/* What rests on the trials alone is worked out once for each change of them, not for each move of a brush. */
function remembered(store, name, make) {
  if (store.memory?.changes !== store.changes) store.memory = { changes: store.changes };
  store.memory[name] ??= make();
  return store.memory[name];
}

function targetScale(store, axis, goal) {
  const { trials } = store;
  const finite = [];
  for (let row = 0; row < trials.count; row += 1) if (trials.state[row] === COMPLETE && Number.isFinite(axis.values[row])) finite.push(axis.values[row]);
  const sorted = Float64Array.from(finite).sort();
  if (!sorted.length) return { scale: axis.scale, beyond: 0, positive: true };
  const [low, high] = calmRange(sorted, goal);
  const log = store.logValue && sorted[0] > 0;
  const scale = numberScale(...padded(low, high, log), log);
  const beyond = finite.filter((value) => value < low || value > high).length;
  return { scale, beyond, positive: sorted[0] > 0 };
}

function calmRange(sorted, goal) {
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  if (sorted.length < 20) return [least, most];
  const [low, high] = [quantile(sorted, 0.05), quantile(sorted, 0.9)];
  const room = 2.5 * (high - low);
  if (goal === "maximize") { const worst = quantile(sorted, 0.1) - 2.5 * (quantile(sorted, 0.95) - quantile(sorted, 0.1)); return [worst > least && worst < most ? worst : least, most]; }
  return [least, high + room < most && room > 0 ? high + room : most];
}

/* Keys of the parameters with more than one value, in the order of the space. */
export function varyingParams(store) {
  return remembered(store, "varying", () => varyingKeys(store));
}

function varyingKeys(store) {
  const { trials } = store;
  const known = [...store.space.keys()].filter((name) => trials.params.has(name));
  const others = [...trials.params.keys()].filter((name) => !store.space.has(name));
  return [...known, ...others].map((name) => `p.${name}`).filter((key) => varies(trials, key));
}

export function hasGaps(store, key) {
  return remembered(store, `gaps ${key}`, () => ({ found: anyGap(valuesOf(store.trials, key), store.trials.count) })).found;
}

function anyGap(values, count) {
  for (let row = 0; row < count; row += 1) if (Number.isNaN(values[row])) return true;
  return false;
}
