/* One trial: what it ran with, what came of it, why it failed, what it printed. */
import { getJson, getText, report } from "./api.js";
import { chartAxis, createChart } from "./chart.js";
import { commandList } from "./commands.js";
import { el, emptyNote, factList, fill } from "./dom.js";
import { formatNumber, formatSeconds, formatSize, formatTime, formatValue, plainLines, plainText, plural } from "./format.js";
import { linkTo, modelPath, sweepPath, trialPath } from "./links.js";
import { plainTable } from "./settings.js";
import { statusMark } from "./sweep.js";
import { COMPLETE, STATES, emptyTrials, levelsOf, mergeTrials, numberOrder } from "./trials.js";

export async function trialPage(main, name, number) {
  const base = `/api/sweeps/${encodeURIComponent(name)}`;
  const trials = emptyTrials();
  const [sweep, columns] = await Promise.all([getJson(base), getJson(`${base}/trials`)]);
  mergeTrials(trials, columns);
  const row = trials.rowOf.get(Number(number));
  if (row === undefined) { fill(main, emptyNote(`There is no trial ${number} in ${plainText(sweep.name)}.`, el("p", {}, linkTo(sweepPath(sweep), "All its trials")))); return null; }
  const path = `/api/runs/${encodeURIComponent(trials.run[row])}`;
  const run = await getJson(path).catch((error) => { if (report) return briefRun(trials, row); throw error; });
  fill(main, trialHead(sweep, trials, row, run), ...trialParts(sweep, run, path));
  document.title = `#${number} of ${plainText(sweep.name)} · hpo`;
  return null;
}

/* What the columns say of a trial, for a report, which has all of a few trials only. */
function briefRun(trials, row) {
  const told = (group, read) => Object.fromEntries([...group].filter(([, column]) => !Number.isNaN(column.values[row])).map(([name, column]) => [name, read(name, column.values[row])]));
  return {
    id: trials.run[row], state: STATES[trials.state[row]], value: trials.state[row] === COMPLETE ? trials.value[row] : null, reason: trials.reason[row] || null,
    started: trials.started[row], ended: trials.ended[row], seconds: trials.seconds[row], attempt: trials.attempt[row],
    params: told(trials.params, (name, value) => levelsOf(trials, `p.${name}`)?.[value] ?? value), metrics: told(trials.metrics, (_, value) => value),
  };
}

function trialHead(sweep, trials, row, run) {
  const order = numberOrder(trials);
  const at = order.indexOf(row);
  const near = (step, words) => { const other = order[at + step]; return other === undefined ? null : linkTo(trialPath(sweep, trials.number[other]), words, { class: "button" }); };
  const value = run.value ?? trials.value[row];
  return el("div", { class: "page-head" },
    el("nav", { class: "crumbs", "aria-label": "Path" }, report ? null : linkTo("/", "Sweeps"), report ? null : el("span", { "aria-hidden": "true" }, " / "), linkTo(sweepPath(sweep), plainText(sweep.name)), el("span", { "aria-hidden": "true" }, " / "), el("span", { "aria-current": "page" }, `#${trials.number[row]}`)),
    el("div", { class: "title-row" }, el("h1", {}, `Trial ${trials.number[row]}`), statusMark(run.state ?? run.status), el("span", { class: "grow" }), near(-1, "← earlier"), near(1, "later →")),
    el("p", { class: "headline" }, Number.isFinite(value) ? `${plainText(sweep.metric ?? "value")} ${formatNumber(value, 6)}` : "", run.reason ? el("span", { class: "bad" }, plainText(run.reason)) : null));
}

function trialParts(sweep, run, path) {
  return [
    run.error || run.traceback ? trialCard("Failure", el("p", { class: "bad" }, plainText(run.error ?? "")), run.traceback ? el("pre", { class: "log", tabindex: "0", "aria-label": "Traceback" }, plainLines(run.traceback)) : null) : null,
    el("div", { class: "two" },
      trialCard("Parameters", plainTable(["parameter", "value"], entriesOf(run.params).map(([key, value]) => [plainText(key), formatValue(value)]))),
      trialCard("Metrics", metricsOf(run))),
    pointsCard(run),
    trialCard("Facts", factList([["Started", formatTime(run.started)], ["Ended", formatTime(run.ended)], ["Duration", formatSeconds(run.seconds)], ["Attempt", run.attempt], ["Seed", run.seed], ["Run", run.id]])),
    report ? null : logCard(path), artifactsCard(run), childrenCard(run),
    run.commands ? trialCard("Commands", commandList(run.commands)) : null,
    tagsCard(run),
  ].filter(Boolean);
}

