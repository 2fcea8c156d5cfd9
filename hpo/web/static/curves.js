/* What trials reported while they ran: one curve a trial, the best ones first. */
import { getJson } from "./api.js";
import { chartAxis, createChart } from "./chart.js";
import { choiceOf, el, emptyNote, fill } from "./dom.js";
import { formatNumber, plainText, plural } from "./format.js";
import { colours } from "./theme.js";

export function curvesView(store) {
  const chart = createChart("Learning curves");
  const note = el("p", { class: "note" });
  const pick = el("div", { class: "tools" });
  const node = el("div", {}, pick, chart.host, note);
  const view = { store, chart, node, note, pick, asked: "", answer: null, metric: "" };
  return { node, draw: () => drawCurves(view) };
}

async function drawCurves(view) {
  const { store } = view;
  const numbers = store.brushes.size ? store.topRows.map((row) => store.trials.number[row]).slice(0, 20) : null;
  const metric = view.metric ? `&metric=${encodeURIComponent(view.metric)}` : "";
  const wanted = `${metric}${numbers ?? "top"}:${Math.floor(store.ranked.length / 5)}`;
  if (wanted !== view.asked) {
    view.asked = wanted;
    const query = `${numbers?.length ? `numbers=${numbers}` : "top=20"}${metric}`;
    try {
      view.answer = await getJson(`/api/sweeps/${encodeURIComponent(store.sweep.id)}/curves?${query}`);
    } catch (error) {
      fill(view.node, emptyNote(error.message, el("p", {}, error.remedy)));
      return;
    }
  }
  if (!view.answer) return;
  const lines = curveLines(view.answer);
  if (!lines.length) { fill(view.node, emptyNote("No trial reported a value at more than one step.", el("p", {}, "An objective reports with trial.report(step, value); a program prints lines such as {\"step\": 3, \"loss\": 0.5}."))); return; }
  if (!view.chart.host.isConnected) fill(view.node, view.pick, view.chart.host, view.note);
  const names = view.answer.metrics ?? [];
  fill(view.pick, names.length > 1 ? choiceOf("Metric", names.map((name) => [name, plainText(name)]), view.answer.metric, (name) => { view.metric = name; drawCurves(view); }) : null);
  view.chart.show(curvesOption(store, lines), `Learning curves of ${plural(lines.length, "trial")}.`);
  view.note.textContent = `${plural(lines.length, "trial")}: the best ones${store.brushes.size ? " of the filter" : ""}; the best of them is drawn strong.`;
}

/* Curves as [{number, steps, values}], with several metrics one each. */
function curveLines(answer) {
  return (answer.curves ?? []).filter((curve) => (curve.steps ?? []).length > 1);
}

function curvesOption(store, lines) {
  const best = store.ranked.length ? store.trials.number[store.ranked[0]] : null;
  const { best: strong, dot } = colours();
  return {
    legend: { show: false },
    xAxis: { type: "value", ...chartAxis("step") },
    yAxis: { type: "value", ...chartAxis(plainText(lines[0].metric ?? store.metric), { nameGap: 46 }) },
    tooltip: { renderMode: "richText", trigger: "item", formatter: ({ seriesName, value }) => `${seriesName} step ${value[0]}: ${formatNumber(value[1])}` },
    series: lines.map(({ number, steps, values: points }) => ({
      type: "line", name: `#${number}`, showSymbol: steps.length < 12, symbolSize: 4, z: number === best ? 5 : 2, lineStyle: { width: number === best ? 3 : 1.3, opacity: number === best ? 1 : 0.6 },
      itemStyle: { color: number === best ? strong : dot }, data: steps.map((step, at) => [step, points[at]]),
    })),
  };
}
