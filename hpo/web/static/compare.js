/* Two or more sweeps beside each other: best so far by trials and by seconds, distribution, and what they were told differently. */
import { readAddress } from "./address.js";
import { getJson, lookAgain } from "./api.js";
import { chartAxis, createChart } from "./chart.js";
import { el, emptyNote, fill } from "./dom.js";
import { edfOption } from "./edf.js";
import { formatCount, formatNumber, formatSeconds, plainText } from "./format.js";
import { linkTo, sweepPath } from "./links.js";
import { plainTable } from "./settings.js";
import { goalsOf } from "./store.js";
import { colours, onTheme } from "./theme.js";
import { COMPLETE, emptyTrials, mergeTrials, numberOrder, replaceTrials } from "./trials.js";

export async function comparePage(main) {
  const names = readAddress().getAll("s").slice(0, 8);
  document.title = "Compare · hpo";
  if (names.length < 2) { fill(main, emptyNote("Choose two or more sweeps to compare them.", el("p", {}, linkTo("/", "All sweeps")))); return null; }
  const entries = await Promise.all(names.map(loadEntry));
  const [warning, summary, differing] = [el("div", {}), el("div", { class: "panel-body" }), el("div", { class: "panel-body" })];
  const [byTrial, bySeconds, spread] = ["Best so far by trial", "Best so far by seconds", "Distribution"].map((title) => createChart(title, 320));
  const boxed = (title, chart) => el("section", { class: "panel", "aria-label": title }, el("div", { class: "panel-head" }, el("h2", {}, title)), el("div", { class: "panel-body" }, chart.host));
  fill(main, el("div", { class: "page-head" }, el("nav", { class: "crumbs", "aria-label": "Path" }, linkTo("/", "Sweeps"), " / ", el("span", { "aria-current": "page" }, "Compare")), el("h1", {}, "Compare")), warning,
    el("section", { class: "panel", "aria-label": "Summary" }, summary),
    el("div", { class: "two" }, boxed("Best so far by trial", byTrial), boxed("Best so far by seconds", bySeconds), boxed("Distribution", spread),
      el("section", { class: "panel", "aria-label": "Differing settings" }, el("div", { class: "panel-head" }, el("h2", {}, "Differing settings")), differing)));
  const draw = () => {
    fill(warning, metricsWarning(entries));
    fill(summary, summaryTable(entries));
    fill(differing, differenceTable(entries));
    const title = plainText(entries[0].goal.name);
    byTrial.show(lineOption(entries, "steps", "trial", title), compareWords(entries));
    bySeconds.show(lineOption(entries, "timed", "seconds", title), compareWords(entries));
    spread.show(edfOption(entries.map((entry) => [entry.title, entry.sorted]), title), "Distribution of values, one curve a sweep.");
  };
  draw();
  onTheme(draw);
  return lookAgain(async () => {
    const changed = await Promise.all(entries.map(refreshEntry));
    if (changed.some(Boolean)) draw();
  });
}

async function loadEntry(name) {
  const base = `/api/sweeps/${encodeURIComponent(name)}`;
  const trials = emptyTrials();
  const [sweep, columns] = await Promise.all([getJson(base), getJson(`${base}/trials`)]);
  mergeTrials(trials, columns);
  return comparedEntry(sweep, trials);
}

/* What is new of a sweep that runs: streams of events would be too many for a browser, which has six a server. */
async function refreshEntry(entry) {
  if (entry.sweep.status !== "RUNNING") return false;
  const base = `/api/sweeps/${encodeURIComponent(entry.sweep.id)}`;
  const columns = await getJson(`${base}/trials?revision=${entry.trials.revision}`);
  const isGone = columns.gone.length > 0;
  if (isGone || columns.whole) replaceTrials(entry.trials, isGone ? await getJson(`${base}/trials`) : columns);
  else mergeTrials(entry.trials, columns);
  const before = entry.sweep.status;
  const sweep = await getJson(base);
  const changed = columns.number.length > 0 || isGone || sweep.status !== before;
  if (changed) Object.assign(entry, comparedEntry(sweep, entry.trials));
  return changed;
}

