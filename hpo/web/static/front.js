/* Several metrics: the trials that no other one beats, and how much they cover as trials come in. */
import { getJson } from "./api.js";
import { axisOf, targetAxis } from "./axes.js";
import { chartAxis, createChart } from "./chart.js";
import { choiceOf, el } from "./dom.js";
import { brushBetween } from "./filter.js";
import { formatNumber, plainText, plural } from "./format.js";
import { createPlane } from "./plane.js";
import { markRows } from "./history.js";
import { numberScale } from "./scales.js";
import { trialTip } from "./tip.js";
import { COMPLETE } from "./trials.js";

export function frontView(store) {
  const names = store.goals.map((each) => [each.name, plainText(each.name)]);
  const chosen = { x: store.goals[0].name, y: (store.goals[1] ?? store.goals[0]).name };
  const plane = createPlane({ label: "Pareto front", height: 380, onbrush: store.brush, onhover: store.hover, tipOf: (row) => trialTip(store, row), onpick: (row) => store.select(store.trials.number[row]) });
  const volume = createChart("Hypervolume", 380);
  const note = el("p", { class: "note" });
  const view = { store, chosen, plane, volume, note, asked: -1 };
  const picks = el("div", { class: "tools" }, choiceOf("Across", names, chosen.x, (name) => { chosen.x = name; drawFront(view); }), choiceOf("Up", names, chosen.y, (name) => { chosen.y = name; drawFront(view); }));
  const node = el("div", {}, picks, el("div", { class: "two" }, el("figure", {}, el("figcaption", {}, "Front"), plane.host), el("figure", {}, el("figcaption", {}, "Hypervolume over trials"), volume.host)), note);
  store.on("hover selection", () => { if (plane.spec && node.isConnected) { markRows(store, plane.spec); plane.mark(); } });
  return { node, draw: () => { drawFront(view); drawVolume(view); } };
}

function drawFront(view) {
  const { store, chosen, plane, note } = view;
  const { trials } = store;
  const members = frontRows(store);
  const [x, y] = [chosen.x, chosen.y].map((name) => frontAxis(store, name, members));
  const spec = { x, y, count: trials.count, states: trials.state, mask: store.mask, topRows: members };
  markRows(store, spec);
  plane.draw(spec);
  const words = `${plural(members.length, "trial")} on the front of ${store.goals.map(({ name, goal }) => `${goal} ${plainText(name)}`).join(", ")}.`;
  plane.say(words);
  note.textContent = words;
}

/* Far worse values stand at the edge, but the whole front is on the picture. */
function frontAxis(store, name, members) {
  const goal = store.goals.find((each) => each.name === name)?.goal;
  const { scale: calm } = targetAxis(store, `m.${name}`, goal);
  const axis = axisOf(store, `m.${name}`);
  const own = members.map((row) => axis.values[row]);
  const scale = numberScale(Math.min(calm.low, ...own), Math.max(calm.high, ...own), calm.log);
  return { ...axis, scale, between: (from, to) => brushBetween(scale, from, to) };
}

/* Rows that no other complete, feasible row is at least as good as in every metric and better in one. */
function frontRows(store) {
  const { trials, goals, mask } = store;
  const columns = goals.map(({ name, goal }) => ({ values: trials.metrics.get(name)?.values, sign: goal === "maximize" ? -1 : 1 }));
  if (columns.some((column) => !column.values)) return [];
  const rows = [];
  for (let row = 0; row < trials.count; row += 1) if (mask[row] && trials.state[row] === COMPLETE && !trials.infeasible[row] && columns.every(({ values }) => Number.isFinite(values[row]))) rows.push(row);
  rows.sort((one, other) => columns[0].sign * (columns[0].values[one] - columns[0].values[other]));
  const front = [];
  for (const row of rows) if (!front.some((member) => beats(columns, member, row))) front.push(row);
  return front.filter((row) => !front.some((other) => beats(columns, other, row)));
}

function beats(columns, one, other) {
  let better = false;
  for (const { values, sign } of columns) {
    const difference = sign * (values[one] - values[other]);
    if (difference > 0) return false;
    if (difference < 0) better = true;
  }
  return better;
}

async function drawVolume(view) {
  const { store, volume } = view;
  const due = Math.floor(store.trials.count / 5);
  if (due === view.asked) return;
  view.asked = due;
  let answer;
  try {
    answer = await getJson(`/api/sweeps/${encodeURIComponent(store.sweep.id)}/front`);
  } catch (error) {
    volume.host.textContent = error.message;
    return;
  }
  const points = hypervolumePoints(answer.hypervolume);
  volume.show({
    legend: { show: false },
    xAxis: { type: "value", ...chartAxis("trial") },
    yAxis: { type: "value", ...chartAxis("", {}) },
    tooltip: { renderMode: "richText", trigger: "axis", formatter: ([point]) => `after trial ${point.value[0]}: ${formatNumber(point.value[1])}` },
    series: [{ type: "line", step: "end", showSymbol: false, lineStyle: { width: 2 }, areaStyle: { opacity: 0.12 }, data: points }],
  }, points.length ? `Hypervolume over trials, ${formatNumber(points.at(-1)[1])} at the end.` : "No hypervolume yet.");
}

function hypervolumePoints(told) {
  if (!told) return [];
  if (Array.isArray(told)) return told.map((point, at) => (Array.isArray(point) ? point : typeof point === "object" ? [point.number, point.value ?? point.hypervolume] : [at, point]));
  return (told.number ?? told.numbers ?? []).map((number, at) => [number, (told.value ?? told.values)[at]]);
}
