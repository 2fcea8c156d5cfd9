/* The one small box that says what is under the pointer, and the voice for screen readers. */
import { el, fill } from "./dom.js";
import { formatNumber, formatSeconds, formatValue, plainText } from "./format.js";
import { STATES } from "./trials.js";

const SELDOM = 15000;
let tipBox = null;
let lastSeldom = 0;

export function showTip(x, y, lines) {
  tipBox ??= document.body.appendChild(el("div", { class: "tip", "aria-hidden": "true" }));
  fill(tipBox, ...lines.map(([name, value]) => el("div", {}, el("span", {}, name), el("b", {}, value))));
  tipBox.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tipBox;
  tipBox.style.left = `${Math.max(4, x + 16 + width > innerWidth ? x - width - 12 : x + 14)}px`;
  tipBox.style.top = `${Math.max(4, Math.min(innerHeight - height - 4, y + 14))}px`;
}

export function hideTip() {
  if (tipBox) tipBox.hidden = true;
}

/* New trials are told of now and then, not one by one. */
export function announceSeldom(text) {
  if (Date.now() - lastSeldom < SELDOM) return;
  lastSeldom = Date.now();
  announce(text);
}

export function announce(text) {
  const voice = document.getElementById("announcer");
  if (voice && voice.textContent !== text) voice.textContent = text;
}

export function trialTip(store, row) {
  const { trials } = store;
  const lines = [["trial", `#${trials.number[row]}`], ["state", STATES[trials.state[row]]]];
  if (store.goals.length === 1) lines.push([store.goals[0].name, formatNumber(trials.value[row])]);
  else for (const { name } of store.goals) lines.push([plainText(name), formatNumber(trials.metrics.get(name)?.values[row])]);
  if (trials.reason[row]) lines.push(["reason", plainText(trials.reason[row]).slice(0, 60)]);
  for (const [name, column] of [...trials.params].slice(0, 12)) {
    const value = column.values[row];
    if (!Number.isNaN(value)) lines.push([plainText(name), (column.levels ? formatValue(column.levels[value]) : formatNumber(value)).slice(0, 40)]);
  }
  lines.push(["duration", formatSeconds(trials.seconds[row])]);
  return lines;
}
