/* What is looked at less often, one at a time: nothing is fetched or drawn before its tab is opened. */
import { commandsView } from "./commands.js";
import { contourView } from "./contour.js";
import { curvesView } from "./curves.js";
import { el, fill } from "./dom.js";
import { edfView } from "./edf.js";
import { frontView } from "./front.js";
import { settingsView } from "./settings.js";
import { onTheme } from "./theme.js";
import { timelineView } from "./timeline.js";
import { winnerView } from "./winner.js";

const CALM_TAB = 90;

export function tabsView(store) {
  const several = store.goals.length > 1;
  const known = [
    ["curves", "Learning curves", curvesView], ["timeline", "Timeline", timelineView], ["contour", "Contour", contourView], ["edf", "Distribution", edfView],
    several ? ["front", "Pareto front", frontView] : null, ["winner", "Winner", winnerView], ["settings", "Settings", settingsView], ["commands", "Commands", commandsView],
  ].filter(Boolean);
  store.firstTab = store.sweep.winner?.version ? "winner" : several ? "front" : "curves";
  if (!known.some(([name]) => name === store.tab)) store.tab = store.firstTab;
  const list = el("div", { class: "tab-list", role: "tablist", "aria-label": "More views" });
  const pane = el("div", { class: "tab-pane panel", role: "tabpanel", id: "tab-pane", tabindex: "0" });
  let view = null;
  const buttons = new Map(known.map(([name, title]) => [name, el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "tab-pane", onclick: () => open(name) }, title)]));
  const open = (name) => {
    const changed = store.tab !== name;
    store.tab = name;
    for (const [each, button] of buttons) { button.setAttribute("aria-selected", String(each === name)); button.tabIndex = each === name ? 0 : -1; }
    pane.setAttribute("aria-labelledby", `tab-${name}`);
    view = known.find(([each]) => each === name)[2](store);
    fill(pane, view.node);
    view.draw();
    if (changed) store.tell("tab");
  };
  list.append(...buttons.values());
  list.addEventListener("keydown", (event) => {
    const names = [...buttons.keys()];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = names[(names.indexOf(store.tab) + step + names.length) % names.length];
    open(next);
    buttons.get(next).focus();
  });
  const sight = { seen: false, due: false, timer: 0 };
  const drawSoon = () => { // not at each move of a brush, and not where nobody sees it
    sight.due = true;
    if (!sight.seen || !view) return;
    clearTimeout(sight.timer);
    sight.timer = setTimeout(() => { if (pane.isConnected) { sight.due = false; view.draw(); } }, CALM_TAB);
  };
  store.on("rows filter metric top sweep", drawSoon);
  onTheme(drawSoon);
  const watcher = new IntersectionObserver((entries) => {
    sight.seen = entries.at(-1).isIntersecting;
    if (sight.seen && !view) open(store.tab); else if (sight.seen && sight.due) drawSoon();
  }, { rootMargin: "50px" });
  watcher.observe(pane);
  for (const [name, button] of buttons) { button.setAttribute("aria-selected", String(name === store.tab)); button.tabIndex = name === store.tab ? 0 : -1; }
  pane.setAttribute("aria-labelledby", `tab-${store.tab}`);
  return el("section", { class: "tabs", "aria-label": "More views" }, list, pane);
}
