/* Which parameters decide the metric, and where the best trials have them. */
import { getJson } from "./api.js";
import { axisOf } from "./axes.js";
import { el, emptyNote, fill, panel } from "./dom.js";
import { brushWords } from "./filter.js";
import { formatPercent, formatValue, plainText, plural } from "./format.js";
import { quantile } from "./scales.js";
import { SECOND } from "./store.js";
import { valuesOf } from "./trials.js";

const AGAIN_AFTER = 8000;

export function importanceView(store, ontold) {
  const { section, body, heading } = panel("What matters", "importance");
  if (store.goals.length > 1) heading.textContent = `What matters to ${plainText(store.goals[0].name)}`; // whichever metric is looked at
  const list = el("div", {});
  body.append(list);
  fill(list, el("p", { class: "quiet" }, "Looking …"));
  const view = { store, list, asked: -1, at: 0, answer: null, timer: 0, ontold };
  store.on("rows", () => refresh(view), SECOND);
  store.on("metric", () => { if (view.answer) showImportance(view); });
  return section;
}

async function refresh(view) {
  const { store } = view;
  const finished = store.ranked.length;
  if (finished === view.asked || view.timer) return;
  const wait = view.asked < 0 ? 0 : Math.max(0, view.at + AGAIN_AFTER - Date.now());
  if (wait) { view.timer ||= setTimeout(() => { view.timer = 0; refresh(view); }, wait); return; }
  view.asked = finished;
  view.at = Date.now();
  try {
    view.answer = await getJson(`/api/sweeps/${encodeURIComponent(store.sweep.id)}/importance`);
    showImportance(view);
  } catch (error) {
    if (!view.answer) fill(view.list, emptyNote(error.message, el("p", {}, error.remedy)));
  }
}

function showImportance(view) {
  const { answer, list, store } = view;
  const branches = (answer.branches ?? []).filter((branch) => Object.keys(branch.importances).length);
  if (!branches.length) { view.ontold?.(null, plainText(answer.message ?? "")); fill(list, emptyNote("Nothing can be said yet.", el("p", {}, plainText(answer.message ?? "It takes ten finished trials with different values.")))); return; }
  fill(list, ...branches.slice(0, 4).map((branch) => branchList(store, branch, branches.length > 1)));
  const [[name, share]] = rankedShares(branches[0]);
  view.ontold?.(name, share);
  store.shares = largestShares(branches);
  store.tell("importance");
}

/* Of each parameter, in whichever branch it decides most. */
function largestShares(branches) {
  const shares = new Map();
  for (const { importances } of branches) for (const [name, share] of Object.entries(importances)) shares.set(name, Math.max(share, shares.get(name) ?? 0));
  return shares;
}

function rankedShares(branch) {
  return Object.entries(branch.importances).sort(([, one], [, other]) => other - one);
}

function branchList(store, branch, named) {
  const rows = rankedShares(branch).slice(0, 10).map(([name, share]) => {
    const good = goodRange(store, `p.${name}`);
    return el("li", { class: "bar-row" }, el("span", { class: "bar-name", title: plainText(name) }, plainText(name)),
      el("span", { class: "bar", "aria-hidden": "true" }, el("span", { class: "bar-fill", style: { width: `${Math.max(1, share * 100)}%` } })),
      el("span", { class: "bar-share" }, formatPercent(share)),
      good ? el("button", { type: "button", class: "good", title: "Show only trials in this range", onclick: () => store.brush(`p.${name}`, good) }, `good: ${brushWords(good, formatValue)}`) : null);
  });
  const title = branch.branch ? `where ${plainText(branch.branch)}` : named ? "all trials" : null;
  return [title ? el("h3", { class: "minor" }, `${title}, ${plural(branch.trials, "trial")}`) : null, el("ol", { class: "bars" }, ...rows)];
}

/* Where the best tenth of the trials has a parameter: the middle 80 % of its numbers, or the choices of a quarter of them. */
export function goodRange(store, key) {
  const values = valuesOf(store.trials, key);
  const best = store.ranked.subarray(0, Math.max(5, Math.ceil(store.ranked.length / 10)));
  if (!values || store.ranked.length < 20) return null;
  const axis = axisOf(store, key);
  const told = Float64Array.from([...best].map((row) => values[row]).filter((value) => !Number.isNaN(value))).sort();
  if (told.length < best.length / 3) return null;
  if (axis.scale.levels) {
    const counts = new Map();
    for (const value of told) counts.set(value, (counts.get(value) ?? 0) + 1);
    const levels = [...counts].filter(([, count]) => count >= told.length / 4).map(([index]) => axis.scale.levels[index]);
    return levels.length && levels.length < axis.scale.levels.length ? { levels } : null;
  }
  const [low, high] = [quantile(told, 0.1), quantile(told, 0.9)];
  return { low: Number(low.toPrecision(3)), high: Number(high.toPrecision(3)) };
}
