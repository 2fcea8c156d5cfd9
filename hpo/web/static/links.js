/* Addresses of the page's own views; going there loads nothing anew. */
import { report } from "./api.js";
import { el } from "./dom.js";

let goTo = null;

export function onNavigate(listener) {
  goTo = listener;
}

export function linkTo(path, text, props = {}) {
  if (report) return el("span", props, text);
  return el("a", { href: path, ...props, onclick: (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    goTo(path);
  } }, text);
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
