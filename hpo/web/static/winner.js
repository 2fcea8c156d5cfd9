/* The card of the winner: what it is, against the champion, through which gates, and how to load it. */
import { onChange } from "./commands.js";
import { commandLine, el, emptyNote, factList, fill } from "./dom.js";
import { formatNumber, formatValue, plainText } from "./format.js";
import { linkTo, modelPath, trialPath } from "./links.js";
import { plainTable } from "./settings.js";

export function winnerView(store) {
  const node = el("div", {});
  return { node, draw: onChange(() => [store.sweep.winner, store.sweep.status], () => fill(node, winnerCard(store.sweep))) };
}

export function winnerCard(sweep) {
  const { winner } = sweep;
  const several = Object.keys(sweep.goals ?? {}).length > 1;
  if (!winner && sweep.status !== "RUNNING") return emptyNote("There is no winner.", el("p", {}, several ? "Nothing was picked from the Pareto front." : sweep.goal_is_known === false ? "No goal is on record." : "No trial ended with a value that may be the best."));
  if (!winner) return emptyNote("No winner yet.", el("p", {}, "It is chosen when the sweep ends."));
  return el("article", { class: "winner" },
    el("header", {}, winner.number === undefined || winner.number === null ? el("h3", {}, "Winner") : el("h3", {}, sweep.status === "RUNNING" ? "Best so far: trial " : "Winner: trial ", linkTo(trialPath(sweep, winner.number), `#${winner.number}`)),
      winner.version ? el("p", {}, "registered as ", linkTo(modelPath(winner.model ?? winner.name ?? sweep.name), `${plainText(winner.model ?? winner.name ?? "")} version ${winner.version}`), ...(winner.aliases ?? []).map((alias) => el("span", { class: "badge" }, plainText(alias)))) : el("p", { class: "quiet" }, "not registered")),
    el("div", { class: "two" },
      el("div", {}, el("h4", {}, "Parameters"), plainTable(["parameter", "value"], Object.entries(winner.params ?? {}).map(([name, value]) => [plainText(name), formatValue(value)]))),
      el("div", {}, el("h4", {}, winner.champion ? "Metrics against the champion" : "Metrics"), metricsTable(winner))),
    winner.refused ? el("p", { class: "bad" }, plainText(winner.refused)) : null, winner.picked_by ? el("p", { class: "quiet" }, `picked by ${plainText(winner.picked_by)}`) : null, gatesList(winner.gates), provenanceFacts(winner), loadCommand(winner.load ?? winner.load_command));
}

function metricsTable(winner) {
  const before = winner.champion?.metrics ?? winner.champion_metrics ?? null;
  const names = Object.keys(winner.metrics ?? {});
  if (!before) return plainTable(["metric", "value"], names.map((name) => [plainText(name), formatNumber(winner.metrics[name], 6)]), [1]);
  return plainTable(["metric", "winner", "champion", "difference"], names.map((name) => [plainText(name), formatNumber(winner.metrics[name], 6), formatNumber(before[name], 6), Number.isFinite(before[name]) ? signedNumber(winner.metrics[name] - before[name]) : "–"]), [1, 2, 3]);
}

function signedNumber(value) {
  return `${value > 0 ? "+" : ""}${formatNumber(value, 4)}`;
}

function gatesList(gates) {
  const listed = Array.isArray(gates) ? gates : Object.entries(gates ?? {}).map(([name, verdict]) => ({ name, verdict }));
  if (!listed.length) return null;
  return el("section", {}, el("h4", {}, "Gates"), el("ul", { class: "gates" }, ...listed.map((gate) => {
    const passed = gate.passed ?? gate.ok ?? /^pass/i.test(String(gate.verdict ?? ""));
    return el("li", { class: passed ? "passed" : "refused" }, el("b", {}, passed ? "passed" : "refused"), " ", plainText(gate.name ?? gate.gate ?? ""), gate.why ?? gate.detail ?? gate.text ? `: ${plainText(gate.why ?? gate.detail ?? gate.text)}` : gate.verdict && typeof gate.verdict === "string" && !/^(passed|refused)$/.test(gate.verdict) ? `: ${plainText(gate.verdict)}` : "");
  })));
}

function provenanceFacts(winner) {
  const words = (told) => (told === null || told === undefined ? null : typeof told === "string" ? plainText(told) : factList(Object.entries(told).map(([name, value]) => [plainText(name), formatValue(value)])));
  return factList([["Code", words(winner.code)], ["Data", words(winner.data)], ["Environment", words(winner.environment)]]);
}

function loadCommand(command) {
  return command ? el("section", {}, el("h4", {}, "Load it"), commandLine(command)) : null;
}