function comparedEntry(sweep, trials) {
  const goal = goalsOf(sweep)[0];
  const values = goalsOf(sweep).length === 1 ? trials.value : trials.metrics.get(goal.name)?.values ?? trials.value;
  return { sweep, trials, goal, title: plainText(sweep.name), count: trials.total, ...compareCurves(trials, values, { maximize: -1, minimize: 1 }[goal.goal] ?? 0) };
}

/* `sign` is 0 where no goal is on record: then nothing is the best. */
function compareCurves(trials, values, sign) {
  const rows = [...numberOrder(trials)].filter((row) => trials.state[row] === COMPLETE && !trials.infeasible[row] && Number.isFinite(values[row]));
  const start = Math.min(...[...trials.started.subarray(0, trials.count)].filter(Number.isFinite));
  const falling = (ordered, place) => {
    if (!sign) return [];
    let best = Infinity;
    const points = [];
    for (const row of ordered) {
      const at = place(row);
      if (sign * values[row] < best && Number.isFinite(at)) { best = sign * values[row]; points.push([at, values[row]]); }
    }
    const last = ordered.at(-1);
    if (points.length && last !== undefined) points.push([place(last), points.at(-1)[1]]);
    return points;
  };
  const byEnd = [...rows].sort((one, other) => trials.ended[one] - trials.ended[other]);
  return { steps: falling(rows, (row) => trials.number[row]), timed: falling(byEnd, (row) => (trials.ended[row] - start) / 1000), sorted: Float64Array.from(rows.map((row) => values[row])).sort() };
}

function lineOption(entries, kind, across, title) {
  return {
    xAxis: { type: "value", ...chartAxis(across, { min: 0, scale: false }) }, yAxis: { type: "value", ...chartAxis(title, { nameGap: 50 }) },
    tooltip: { renderMode: "richText", trigger: "item", formatter: ({ seriesName, value }) => `${seriesName}: ${formatNumber(value[1])} at ${formatNumber(value[0])}` },
    series: entries.map((entry) => ({ type: "line", step: "end", name: entry.title, showSymbol: false, symbolSize: 6, lineStyle: { width: 2 }, data: entry[kind] })),
  };
}

function metricsWarning(entries) {
  const goals = new Set(entries.map(({ goal }) => `${goal.goal ?? "no goal on record for"} ${goal.name}`));
  return goals.size > 1 ? el("p", { class: "warn" }, `They do not search the same: ${[...goals].map(plainText).join(", ")}.`) : null;
}

function summaryTable(entries) {
  const { series } = colours();
  return plainTable(["sweep", "best", "trials", "took", "sampler"], entries.map(({ sweep, steps, count, title }, at) => [
    el("span", {}, el("span", { class: "swatch", style: { "background-color": series[at % series.length] } }), linkTo(sweepPath(sweep), title)), formatNumber(steps.at(-1)?.[1], 6), formatCount(count), formatSeconds(sweep.seconds), plainText(sweep.sampler ?? "")]), [1, 2, 3]);
}

function differenceTable(entries) {
  const keys = [...new Set(entries.flatMap(({ sweep }) => Object.keys(sweep.settings ?? {})))];
  const differing = keys.filter((key) => new Set(entries.map(({ sweep }) => sweep.settings?.[key])).size > 1);
  if (!differing.length) return el("p", { class: "quiet" }, "They were told the same.");
  return plainTable(["setting", ...entries.map((entry) => entry.title)], differing.map((key) => [plainText(key), ...entries.map(({ sweep }) => plainText(sweep.settings?.[key] ?? "–"))]));
}

function compareWords(entries) {
  return `Best so far: ${entries.map((entry) => `${entry.title} ${formatNumber(entry.steps.at(-1)?.[1])}`).join(", ")}.`;
}
