/* The trials of a sweep as columns of numbers: null is NaN, a choice is its place in `levels`. */

export const STATES = ["COMPLETE", "RUNNING", "WAITING", "PRUNED", "FAILED"];
export const COMPLETE = 0;
export const RUNNING = 1;
export const PRUNED = 3;
export const FAILED = 4;

const NUMBERS = ["number", "value", "seconds", "started", "ended", "attempt", "slot"];

export function emptyTrials() {
  const trials = { count: 0, total: 0, sample: null, unreadable: 0, revision: null, room: 0, rowOf: new Map(), state: new Uint8Array(0), infeasible: new Uint8Array(0), reason: [], run: [], params: new Map(), metrics: new Map() };
  for (const name of NUMBERS) trials[name] = new Float64Array(0);
  return trials;
}

export function mergeTrials(trials, columns) {
  const { number } = columns;
  const rows = new Int32Array(number.length);
  makeRoom(trials, trials.count + number.length);
  number.forEach((each, at) => { rows[at] = rowFor(trials, each); });
  const states = columns.states.map((name) => Math.max(0, STATES.indexOf(name)));
  for (const name of NUMBERS) {
    const from = columns[name];
    if (from) rows.forEach((row, at) => { trials[name][row] = asNumber(from[at]); });
  }
  rows.forEach((row, at) => {
    trials.state[row] = states[columns.state[at]] ?? 0;
    trials.infeasible[row] = columns.infeasible?.[at] ? 1 : 0;
    trials.reason[row] = columns.reason?.[at] ?? "";
    trials.run[row] = columns.run?.[at] ?? "";
  });
  for (const [name, column] of Object.entries(columns.params ?? {})) mergeParam(trials, name, column, rows);
  for (const group of [columns.metrics, columns.values]) for (const [name, values] of Object.entries(group ?? {})) mergeMetric(trials, name, values, rows);
  trials.total = Math.max(columns.total ?? 0, trials.count);
  if (columns.sample !== undefined) trials.sample = columns.sample ?? trials.sample;
  trials.unreadable = columns.unreadable ?? trials.unreadable;
  trials.revision = columns.revision ?? trials.revision;
  return rows;
}

function asNumber(value) {
  if (value === null || value === undefined) return NaN;
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  const asked = Number(value);
  return Number.isNaN(asked) ? Date.parse(value) : asked;
}

function rowFor(trials, number) {
  let row = trials.rowOf.get(number);
  if (row === undefined) {
    row = trials.count;
    trials.rowOf.set(number, row);
    trials.count += 1;
  }
  return row;
}

/* The same sweep read anew, where rows may have gone. */
export function replaceTrials(trials, columns) {
  Object.assign(trials, emptyTrials());
  return mergeTrials(trials, columns);
}

function makeRoom(trials, needed) {
  if (needed <= trials.room) return;
  trials.room = Math.max(256, needed, Math.ceil(trials.room * 1.5));
  for (const name of NUMBERS) trials[name] = longer(trials[name], trials.room, Float64Array);
  trials.state = longer(trials.state, trials.room, Uint8Array);
  trials.infeasible = longer(trials.infeasible, trials.room, Uint8Array);
  for (const column of trials.params.values()) column.values = longer(column.values, trials.room, Float64Array);
  for (const column of trials.metrics.values()) column.values = longer(column.values, trials.room, Float64Array);
}

function longer(values, room, Kind) {
  const grown = new Kind(room);
  if (Kind === Float64Array) grown.fill(NaN, values.length);
  grown.set(values);
  return grown;
}

function mergeParam(trials, name, column, rows) {
  const known = trials.params.get(name) ?? newColumn(trials, trials.params, name, column.kind);
  if (!column.levels) {
    rows.forEach((row, at) => { known.values[row] = asNumber(column.values[at]); });
    return;
  }
  known.levels ??= [];
  const places = column.levels.map((level) => placeOf(known, level));
  rows.forEach((row, at) => { const index = column.values[at]; known.values[row] = index === null || index === undefined ? NaN : places[index]; });
}

function placeOf(column, level) {
  const key = JSON.stringify(level);
  column.places ??= new Map();
  if (!column.places.has(key)) { column.places.set(key, column.levels.length); column.levels.push(level); }
  return column.places.get(key);
}

function mergeMetric(trials, name, values, rows) {
  const known = trials.metrics.get(name) ?? newColumn(trials, trials.metrics, name, "float");
  rows.forEach((row, at) => { known.values[row] = asNumber(values[at]); });
}

function newColumn(trials, group, name, kind) {
  const column = { name, kind, levels: null, values: new Float64Array(trials.room).fill(NaN) };
  group.set(name, column);
  return column;
}

export function valuesOf(trials, key) {
  if (key.startsWith("p.")) return trials.params.get(key.slice(2))?.values ?? null;
  if (key.startsWith("m.")) return trials.metrics.get(key.slice(2))?.values ?? null;
  return ["state", "infeasible", ...NUMBERS].includes(key) ? trials[key] : null;
}

export function levelsOf(trials, key) {
  if (key === "state") return STATES;
  return key.startsWith("p.") ? trials.params.get(key.slice(2))?.levels ?? null : null;
}

export function titleOf(key) {
  if (key.startsWith("p.") || key.startsWith("m.")) return key.slice(2);
  return { number: "trial", seconds: "duration" }[key] ?? key;
}

export function varies(trials, key) {
  const values = valuesOf(trials, key);
  let first = NaN;
  for (let row = 0; row < trials.count; row += 1) {
    const value = values[row];
    if (Number.isNaN(value)) continue;
    if (Number.isNaN(first)) first = value;
    else if (value !== first) return true;
  }
  return false;
}

export function extent(values, count) {
  let low = Infinity;
  let high = -Infinity;
  for (let row = 0; row < count; row += 1) {
    const value = values[row];
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

export function numberOrder(trials) {
  const order = new Int32Array(trials.count);
  let sorted = true;
  for (let row = 0; row < trials.count; row += 1) {
    order[row] = row;
    if (row && trials.number[row] < trials.number[row - 1]) sorted = false;
  }
  return sorted ? order : order.sort((one, other) => trials.number[one] - trials.number[other]);
}
