/* Registered models: versions with stages and aliases, and who was live when. */
import { getJson, lookAgain } from "./api.js";
import { commandList } from "./commands.js";
import { commandLine, el, emptyNote, fill, redraw } from "./dom.js";
import { formatAgo, formatNumber, formatTime, plainText, plural } from "./format.js";
import { linkTo, modelPath } from "./links.js";
import { plainTable } from "./settings.js";

/* Shows an answer, and again whenever it is another one; what others changed has no time yet, but that of the question. */
async function followAnswer(path, main, show) {
  const textOf = (answer) => JSON.stringify(answer, (key, value) => (key === "at" ? undefined : value));
  let known = "";
  const look = async () => {
    const answer = await getJson(path);
    if (textOf(answer) === known) return;
    known = textOf(answer);
    redraw(main, () => show(answer));
  };
  await look();
  return lookAgain(look);
}

export function modelsPage(main) {
  document.title = "Models · hpo";
  return followAnswer("/api/models", main, ({ models }) => {
    const rows = models.map((model) => [linkTo(modelPath(model.name), plainText(model.name)), versionsCount(model), aliasBadges(model), plainText(model.description ?? ""), formatAgo(model.updated ?? model.created)]);
    fill(main, el("div", { class: "page-head" }, el("h1", {}, "Models")), rows.length ? el("div", { class: "panel" }, plainTable(["model", "versions", "aliases", "description", "changed"], rows)) : emptyNote("No model is registered yet.", el("p", {}, "A sweep registers its winner where its file says register:, or by hand:"), commandLine("hpo register @latest --name NAME")));
  });
}

function versionsCount(model) {
  const { versions } = model;
  return plural(Array.isArray(versions) ? versions.length : versions ?? 0, "version");
}

function aliasBadges(model) {
  const pairs = Array.isArray(model.aliases) ? model.aliases.map((each) => (typeof each === "string" ? [each, ""] : [each.alias ?? each.name, each.version])) : Object.entries(model.aliases ?? {});
  return el("span", {}, ...pairs.map(([alias, version]) => el("span", { class: "badge" }, plainText(version ? `${alias} → ${version}` : alias))));
}

export function modelPage(main, name) {
  document.title = `${plainText(name)} · hpo`;
  return followAnswer(`/api/models/${encodeURIComponent(name)}`, main, (model) => {
    fill(main,
      el("div", { class: "page-head" }, el("nav", { class: "crumbs", "aria-label": "Path" }, linkTo("/models", "Models"), el("span", { "aria-hidden": "true" }, " / "), el("span", { "aria-current": "page" }, plainText(name))), el("h1", {}, plainText(name)), model.description ? el("p", { class: "quiet" }, plainText(model.description)) : null),
      modelPanel("Versions", plainTable(["version", "aliases", "stage", "metrics", "from", "created"], (model.versions ?? []).map(versionRow))),
      modelPanel("Who was live when", historyList(model.history ?? [])),
      model.commands ? modelPanel("Commands", commandList(model.commands)) : null);
  });
}

function modelPanel(title, ...children) {
  return el("section", { class: "panel", "aria-label": title }, el("div", { class: "panel-head" }, el("h2", {}, title)), el("div", { class: "panel-body" }, ...children));
}

function versionRow(version) {
  const metrics = Object.entries(version.metrics ?? {}).slice(0, 4).map(([key, value]) => `${plainText(key)} ${formatNumber(value)}`).join(", ");
  const from = version.sweep ? linkTo(`/sweeps/${encodeURIComponent(version.sweep)}${version.trial === null || version.trial === undefined ? "" : `/trials/${version.trial}`}`, `${plainText(version.sweep)}${version.trial === null || version.trial === undefined ? "" : `#${version.trial}`}`) : plainText(version.run_id ?? version.run ?? "");
  return [String(version.version), el("span", {}, ...(version.aliases ?? []).map((alias) => el("span", { class: "badge" }, plainText(alias)))), version.stage === "None" ? "" : plainText(version.stage ?? ""), metrics, from, formatTime(version.created)];
}

function historyList(history) {
  if (!history.length) return el("p", { class: "quiet" }, "No alias has moved yet.");
  return plainTable(["when", "what", "from", "to", "who", "why"], history.map((each) => [formatTime(each.at), plainText(each.alias ?? each.stage ?? each.action ?? ""), plainText(each.from ?? "–"), plainText(each.to ?? each.version ?? "–"), plainText(each.who ?? ""), plainText(each.why ?? "")]));
}
