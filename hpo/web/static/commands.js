/* What can be done with the sweep, as commands to copy: the page itself changes nothing. */
import { commandLine, el } from "./dom.js";

export function commandsView(store) {
  const draw = () => {};
  return { node: el("div", {}, el("p", { class: "quiet" }, "This page only looks. Copy what you want to do into a terminal."), commandList(store.sweep.commands)), draw };
}

/* Commands come as {name: text}, as [{name, command}], or as a list of texts. */
export function commandList(commands) {
  const pairs = Array.isArray(commands) ? commands.map((each) => (typeof each === "string" ? ["", each] : [each.what ?? each.name ?? "", each.command ?? each.text])) : Object.entries(commands ?? {});
  return el("ul", { class: "commands" }, ...pairs.filter(([, text]) => text).map(([name, text]) => el("li", {}, commandLine(text, name))));
}
