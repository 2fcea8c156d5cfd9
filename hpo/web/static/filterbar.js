/* What is let pass, as words that can be taken away, and a form that sets each axis without a pointer. */
import { axisOf, varyingParams } from "./axes.js";
import { choiceOf, el, fill } from "./dom.js";
import { brushWords } from "./filter.js";
import { formatCount, formatValue, plainText, plural } from "./format.js";
import { announce } from "./tip.js";
import { levelsOf, titleOf } from "./trials.js";

export function filterBar(store) {
  const count = el("strong", { class: "count" });
  const chips = el("ul", { class: "chips", "aria-label": "Filters" });
  const add = el("button", { type: "button", class: "button", onclick: () => openFilter(store, "value") }, "Filter …");
  const clear = el("button", { type: "button", class: "button", onclick: store.clear }, "Clear all");
  const top = choiceOf("Mark the best", [["0", "none"], ["5", "5"], ["10", "10"], ["25", "25"], ["100", "100"]], "10", (value) => { store.top = Number(value); store.tell("top"); });
  const metric = el("span", { class: "tools" });
  const bar = el("section", { class: "filterbar", "aria-label": "Filter" }, count, chips, add, clear, el("span", { class: "grow" }), metric, top);
  let metrics = "";
  const draw = (events) => {
    const { trials } = store;
    count.textContent = store.shown === trials.count ? plural(trials.count, "trial") : `${formatCount(store.shown)} of ${formatCount(trials.count)} trials`;
    if (trials.sample) count.textContent += `, a sample of ${formatCount(trials.total)}`;
    clear.hidden = store.brushes.size === 0;
    top.querySelector("select").value = String(store.top);
    if (events.some((event) => event !== "rows")) fill(chips, ...[...store.brushes].map(([key, brush]) => chipOf(store, key, brush)));
    const names = [...trials.metrics.keys()].join(" ");
    const known = `${names} ${store.metric} ${store.assumed}`;
    if (known !== metrics) { metrics = known; fill(metric, metricChoice(store), goalChoice(store)); }
    if (events.includes("filter")) announce(count.textContent);
  };
  store.on("rows filter top metric", draw);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && bar.isConnected && store.brushes.size && !document.querySelector("dialog[open]")) store.clear(); });
  return bar;
}

function metricChoice(store) {
  const names = new Set([...store.goals.map((each) => each.name), ...store.trials.metrics.keys()]);
  if (names.size < 2) return null;
  return choiceOf("Metric", [...names].map((name) => [name, plainText(name)]), store.metric, (name) => { store.metric = name; store.tell("metric"); });
}

/* For metrics whose goal nobody recorded. */
function goalChoice(store) {
  if (store.goals.some((each) => each.name === store.metric && each.goal)) return null;
  return choiceOf("Goal", [["", "not known"], ["minimize", "minimize"], ["maximize", "maximize"]], store.assumed ?? "", (goal) => { store.assumed = goal || null; store.tell("metric"); });
}

function chipOf(store, key, brush) {
  const words = `${plainText(key === "value" ? store.goals[0].name : titleOf(key))}: ${brushWords(brush, formatValue)}`;
  return el("li", {}, el("button", { type: "button", class: "chip", onclick: () => openFilter(store, key) }, words),
    el("button", { type: "button", class: "chip-away", "aria-label": `Remove the filter ${words}`, onclick: () => store.brush(key, null) }, "×"));
}

export function openFilter(store, key) {
  const names = ["number", "value", "state", "seconds", ...varyingParams(store), ...[...store.trials.metrics.keys()].map((name) => `m.${name}`)];
  const fields = el("div", { class: "filter-fields" });
  let chosen = names.includes(key) ? key : "number";
  const select = choiceOf("What", names.map((name) => [name, plainText(name === "value" ? store.goals[0].name : titleOf(name))]), chosen, (name) => { chosen = name; showFields(); });
  const showFields = () => fill(fields, filterFields(store, chosen));
  showFields();
  const away = el("button", { type: "button", class: "button", onclick: () => { store.brush(chosen, null); dialog.close(); } }, "Remove");
  const dialog = el("dialog", { class: "dialog", "aria-label": "Filter trials", onclose: () => dialog.remove() },
    el("form", { method: "dialog", onsubmit: () => store.brush(chosen, brushFrom(fields, axisOf(store, chosen))) },
      el("h2", {}, "Filter trials"), select, fields,
      el("div", { class: "dialog-foot" }, el("button", { type: "submit", class: "button strong" }, "Apply"), away, el("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"))));
  document.body.append(dialog);
  dialog.showModal();
}

function filterFields(store, key) {
  const brush = store.brushes.get(key) ?? {};
  const levels = levelsOf(store.trials, key);
  const inactive = key.startsWith("p.") ? el("label", { class: "field" }, el("input", { type: "checkbox", name: "inactive", checked: Boolean(brush.inactive) }), el("span", {}, "only where it is inactive")) : null;
  if (levels) {
    const wanted = new Set((brush.levels ?? []).map((level) => JSON.stringify(level)));
    return [el("fieldset", {}, el("legend", {}, "One of"), ...levels.map((level, at) => el("label", { class: "field" }, el("input", { type: "checkbox", name: "level", "data-at": at, checked: wanted.has(JSON.stringify(level)) }), el("span", {}, formatValue(level))))), inactive];
  }
  const bound = (name, text) => el("label", { class: "field" }, el("span", {}, text), el("input", { type: "number", step: "any", name, value: brush[name] ?? "" }));
  return [bound("low", "at least"), bound("high", "at most"), inactive];
}

function brushFrom(fields, axis) {
  if (fields.querySelector("[name=inactive]")?.checked) return { inactive: true };
  if (axis.scale.levels) {
    const levels = [...fields.querySelectorAll("[name=level]:checked")].map((box) => axis.scale.levels[Number(box.dataset.at)]);
    return levels.length ? { levels } : null;
  }
  const brush = {};
  for (const name of ["low", "high"]) { const { value } = fields.querySelector(`[name=${name}]`); if (value !== "") brush[name] = Number(value); }
  return "low" in brush || "high" in brush ? brush : null;
}
