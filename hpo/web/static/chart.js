/* A chart of ECharts, fetched when the first one is wanted; its labels are text on a canvas, never markup. */
import { el } from "./dom.js";
import { colours } from "./theme.js";

const liveCharts = new Set();
let loading = null;

function library() {
  if (globalThis.echarts) return Promise.resolve(globalThis.echarts);
  loading ??= new Promise((resolve, reject) => {
    const script = el("script", { src: "/static/echarts.min.js" });
    script.addEventListener("load", () => resolve(globalThis.echarts));
    script.addEventListener("error", () => { loading = null; reject(new Error("The chart library did not load.")); });
    document.head.append(script);
  });
  return loading;
}

function disposeLeft() {
  for (const chart of liveCharts) if (!chart.host.isConnected) { chart.engine.dispose(); liveCharts.delete(chart); }
}

export function createChart(label, height = 340) {
  disposeLeft();
  const host = el("div", { class: "chart", role: "img", "aria-label": label, style: { height: `${height}px` } });
  const chart = { host, engine: null, option: null };
  chart.show = async (option, words) => {
    chart.option = option;
    if (words) host.setAttribute("aria-label", words);
    const echarts = await library();
    if (!host.isConnected || !host.clientWidth) return;
    if (!chart.engine || chart.engine.isDisposed()) {
      chart.engine = echarts.init(host, null, { renderer: "canvas" });
      liveCharts.add(chart);
      new ResizeObserver(() => { if (host.clientWidth && !chart.engine.isDisposed()) chart.engine.resize(); }).observe(host);
    }
    chart.engine.setOption({ ...chartFrame(), ...chart.option }, { notMerge: true });
  };
  return chart;
}

export function chartFrame() {
  const { text, quiet, panel, line } = colours();
  return {
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif", color: text },
    color: colours().series,
    grid: { left: 12, right: 24, top: 34, bottom: 36, containLabel: true },
    tooltip: { renderMode: "richText", backgroundColor: panel, borderColor: quiet, textStyle: { color: text, fontSize: 12 } },
    legend: { type: "scroll", top: 0, textStyle: { color: text }, inactiveColor: line, pageTextStyle: { color: text } },
  };
}

export function chartAxis(name, more = {}) {
  const { text, quiet, line } = colours();
  return {
    name, nameLocation: "middle", nameGap: 30, nameTextStyle: { color: text }, scale: true,
    axisLine: { lineStyle: { color: quiet } }, axisTick: { lineStyle: { color: quiet } }, axisLabel: { color: text, hideOverlap: true }, splitLine: { lineStyle: { color: line } }, ...more,
  };
}
