/* Which page an address names; going from one to another loads nothing anew. */
import { forgetAddress, settleAddress } from "./address.js";
import { report } from "./api.js";
import { comparePage } from "./compare.js";
import { el, emptyNote, fill } from "./dom.js";
import { linkTo, onNavigate, placeInReport } from "./links.js";
import { modelPage, modelsPage } from "./models.js";
import { sweepPage } from "./sweep.js";
import { sweepsPage } from "./sweeps.js";
import { forgetThemeListeners, startTheme, themeButton } from "./theme.js";
import { hideTip } from "./tip.js";
import { trialPage } from "./trial.js";

const ROUTES = [
  [/^\/$/, sweepsPage],
  [/^\/sweeps\/([^/]+)\/?$/, sweepPage],
  [/^\/sweeps\/([^/]+)\/trials\/(-?\d+)\/?$/, trialPage],
  [/^\/compare\/?$/, comparePage],
  [/^\/models\/?$/, modelsPage],
  [/^\/models\/([^/]+)\/?$/, modelPage],
];

let leavePage = null;
let visit = 0;

async function showPage(path) {
  const main = document.getElementById("main");
  visit += 1;
  const mine = visit;
  leavePage?.();
  leavePage = null;
  forgetAddress();
  forgetThemeListeners();
  hideTip();
  main.setAttribute("aria-busy", "true");
  const place = path.split("?")[0];
  markHere(place);
  const [pattern, page] = ROUTES.find(([each]) => each.test(place)) ?? [];
  try {
    if (!page) throw new Error("There is no such page.");
    const leave = await page(main, ...place.match(pattern).slice(1).map(decodeURIComponent));
    if (mine === visit) leavePage = leave; else leave?.();
  } catch (error) {
    if (mine === visit) fill(main, emptyNote(error.message, error.remedy ? el("p", {}, error.remedy) : null, el("p", {}, linkTo("/", "All sweeps"))));
    if (!error.status && error.remedy === undefined) console.error(error);
  }
  main.removeAttribute("aria-busy");
}

function pathHere() {
  if (!report) return location.pathname;
  return location.hash.startsWith("#/") ? report.page + location.hash.slice(1) : report.page;
}

function headerBar() {
  return [linkTo("/", "hpo", { class: "brand" }), report ? null : el("nav", { "aria-label": "Pages" }, linkTo("/", "Sweeps", { "data-here": "/" }), linkTo("/models", "Models", { "data-here": "/models" })), el("span", { class: "grow" }), themeButton()];
}

function markHere(place) {
  for (const link of document.querySelectorAll("[data-here]")) {
    const here = link.dataset.here === "/" ? !place.startsWith("/models") : place.startsWith(link.dataset.here);
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
}

function navigate(path) {
  settleAddress();
  history.pushState(null, "", report ? placeInReport(path) : path);
  scrollTo(0, 0);
  showPage(pathHere()).then(() => document.getElementById("main").focus({ preventScroll: true }));
}

startTheme();
fill(document.getElementById("top"), ...headerBar());
onNavigate(navigate);
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); document.getElementById("main").focus(); });
addEventListener("popstate", () => showPage(pathHere()));
showPage(pathHere());
