/* Nodes made from data: text is only ever text, so nothing that a trial wrote can become markup. */
import { plainText } from "./format.js";

export function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) setProperty(node, key, value);
  node.append(...presentNodes(children));
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren(...presentNodes(children));
  return node;
}

function presentNodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

function setProperty(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key === "class") node.className = value;
  else if (key === "style") for (const [name, text] of Object.entries(value)) node.style.setProperty(name, text);
  else if (key === "value" || key === "checked" || key === "disabled") node[key] = value;
  else node.setAttribute(key, value === true ? "" : String(value));
}

/* Draws a part of the page anew; what has the focus in it has it afterwards, too. */
export function redraw(node, draw) {
  const nameOf = (each) => each.getAttribute("href") ?? each.getAttribute("aria-label") ?? each.textContent;
  const focused = node.contains(document.activeElement) && document.activeElement !== node ? document.activeElement : null;
  const name = focused ? nameOf(focused) : null;
  draw();
  if (focused && !focused.isConnected) [...node.querySelectorAll("a, button, input")].find((each) => nameOf(each) === name)?.focus({ preventScroll: true });
}

export function panel(title, id, ...children) {
  const heading = el("h2", { id: `${id}-title` }, title);
  const tools = el("div", { class: "tools" });
  const body = el("div", { class: "panel-body" }, ...children);
  const section = el("section", { class: `panel panel-${id}`, id, "aria-labelledby": heading.id }, el("div", { class: "panel-head" }, heading, tools), body);
  return { section, heading, tools, body };
}

export function choiceOf(label, options, chosen, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) }, ...options.map(([value, text]) => el("option", { value }, text)));
  select.value = chosen;
  return el("label", { class: "field" }, el("span", {}, label), select);
}

export function emptyNote(title, ...more) {
  return el("div", { class: "empty" }, el("p", { class: "empty-title" }, title), ...more);
}

export function commandLine(text, why) {
  const clean = plainText(text);
  if (clean !== text) return el("div", { class: "command" }, why ? el("span", { class: "command-why" }, why) : null, el("code", {}, clean), el("span", { class: "warn" }, "holds control characters: not to be copied"));
  const button = el("button", { type: "button", class: "copy", "aria-label": `Copy: ${text}`, onclick: () => copyText(text, button) }, "Copy");
  return el("div", { class: "command" }, why ? el("span", { class: "command-why" }, why) : null, el("code", {}, text), button);
}

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

export function factList(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, ...shown.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
