/* The view in the address: in the query of a live page, after the # of a report, which has no server to ask. */
import { report } from "./api.js";

let pendingAddress = null;

export function readAddress() {
  return new URLSearchParams(report ? location.hash.slice(1) : location.search);
}

export function writeAddress(parameters) {
  clearTimeout(pendingAddress);
  pendingAddress = setTimeout(() => { pendingAddress = null; putAddress(parameters); }, 120);
}

export function forgetAddress() {
  clearTimeout(pendingAddress);
}

function putAddress(parameters) {
  const text = parameters.toString().replaceAll("%7E", "~").replaceAll("%27", "'");
  const url = report ? `#${text}` : text ? `${location.pathname}?${text}` : location.pathname;
  history.replaceState(history.state, "", url);
}
