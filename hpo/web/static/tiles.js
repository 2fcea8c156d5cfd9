/* The first glance at a sweep: how far, how good, what matters, where, what failed. */
import { el, fill } from "./dom.js";
import { stateBrush } from "./filter.js";
import { formatAgo, formatCount, formatNumber, formatPercent, formatSeconds, millisOf, plainText, plural } from "./format.js";
import { linkTo, trialPath } from "./links.js";
import { targetGoal } from "./store.js";
import { FAILED, PRUNED, RUNNING, STATES } from "./trials.js";

export function tilesView(store) {
  const [far, good, matters, wrong] = ["Progress", "Best", "What decides", "Failed and pruned"].map((title) => tile(title));
  const tiles = el("section", { class: "tiles", "aria-label": "At a glance" }, far.node, good.node, matters.node, wrong.node);
  fill(matters.body, el("p", { class: "tile-main quiet" }, "–"), el("p", {}, "looking …"));
  const draw = () => {
    fill(far.body, ...progressLines(store));
    fill(good.body, ...bestLines(store));
    fill(wrong.body, ...failureLines(store));
  };
  store.on("rows sweep metric", draw);
  const clock = setInterval(() => { if (!tiles.isConnected) clearInterval(clock); else if (store.sweep.status === "RUNNING") fill(far.body, ...progressLines(store)); }, 1000);
  const tellImportance = (name, share) => fill(matters.body, ...(name === null ? [el("p", { class: "tile-main quiet" }, "–"), el("p", {}, share)] : [el("p", { class: "tile-main" }, plainText(name)), el("p", {}, `decides ${formatPercent(share)} of ${plainText(store.goals[0].name)}`)]));
  return { tiles, tellImportance };
}

function tile(title) {
  const body = el("div", { class: "tile-body" });
  return { body, node: el("div", { class: "tile" }, el("h2", {}, title), body) };
}

export function countsOf(store) {
  const counts = {};
  for (let row = 0; row < store.trials.count; row += 1) { const name = STATES[store.trials.state[row]]; counts[name] = (counts[name] ?? 0) + 1; }
  return store.trials.sample ? store.sweep.counts ?? counts : counts;
}

function progressLines(store) {
  const { sweep } = store;
  const counts = countsOf(store);
  const ended = (counts.COMPLETE ?? 0) + (counts.PRUNED ?? 0) + (counts.FAILED ?? 0);
  const wanted = sweep.budget?.n_trials ?? null;
  const running = sweep.status === "RUNNING";
  const share = wanted ? Math.min(1, ended / wanted) : null;
  const bar = share === null ? null : el("div", { class: "meter", role: "progressbar", "aria-label": "Trials ended", "aria-valuemin": "0", "aria-valuemax": wanted, "aria-valuenow": ended }, el("span", { style: { width: `${share * 100}%` } }));
  const took = (millisOf(running ? Date.now() : sweep.ended) - millisOf(sweep.started)) / 1000;
  const parts = running ? [plural(counts.RUNNING ?? 0, "running", "running"), `for ${formatSeconds(took)}`] : [stopWords(sweep), `took ${formatSeconds(Number.isFinite(took) ? took : sweep.seconds)}`];
  const left = sweep.left?.seconds;
  if (running && Number.isFinite(left) && sweep.driver?.alive !== false) parts.push(`about ${formatSeconds(left)} left`);
  return [el("p", { class: "tile-main" }, formatCount(ended), wanted ? el("small", {}, ` of ${formatCount(wanted)}`) : el("small", {}, " trials")), bar, el("p", {}, parts.filter(Boolean).join(" · ")),
    running && sweep.driver && sweep.driver.alive === false ? el("p", { class: "warn" }, "Its driver is gone; resume it to go on.") : null];
}

function stopWords(sweep) {
  const ago = Number.isFinite(millisOf(sweep.ended)) ? `ended ${formatAgo(sweep.ended)}` : plainText(String(sweep.status).toLowerCase());
  return sweep.stopped_by ? `${ago} by ${plainText(sweep.stopped_by)}` : ago;
}

function bestLines(store) {
  const last = store.best.at(-1);
  const goal = targetGoal(store);
  if (!goal) return [el("p", { class: "tile-main quiet" }, "–"), el("p", {}, "no goal is on record: choose one below")];
  if (!last) return [el("p", { class: "tile-main quiet" }, "–"), el("p", {}, `no finished trial with ${plainText(store.metric)} yet`)];
  const since = store.trials.sample ? lastNumber(store) - last[0] : store.ranked.reduce((count, row) => count + (store.trials.number[row] > last[0] ? 1 : 0), 0);
  const gain = store.best.length > 1 ? store.best.at(-2)[1] : null;
  const still = since === 0 ? "the newest trial" : `no better in ${plural(since, "trial")} since`;
  return [el("p", { class: "tile-main best-value" }, formatNumber(last[1], 6), el("small", {}, " by "), linkTo(trialPath(store.sweep, last[0]), `#${last[0]}`)),
    el("p", {}, `${goal} ${plainText(store.metric)} · ${still}`, gain === null ? "" : `, before ${formatNumber(gain)}`)];
}

/* Of a sample not all numbers are known, but the newest are. */
function lastNumber(store) {
  return store.order.length ? store.trials.number[store.order.at(-1)] : 0;
}

function failureLines(store) {
  const { trials } = store;
  const counts = countsOf(store);
  const reasons = new Map();
  for (let row = 0; row < trials.count; row += 1) if (trials.state[row] === FAILED) { const why = plainText(trials.reason[row] || "unknown").slice(0, 40); reasons.set(why, (reasons.get(why) ?? 0) + 1); }
  const failed = counts[STATES[FAILED]] ?? 0;
  const pruned = counts[STATES[PRUNED]] ?? 0;
  const told = [...reasons].sort(([, one], [, other]) => other - one).slice(0, 3).map(([why, count]) => `${why} (${count})`);
  const button = (name, count, words) => (count ? el("button", { type: "button", class: "link", onclick: () => store.brush("state", stateBrush(name)) }, `${formatCount(count)} ${words}`) : el("span", { class: "quiet" }, `0 ${words}`));
  return [el("p", { class: "tile-main small" }, button("FAILED", failed, "failed"), " ", button("PRUNED", pruned, "pruned")), el("p", {}, told.length ? `${told.join(", ")}${trials.sample ? " of those shown" : ""}` : counts[STATES[RUNNING]] ? "nothing went wrong yet" : "nothing went wrong")];
}