function entriesOf(told) {
  return Array.isArray(told) ? told.map((each) => [each.name, each.value]) : Object.entries(told ?? {});
}

function trialCard(title, ...children) {
  return el("section", { class: "panel", "aria-label": title }, el("div", { class: "panel-head" }, el("h2", {}, title)), el("div", { class: "panel-body" }, ...children));
}

function pointsOf(told) {
  if (told === null || typeof told !== "object") return { value: told, steps: [], values: [] };
  if (Array.isArray(told)) return { value: told.at(-1)?.value ?? told.at(-1)?.[1], steps: told.map((each) => each.step ?? each[0]), values: told.map((each) => each.value ?? each[1]) };
  return { value: told.value ?? told.last ?? told.values?.at(-1) ?? null, steps: told.steps ?? [], values: told.values ?? [] };
}

function metricsOf(run) {
  const rows = entriesOf(run.metrics).map(([key, told]) => [plainText(key), formatNumber(pointsOf(told).value, 6)]);
  return rows.length ? plainTable(["metric", "value"], rows, [1]) : el("p", { class: "quiet" }, "It recorded none.");
}

function pointsCard(run) {
  const curves = entriesOf(run.metrics).map(([key, told]) => [key, pointsOf(told)]).filter(([, { steps }]) => steps.length > 1);
  if (!curves.length) return null;
  const chart = createChart("Metrics by step", 280);
  const card = trialCard("Metrics by step", chart.host);
  requestAnimationFrame(() => chart.show({
    xAxis: { type: "value", ...chartAxis("step") }, yAxis: { type: "value", ...chartAxis("") },
    tooltip: { renderMode: "richText", trigger: "axis", formatter: (points) => points.map(({ seriesName, value }) => `${seriesName} at ${value[0]}: ${formatNumber(value[1])}`).join("\n") },
    series: curves.slice(0, 8).map(([key, { steps, values }]) => ({ type: "line", name: plainText(key), showSymbol: steps.length < 20, data: steps.map((step, at) => [step, values[at]]) })),
  }, `Metrics by step: ${curves.map(([key]) => plainText(key)).join(", ")}.`));
  return card;
}

function logCard(path) {
  const body = el("div", {}, el("p", { class: "quiet" }, "Loading …"));
  getText(`${path}/log?tail=65536`).then((text) => {
    const log = el("pre", { class: "log", tabindex: "0", "aria-label": "What it printed, the end of it" }, plainLines(text));
    fill(body, text.trim() ? log : el("p", { class: "quiet" }, "It printed nothing."));
    log.scrollTop = log.scrollHeight;
  }).catch((error) => fill(body, el("p", { class: "quiet" }, error.message)));
  return trialCard("Log", body);
}

function artifactsCard(run) {
  const files = run.artifacts ?? [];
  if (!files.length) return null;
  return trialCard("Files", plainTable(["file", "size"], files.map(({ id, name, size }) => [report ? plainText(name) : el("a", { href: `/api/artifacts/${encodeURIComponent(id)}`, download: true }, plainText(name)), formatSize(size)]), [1]));
}

function childrenCard(run) {
  const children = run.replicates ?? run.children ?? [];
  if (!children.length) return null;
  return trialCard(plural(children.length, "run below it", "runs below it"), plainTable(["run", "state", "value"], children.map((child) => [plainText(child.name ?? child.id), plainText(child.state ?? child.status ?? ""), formatNumber(child.value, 6)]), [2]));
}

function tagsCard(run) {
  const tags = entriesOf(run.tags);
  const models = run.models ?? [];
  if (!tags.length && !models.length) return null;
  const rows = tags.map(([key, value]) => [plainText(key), plainText(value).slice(0, 400)]);
  return trialCard("Tags and models", ...models.map((model) => el("p", {}, "Model ", model.registered ? linkTo(modelPath(model.registered), plainText(model.name)) : plainText(model.name ?? model.model_id ?? ""))), rows.length ? plainTable(["tag", "value"], rows) : null);
}
