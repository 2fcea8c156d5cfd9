/* All sweeps of the store; two or more that are chosen can be compared. */
import { getJson, lookAgain } from "./api.js";
import { commandLine, el, emptyNote, fill, redraw } from "./dom.js";
import { formatAgo, formatCount, formatNumber, formatSeconds, millisOf, plainText } from "./format.js";
import { linkTo, modelPath, sweepName, sweepPath, trialPath } from "./links.js";
import { goalsOf } from "./store.js";
import { statusMark } from "./sweep.js";

export async function sweepsPage(main) {
  const chosen = new Set();
  const compare = el("span", {});
  const list = el("div", {});
  const place = el("p", { class: "quiet" });
  const search = el("input", { type: "search", placeholder: "Name …", "aria-label": "Search by name", oninput: () => show() });
  let answer = await getJson("/api/sweeps");
  const show = () => {
    const asked = search.value.toLowerCase();
    markAmbiguous(answer.sweeps);
    const sweeps = answer.sweeps.filter((sweep) => String(sweep.name).toLowerCase().includes(asked));
    fill(place, answer.store ? ["Store ", el("code", {}, plainText(answer.store))] : "");
    fill(list, answer.sweeps.length ? sweepTable(sweeps, chosen, showCompare) : noSweeps());
    showCompare();
  };
  const showCompare = () => {
    const path = `/compare?${[...chosen].map((name) => `s=${encodeURIComponent(name)}`).join("&")}`;
    fill(compare, chosen.size > 1 ? linkTo(path, `Compare ${chosen.size} sweeps`, { class: "button strong" }) : el("span", { class: "quiet" }, "Choose two or more to compare them."));
  };
  fill(main, el("div", { class: "page-head" }, el("h1", {}, "Sweeps"), place), el("div", { class: "filterbar" }, search, el("span", { class: "grow" }), compare), list);
  show();
  document.title = "Sweeps · hpo";
  return lookAgain(async () => {
    const again = await getJson("/api/sweeps");
    if (JSON.stringify(again) !== JSON.stringify(answer)) { answer = again; redraw(list, show); }
  });
}

function markAmbiguous(sweeps) {
  const counts = new Map();
  for (const { name } of sweeps) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const sweep of sweeps) sweep.ambiguous = counts.get(sweep.name) > 1;
}

function noSweeps() {
  return emptyNote("No sweep in this store yet.", el("p", {}, "Run one, and it appears here:"), commandLine("hpo init sweep.yaml"), commandLine("hpo run sweep.yaml"));
}

function sweepTable(sweeps, chosen, onchosen) {
  const rows = [...sweeps].sort((one, other) => (millisOf(other.started) || 0) - (millisOf(one.started) || 0)).map((sweep) => sweepRow(sweep, chosen, onchosen));
  const heads = ["", "Sweep", "Status", "Best", "Trials", "Failed", "Started", "Took", "Sampler", "Registered"];
  return el("div", { class: "table-scroll panel", tabindex: "0", role: "region", "aria-label": "Sweeps" }, el("table", { class: "plain sweeps" }, el("caption", { class: "unseen" }, "Sweeps, newest first"),
    el("thead", {}, el("tr", {}, ...heads.map((head) => (head ? el("th", { scope: "col", class: ["Best", "Trials", "Failed"].includes(head) ? "right" : null }, head) : el("td", {}, el("span", { class: "unseen" }, "Choose")))))), el("tbody", {}, ...rows)));
}

function sweepRow(sweep, chosen, onchosen) {
  if (sweep.unreadable !== undefined) return el("tr", {}, el("td", {}), el("th", { scope: "row" }, plainText(sweep.name)), el("td", {}, statusMark(sweep.status)), el("td", { colspan: "7", class: "bad" }, `Its rows hold what no sweep can have: ${plainText(sweep.unreadable)}`));
  const name = sweepName(sweep);
  const box = el("input", { type: "checkbox", checked: chosen.has(name), "aria-label": `Choose ${plainText(sweep.name)}`, onchange: () => { if (box.checked) chosen.add(name); else chosen.delete(name); onchosen(); } });
  const counts = sweep.counts ?? {};
  const ended = (counts.COMPLETE ?? 0) + (counts.PRUNED ?? 0) + (counts.FAILED ?? 0);
  const took = sweep.seconds ?? (millisOf(sweep.ended ?? Date.now()) - millisOf(sweep.started)) / 1000;
  const goals = goalsOf(sweep);
  const best = sweep.best && sweep.best.value !== null && sweep.best.value !== undefined;
  return el("tr", {}, el("td", {}, box), el("th", { scope: "row" }, linkTo(sweepPath(sweep), plainText(sweep.name))), el("td", {}, statusMark(sweep.status)),
    el("td", { class: "right" }, best ? [formatNumber(sweep.best.value, 6), " ", sweep.best.number === null || sweep.best.number === undefined ? "" : linkTo(trialPath(sweep, sweep.best.number), `#${sweep.best.number}`)] : sweep.front ? `${formatCount(sweep.front)} on the front` : "–", el("span", { class: "under" }, goals.filter((each) => each.name !== "value").map((each) => plainText(each.name)).join(", "))),
    el("td", { class: "right" }, formatCount(ended), sweep.n_trials ? el("span", { class: "under" }, `of ${formatCount(sweep.n_trials)}`) : null),
    el("td", { class: `right${counts.FAILED ? " bad" : " none"}` }, formatCount(counts.FAILED ?? 0)), el("td", { title: String(sweep.started ?? "") }, formatAgo(sweep.started)), el("td", {}, formatSeconds(took)), el("td", {}, plainText(sweep.sampler ?? "")),
    el("td", {}, registeredWords(sweep.registered)));
}

function registeredWords(registered) {
  if (!registered) return "";
  const last = Array.isArray(registered) ? registered.at(-1) : registered;
  if (!last) return "";
  return [linkTo(modelPath(last.name), plainText(`${last.name} ${last.version}`)), ...(last.aliases ?? []).map((alias) => el("span", { class: "badge" }, plainText(alias)))];
}
