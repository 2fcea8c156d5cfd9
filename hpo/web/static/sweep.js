/* The page of one sweep: the first glance, the linked views, the rest behind tabs, and the live connection. */
import { getJson, listen, report } from "./api.js";
import { el, fill } from "./dom.js";
import { filterBar } from "./filterbar.js";
import { plainText } from "./format.js";
import { historyView } from "./history.js";
import { importanceView } from "./importance.js";
import { linkTo } from "./links.js";
import { parallelView } from "./parallel.js";
import { slicesView } from "./slices.js";
import { createStore } from "./store.js";
import { tableView } from "./table.js";
import { tabsView } from "./tabs.js";
import { tilesView } from "./tiles.js";
import { announceSeldom } from "./tip.js";

export async function sweepPage(main, name) {
  const named = `/api/sweeps/${encodeURIComponent(name)}`;
  const [sweep, columns] = await Promise.all([getJson(named), getJson(`${named}/trials`)]);
  const base = `/api/sweeps/${encodeURIComponent(sweep.id)}`;
  const store = createStore(sweep);
  const connection = el("span", { class: "connection" });
  const status = el("span", {});
  const { tiles, tellImportance } = tilesView(store);
  fill(main, sweepHead(store, status, connection), tiles, filterBar(store),
    el("div", { class: "panels" }, historyView(store), importanceView(store, tellImportance), parallelView(store), tableView(store), slicesView(store)), tabsView(store));
  const showStatus = () => fill(status, statusMark(store.sweep.status));
  store.on("sweep", showStatus);
  showStatus();
  store.merge(columns);
  store.tell("filter", "sweep");
  const stopListening = followLive(store, base, connection);
  document.title = `${plainText(sweep.name)} · hpo`;
  return () => { stopListening(); store.stop(); };
}

export function statusMark(status) {
  const text = String(status ?? "").toLowerCase();
  const known = ["running", "finished", "complete", "pruned", "failed", "interrupted", "scheduled", "waiting"].includes(text) ? text : "other";
  return el("span", { class: `status status-${known}` }, plainText(text));
}

function sweepHead(store, status, connection) {
  const { sweep } = store;
  const what = store.goals.map(({ name, goal }) => `${goal ?? ""} ${plainText(name)}`.trim()).join(", ");
  return el("div", { class: "page-head" },
    report ? null : el("nav", { class: "crumbs", "aria-label": "Path" }, linkTo("/", "Sweeps"), el("span", { "aria-hidden": "true" }, " / "), el("span", { "aria-current": "page" }, plainText(sweep.name))),
    el("div", { class: "title-row" }, el("h1", {}, plainText(sweep.name)), status, connection),
    el("p", { class: "quiet" }, [what, sweep.sampler ? `${plainText(sweep.sampler)} of ${plainText(sweep.engine)}` : plainText(sweep.engine ?? ""), plainText(sweep.note ?? "")].filter(Boolean).join(" · ")));
}

function followLive(store, base, connection) {
  const handlers = {
    hello: () => {},
    trials: async (columns) => {
      if (columns.gone?.length) store.merge({ ...await getJson(`${base}/trials`), whole: true }); else store.merge(columns);
      announceSeldom(`${store.trials.count} trials`);
    },
    gone: () => { connection.textContent = "deleted meanwhile"; stop(); },
    sweep: async (facts) => {
      const known = store.sweep.details;
      Object.assign(store.sweep, facts);
      store.tell("sweep");
      if (facts.details === known) return;
      Object.assign(store.sweep, await getJson(base).catch(() => ({ details: known }))); // the winner, commands, why it stopped
      store.tell("sweep");
    },
  };
  const words = { live: "live", waiting: "reconnecting …", refused: "logged out: open the address that hpo ui prints" };
  const showLive = () => connection.classList.toggle("unseen", connection.textContent === words.live && store.sweep.status !== "RUNNING");
  store.on("sweep", showLive);
  const stop = listen(() => `${base}/events?revision=${encodeURIComponent(store.trials.revision ?? "")}`, handlers, (state) => {
    connection.className = `connection connection-${state}`;
    connection.textContent = words[state];
    showLive();
  });
  return stop;
}
