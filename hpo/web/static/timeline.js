/* Which slot ran which trial when: idle gaps and slow trials are seen at once. */
import { chartAxis, createChart } from "./chart.js";
import { el, emptyNote, fill } from "./dom.js";
import { formatCount, formatSeconds, plural } from "./format.js";
import { colours } from "./theme.js";
import { COMPLETE, FAILED, PRUNED, RUNNING, STATES } from "./trials.js";

const MOST_BARS = 4000;

export function timelineView(store) {
  const chart = createChart("Timeline", 300);
  const note = el("p", { class: "note" });
  const node = el("div", {}, chart.host, note);
  return { node, draw: () => drawTimeline(store, chart, node, note) };
}

function drawTimeline(store, chart, node, note) {
  const bars = slotBars(store);
  if (!bars.length) { fill(node, emptyNote("No trial has started yet.")); return; }
  const slots = Math.max(...bars.map((bar) => bar.slot)) + 1;
  const first = Math.min(...bars.map((bar) => bar.from));
  const last = Math.max(...bars.map((bar) => bar.to));
  const busy = bars.reduce((sum, bar) => sum + bar.to - bar.from, 0) / Math.max(1, (last - first) * slots);
  chart.host.style.height = `${Math.min(520, 110 + slots * 34)}px`;
  const shown = bars.filter((bar) => bar.shown);
  const part = shown.length < bars.length ? `; the filter lets ${formatCount(shown.length)} pass` : "";
  const which = bars.length < store.trials.count ? `The newest ${formatCount(bars.length)} trials shown` : plural(bars.length, "trial");
  const idle = store.trials.sample ? "; others that are not shown ran in between" : `, busy ${Math.round(busy * 100)} % of the time`;
  const words = `${which} in ${plural(slots, "slot")}, as their times suggest, over ${formatSeconds((last - first) / 1000)}${idle}${part}.`;
  note.textContent = words;
  chart.show(timelineOption(shown, slots, first), `Timeline: ${words}`);
}

function slotBars(store) {
  const { trials, mask, order } = store;
  const rows = [...order].filter((row) => Number.isFinite(trials.started[row])).slice(-MOST_BARS).sort((one, other) => trials.started[one] - trials.started[other]);
  const now = Date.now();
  const free = [];
  return rows.map((row) => {
    const from = trials.started[row];
    const told = trials.state[row] === RUNNING ? now : trials.ended[row];
    const to = Math.max(from, Number.isFinite(told) ? told : from + (trials.seconds[row] || 0) * 1000);
    let slot = trials.slot[row];
    if (!Number.isFinite(slot)) { slot = free.findIndex((until) => until <= from + 5); if (slot < 0) slot = free.length; free[slot] = to; }
    return { row, shown: mask[row], number: trials.number[row], state: trials.state[row], from, to, slot };
  });
}

function timelineOption(bars, slots, first) {
  const { dot, failed, pruned, running, panel } = colours();
  const colour = { [COMPLETE]: dot, [PRUNED]: pruned, [FAILED]: failed, [RUNNING]: running };
  return {
    legend: { show: false },
    xAxis: { type: "value", ...chartAxis("seconds since the start"), min: 0 },
    yAxis: { type: "category", ...chartAxis(""), data: Array.from({ length: slots }, (_, at) => `slot ${at + 1}`) },
    tooltip: { renderMode: "richText", formatter: ({ data }) => `#${data.value[3]} ${STATES[data.value[4]].toLowerCase()}, ${formatSeconds(data.value[2] - data.value[1])}` },
    dataZoom: [{ type: "inside", filterMode: "weakFilter", zoomOnMouseWheel: "ctrl" }],
    series: [{
      type: "custom", progressive: 1000, encode: { x: [1, 2], y: 0 },
      renderItem: (_, place) => {
        const [x, y] = place.coord([place.value(1), place.value(0)]);
        const [end] = place.coord([place.value(2), place.value(0)]);
        const height = Math.min(24, place.size([0, 1])[1] * 0.72);
        return { type: "rect", shape: { x, y: y - height / 2, width: Math.max(1, end - x), height, r: 2 }, style: { fill: colour[place.value(4)] ?? pruned, stroke: panel, lineWidth: end - x > 3 ? 1 : 0 } };
      },
      data: bars.map(({ slot, from, to, number, state }) => ({ value: [slot, (from - first) / 1000, (to - first) / 1000, number, state] })),
    }],
  };
}
