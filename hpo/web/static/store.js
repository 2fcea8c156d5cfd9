/* What all views of one sweep look at: its trials, the filter, the order, what is chosen; each change is told once a frame. */
import { readAddress, writeAddress } from "./address.js";
import { brushOf, brushText, isBrushKey, maskOf } from "./filter.js";
import { COMPLETE, emptyTrials, mergeTrials, numberOrder, replaceTrials, valuesOf } from "./trials.js";

const FIRST = 1;
export const SECOND = 2; // drawn after the first screen is to be seen

export function createStore(sweep) {
  const goals = goalsOf(sweep);
  const store = {
    sweep, goals, trials: emptyTrials(), brushes: new Map(), sort: { key: "number", down: true }, top: 10, tab: "", firstTab: "", logValue: false,
    metric: goals[0].name, assumed: null, hovered: -1, selected: null, space: new Map((sweep.space ?? []).map((each) => [each.name, each])),
    mask: new Uint8Array(0), shown: 0, ranked: new Int32Array(0), topRows: [], order: new Int32Array(0), best: [], changes: 0,
  };
  const listeners = new Map();
  const told = new Set();
  const patient = new Set();
  let frame = 0;
  let isDrawn = false;

  store.on = (events, listener, priority = FIRST) => {
    for (const event of events.split(" ")) listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    if (priority === SECOND) patient.add(listener);
  };
  store.tell = (...events) => {
    for (const event of events) told.add(event);
    frame ||= requestAnimationFrame(flush);
  };
  function flush() {
    frame = 0;
    const events = [...told];
    told.clear();
    if (events.includes("rows") || events.includes("metric")) rankRows(store);
    if (events.some((event) => event === "rows" || event === "filter" || event === "metric" || event === "top")) derive(store);
    const due = [...new Set(events.flatMap((event) => listeners.get(event) ?? []))];
    for (const listener of due) if (isDrawn || !patient.has(listener)) listener(events);
    if (!isDrawn) afterPaint(() => { isDrawn = true; for (const listener of due) if (patient.has(listener) && listeners.size) listener(events); });
    if (events.some((event) => event !== "rows" && event !== "hover" && event !== "sweep")) writeAddress(addressOf(store));
  }
  store.stop = () => { cancelAnimationFrame(frame); listeners.clear(); };
  store.merge = (columns) => {
    if (columns.whole) replaceTrials(store.trials, columns); else mergeTrials(store.trials, columns);
    store.changes += 1;
    store.tell("rows");
  };
  store.brush = (key, brush) => {
    if (brush) store.brushes.set(key, brush); else store.brushes.delete(key);
    store.tell("filter");
  };
  store.clear = () => { store.brushes.clear(); store.tell("filter"); };
  store.select = (number) => { store.selected = number; store.tell("selection"); };
  store.hover = (row) => { if (row !== store.hovered) { store.hovered = row; store.tell("hover"); } };
  takeAddress(store);
  return store;
}

/* Once what was drawn in this frame is to be seen. */
function afterPaint(call) {
  requestAnimationFrame(() => setTimeout(call));
}

/* The metrics that are searched, first one first: [{name, goal}]. */
export function goalsOf(sweep) {
  const given = sweep.goals ?? [];
  const listed = Array.isArray(given) ? given : Object.entries(given).map(([name, goal]) => ({ name, goal }));
  const goals = listed.filter((each) => each && each.name);
  return goals.length ? goals : [{ name: sweep.metric ?? "value", goal: sweep.goal_is_known === false ? null : sweep.goal ?? null }];
}

export function targetKey(store) {
  return store.goals.length === 1 && store.metric === store.goals[0].name ? "value" : `m.${store.metric}`;
}

export function targetValues(store) {
  return valuesOf(store.trials, targetKey(store)) ?? new Float64Array(store.trials.count).fill(NaN);
}

export function targetGoal(store) {
  return store.goals.find((each) => each.name === store.metric)?.goal ?? store.assumed;
}

/* Finished trials that have a value of the metric, by number; without a goal nothing is better than anything else. */
export function valuedRows(store) {
  const values = targetValues(store);
  return [...store.order].filter((row) => store.trials.state[row] === COMPLETE && Number.isFinite(values[row]));
}

function rankRows(store) {
  const { trials } = store;
  const values = targetValues(store);
  const goal = targetGoal(store);
  const rows = [];
  for (let row = 0; row < trials.count; row += 1) if (trials.state[row] === COMPLETE && !trials.infeasible[row] && Number.isFinite(values[row])) rows.push(row);
  const sign = goal === "maximize" ? -1 : 1;
  store.ranked = goal ? Int32Array.from(rows).sort((one, other) => sign * (values[one] - values[other]) || trials.number[one] - trials.number[other]) : new Int32Array(0);
  store.order = numberOrder(trials);
  store.best = goal ? bestSoFar(trials, store.order, values, sign) : [];
}

/* Where the best value changes: [[number, value, row], ..] in the order of numbers. */
function bestSoFar(trials, order, values, sign) {
  const steps = [];
  let best = Infinity;
  for (const row of order) {
    if (trials.state[row] !== COMPLETE || trials.infeasible[row]) continue;
    const value = sign * values[row];
    if (value < best && Number.isFinite(value)) { best = value; steps.push([trials.number[row], values[row], row]); }
  }
  return steps;
}

function derive(store) {
  Object.assign(store, maskOf(store.trials, store.brushes));
  store.topRows = [];
  for (const row of store.ranked) {
    if (store.topRows.length >= store.top) break;
    if (store.mask[row]) store.topRows.push(row);
  }
}

function addressOf(store) {
  const parameters = new URLSearchParams();
  for (const [key, brush] of store.brushes) parameters.set(key, brushText(brush));
  if (store.sort.key !== "number" || !store.sort.down) parameters.set("sort", `${store.sort.down ? "-" : ""}${store.sort.key}`);
  if (store.top !== 10) parameters.set("top", store.top);
  if (store.tab !== store.firstTab) parameters.set("tab", store.tab);
  if (store.metric !== store.goals[0].name) parameters.set("metric", store.metric);
  if (store.assumed) parameters.set("goal", store.assumed);
  if (store.logValue) parameters.set("log", "1");
  if (store.selected !== null) parameters.set("trial", store.selected);
  return parameters;
}

function takeAddress(store) {
  for (const [key, text] of readAddress()) {
    if (isBrushKey(key)) { const brush = brushOf(text); if (brush) store.brushes.set(key, brush); }
    else if (key === "sort" && text) store.sort = { key: text.replace(/^-/, ""), down: text.startsWith("-") };
    else if (key === "top" && Number(text) >= 0) store.top = Number(text);
    else if (key === "tab") store.tab = text;
    else if (key === "metric") store.metric = text;
    else if (key === "goal" && ["minimize", "maximize"].includes(text)) store.assumed = text;
    else if (key === "log") store.logValue = text === "1";
    else if (key === "trial" && /^-?\d+$/.test(text)) store.selected = Number(text);
  }
}
