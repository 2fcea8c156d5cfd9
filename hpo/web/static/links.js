/* Addresses of the page's own views; going there loads nothing anew. */
import { report } from "./api.js";
import { el } from "./dom.js";

let goTo = null;

export function onNavigate(listener) {
  goTo = listener;
}

/* A report has its sweep and the trials of it, each under a place after the #. */
export function linkTo(path, text, props = {}) {
  if (report && !path.startsWith("/sweeps/")) return el("span", props, text);
  return el("a", { href: report ? placeInReport(path) : path, ...props, onclick: (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    goTo(path);
  } }, text);
}

export function placeInReport(path) {
  return `#${path.match(/\/trials\/-?\d+$/)?.[0] ?? ""}`;
}

export function sweepName(sweep) {
  return !sweep.name || sweep.ambiguous || /^\.+$/.test(sweep.name) ? sweep.id : sweep.name;
}

export function sweepPath(sweep) {
  return `/sweeps/${encodeURIComponent(sweepName(sweep))}`;
}

export function trialPath(sweep, number) {
  return `${sweepPath(sweep)}/trials/${number}`;
}

export function modelPath(name) {
  return `/models/${encodeURIComponent(name)}`;
}
