/* Light and dark, and the colours (Okabe-Ito) that canvases take from the style sheet. */
import { el } from "./dom.js";

const THEME_KEY = "hpo-theme";
const themeListeners = new Set();
let knownColours = null;
let labelTheme = () => {};

export function startTheme() {
  const kept = readKeptTheme();
  if (kept) document.documentElement.dataset.theme = kept;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);
}

/* Told when colours change, until the page is left. */
export function onTheme(listener) {
  themeListeners.add(listener);
}

export function forgetThemeListeners() {
  themeListeners.clear();
}

function themeChanged() {
  knownColours = null;
  labelTheme();
  for (const listener of themeListeners) listener();
}

function readKeptTheme() {
  try {
    const kept = localStorage.getItem(THEME_KEY);
    return kept === "dark" || kept === "light" ? kept : null;
  } catch {
    return null;
  }
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function themeButton() {
  const button = el("button", { type: "button", class: "theme", onclick: switchTheme });
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
  };
  labelTheme = label;
  label();
  return button;
}

function switchTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem(THEME_KEY, next); } catch { /* a report from disk may have no storage */ }
  themeChanged();
}

export function colours() {
  if (knownColours) return knownColours;
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["text", "quiet", "line", "faint", "panel", "dot", "best", "failed", "pruned", "running", "brush", "ramp-low", "ramp-high", "page"];
  knownColours = Object.fromEntries(names.map((name) => [name.replace("-", "_"), read(name)]));
  knownColours.series = [1, 2, 3, 4, 5, 6, 7, 8].map((at) => read(`series-${at}`));
  knownColours.font = "12px system-ui, sans-serif";
  return knownColours;
}

export function ramp(share) {
  const { ramp_low, ramp_high } = colours();
  const [low, high] = [hexParts(ramp_low), hexParts(ramp_high)];
  return `rgb(${low.map((part, at) => Math.round(part + (high[at] - part) * share)).join(",")})`;
}

function hexParts(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
