/* The view in the address: in the query of a live page, after the # of a report, which has no server to ask. */
import { report } from "./api.js";

let pendingAddress = null;
let waitingParameters = null;

export function readAddress() {
  return new URLSearchParams(report ? location.hash.slice(1) : location.search);
}

export function writeAddress(parameters) {
  clearTimeout(pendingAddress);
  waitingParameters = parameters;
  pendingAddress = setTimeout(settleAddress, 120);
}

/* Before another page is gone to: the way back leads to the view as it was. */
export function settleAddress() {
  clearTimeout(pendingAddress);
  if (waitingParameters) putAddress(waitingParameters);
  waitingParameters = null;
}

export function forgetAddress() {
  clearTimeout(pendingAddress);
  waitingParameters = null;
}

function putAddress(parameters) {
  const text = parameters.toString().replaceAll("%7E", "~").replaceAll("%27", "'");
  const url = report ? `#${text}` : text ? `${location.pathname}?${text}` : location.pathname;
  history.replaceState(history.state, "", url);
}
