/* What can be done with the sweep, as commands to copy: the page itself changes nothing. */
import { commandLine, el, fill } from "./dom.js";

export function commandsView(store) {
  const list = el("div", {});
  const node = el("div", {}, el("p", { class: "quiet" }, "This page only looks. Copy what you want to do into a terminal."), list);
  return { node, draw: onChange(() => store.sweep.commands, (commands) => fill(list, commandList(commands))) };
}

/* Draws again only what is another one than before: what somebody selects or has the focus on stays. */
export function onChange(read, draw) {
  let before;
  return () => {
    const now = JSON.stringify(read() ?? null);
    if (now !== before) { before = now; draw(read()); }
  };
}

/* Commands come as {name: text}, as [{name, command}], or as a list of texts. */
export function commandList(commands) {
  const pairs = Array.isArray(commands) ? commands.map((each) => (typeof each === "string" ? ["", each] : [each.what ?? each.name ?? "", each.command ?? each.text])) : Object.entries(commands ?? {});
  return el("ul", { class: "commands" }, ...pairs.filter(([, text]) => text).map(([name, text]) => el("li", {}, commandLine(text, name))));
}
