/* The metric over two chosen parameters: the mean of near trials, weighted by how near they are. */
import { axisOf, hasGaps, varyingParams } from "./axes.js";
import { chartAxis, createChart } from "./chart.js";
import { choiceOf, el, emptyNote, fill } from "./dom.js";
import { formatNumber, plainText } from "./format.js";
import { quantile } from "./scales.js";
import { targetGoal, targetValues } from "./store.js";
import { colours, ramp } from "./theme.js";

const CELLS = 48;
const MOST_POINTS = 1500;

export function contourView(store) {
  const chart = createChart("Contour", 440);
  const note = el("p", { class: "note" });
  const node = el("div", {});
  const chosen = {};
  const draw = () => {
    const keys = varyingParams(store);
    if (keys.length < 2 || store.ranked.length < 5) { fill(node, emptyNote("Two parameters that vary and five finished trials are needed.")); return; }
    if (!keys.includes(chosen.x)) [chosen.x, chosen.y] = firstTwo(store, keys);
    const names = keys.map((key) => [key, plainText(key.slice(2))]);
    if (chosen.names !== names.join()) {
      chosen.names = names.join();
      fill(node, el("div", { class: "tools" }, choiceOf("Across", names, chosen.x, (key) => { chosen.x = key; draw(); }), choiceOf("Up", names, chosen.y, (key) => { chosen.y = key; draw(); })), chart.host, note);
    }
    drawContour(store, { chart, note }, axisOf(store, chosen.x), axisOf(store, chosen.y));
  };
  return { node, draw };
}

/* Those that all trials have first, and numbers before choices: a picture of two choices says little. */
function firstTwo(store, keys) {
  const burden = (key) => (hasGaps(store, key) ? 2 : 0) + (axisOf(store, key).scale.levels ? 1 : 0);
  return [...keys].sort((one, other) => burden(one) - burden(other)).slice(0, 2);
}

function drawContour(store, { chart, note }, x, y) {
  const values = targetValues(store);
  const rows = [...store.ranked].filter((row) => store.mask[row] && !Number.isNaN(x.values[row]) && !Number.isNaN(y.values[row]));
  const every = Math.max(1, Math.ceil(rows.length / MOST_POINTS));
  const points = rows.filter((_, at) => at % every === 0).map((row) => ({ row, x: spreadOut(x, row, 1), y: spreadOut(y, row, 2), value: values[row] }));
  note.textContent = points.length < 3 ? "Fewer than three finished trials of the filter have both." : "The mean of near trials; the marked ones are the best.";
  chart.host.hidden = points.length < 3;
  if (chart.host.hidden) return;
  const sorted = Float64Array.from(points.map((point) => point.value)).sort();
  const [low, high] = [quantile(sorted, 0.02), quantile(sorted, 0.98)];
  const wide = x.scale.levels ? x.scale.levels.length : CELLS;
  const tall = y.scale.levels ? y.scale.levels.length : CELLS;
  const calm = points.map((point) => ({ ...point, value: Math.max(low, Math.min(high, point.value)) }));  // one far value does not paint all around it
  const cells = smoothed(calm, wide, tall);
  chart.show(contourOption(store, { x, y, wide, tall, cells, points, low, high }), `Contour of ${plainText(store.metric)} over ${x.title} and ${y.title}, from ${points.length} trials.`);
}

function spreadOut(axis, row, salt) {
  const shake = axis.scale.levels ? ((((row * 2654435761 * salt) >>> 0) % 1000) / 1000 - 0.5) * 0.5 : 0;
  return axis.scale.at(axis.values[row] + shake);
}

function smoothed(points, wide, tall) {
  const reach = 2 * Math.max(0.035, Math.min(0.12, 0.5 / Math.sqrt(points.length))) ** 2;
  const cells = [];
  for (let column = 0; column < wide; column += 1) for (let line = 0; line < tall; line += 1) {
    const [atX, atY] = [(column + 0.5) / wide, (line + 0.5) / tall];
    let weight = 0;
    let sum = 0;
    for (const point of points) {
      const near = Math.exp(-((point.x - atX) ** 2 + (point.y - atY) ** 2) / reach);
      weight += near;
      sum += near * point.value;
    }
    if (weight > 0.02) cells.push([column, line, sum / weight]);
  }
  return cells;
}

function contourOption(store, { x, y, wide, tall, cells, points, low, high }) {
  const { best, panel, text } = colours();
  const minimize = targetGoal(store) !== "maximize";
  const shades = Array.from({ length: 8 }, (_, at) => ramp(minimize ? 1 - at / 7 : at / 7));
  const labels = (axis, size) => Array.from({ length: size }, (_, at) => axis.scale.levels ? axis.scale.label(at) : formatNumber(axis.scale.invert((at + 0.5) / size), 3));
  const top = new Set(store.topRows);
  const dots = (wanted, colour, size) => ({ type: "scatter", xAxisIndex: 1, yAxisIndex: 1, symbolSize: size, itemStyle: { color: colour, borderColor: panel, borderWidth: 0.8 }, silent: true, data: points.filter((point) => top.has(point.row) === wanted).map((point) => [point.x, point.y]) });
  return {
    legend: { show: false },
    grid: { left: 70, right: 120, top: 12, bottom: 48 },
    xAxis: [{ type: "category", data: labels(x, wide), ...chartAxis(x.title, { axisLabel: sparse(wide), splitLine: { show: false }, axisTick: { show: false } }) }, { type: "value", min: 0, max: 1, show: false }],
    yAxis: [{ type: "category", data: labels(y, tall), ...chartAxis(y.title, { nameGap: 52, axisLabel: sparse(tall), splitLine: { show: false }, axisTick: { show: false } }) }, { type: "value", min: 0, max: 1, show: false }],
    visualMap: { min: low, max: high > low ? high : low + 1, calculable: false, right: 8, top: "middle", seriesIndex: 0, inRange: { color: shades }, precision: 4, textStyle: { color: text }, text: [formatNumber(high, 4), formatNumber(low, 4)], formatter: (value) => formatNumber(value, 4) },
    tooltip: { renderMode: "richText", formatter: ({ value, seriesType }) => (seriesType === "heatmap" ? `about ${formatNumber(value[2])}` : "") },
    series: [{ type: "heatmap", data: cells, progressive: 0, emphasis: { disabled: true } }, dots(false, text, 4), dots(true, best, 8)],
  };
}

function sparse(size) {
  return { color: colours().text, interval: size > 12 ? Math.floor(size / 7) : 0, hideOverlap: true };
}
