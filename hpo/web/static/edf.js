/* Which share of the trials is at least so good: a steep start says that good values are easy to find. */
import { chartAxis, createChart } from "./chart.js";
import { el, emptyNote, fill } from "./dom.js";
import { formatNumber, formatPercent, plainText, plural } from "./format.js";
import { quantile } from "./scales.js";
import { targetValues, valuedRows } from "./store.js";

export function edfView(store) {
  const chart = createChart("Distribution");
  const note = el("p", { class: "note" });
  const node = el("div", {}, chart.host, note);
  const draw = () => {
    const values = targetValues(store);
    const pick = (wanted) => Float64Array.from(valuedRows(store).filter((row) => !wanted || store.mask[row]).map((row) => values[row])).sort();
    const all = pick(false);
    if (!all.length) { fill(node, emptyNote("No finished trial yet.")); return; }
    note.textContent = store.trials.sample ? "The share of the shown trials with at most this value; they are a sample that has more of the best ones than all have." : "The share of finished trials with at most this value.";
    const curves = [["all trials", all]];
    if (store.brushes.size) curves.push(["filtered", pick(true)]);
    chart.show(edfOption(curves, plainText(store.metric)), `Distribution of ${plainText(store.metric)} over ${plural(all.length, "trial")}: median ${formatNumber(quantile(all, 0.5))}.`);
  };
  return { node, draw };
}

export function edfOption(curves, title) {
  const far = Math.max(...curves.map(([, sorted]) => calmEnd(sorted)));
  return {
    xAxis: { type: "value", ...chartAxis(title), max: far, axisLabel: { ...chartAxis(title).axisLabel, showMaxLabel: false } },
    yAxis: { type: "value", min: 0, max: 1, ...chartAxis("share of trials", { nameGap: 46, scale: false }) },
    tooltip: { renderMode: "richText", trigger: "axis", formatter: (points) => points.map(({ seriesName, value }) => `${seriesName}: ${formatPercent(value[1])} at most ${formatNumber(value[0])}`).join("\n") },
    legend: { show: curves.length > 1, top: 0, type: "scroll" },
    series: curves.map(([name, sorted]) => ({ type: "line", step: "end", name, showSymbol: false, lineStyle: { width: 2 }, data: edfPoints(sorted) })),
  };
}

/* A few far values do not flatten the rest. */
function calmEnd(sorted) {
  if (!sorted.length) return -Infinity;
  const end = quantile(sorted, 0.95) + quantile(sorted, 0.95) - quantile(sorted, 0.05);
  return Math.min(sorted[sorted.length - 1], end);
}

function edfPoints(sorted) {
  const every = Math.max(1, Math.ceil(sorted.length / 800));
  const points = [];
  sorted.forEach((value, at) => { if (at % every === 0 || at === sorted.length - 1) points.push([value, (at + 1) / sorted.length]); });
  return points;
}
