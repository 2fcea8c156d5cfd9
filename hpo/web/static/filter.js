/* Brushes: which part of which axis is let pass; a mask of rows from them, and the same as text in the address. */
import { STATES, levelsOf, valuesOf } from "./trials.js";

const PLAIN_KEYS = ["number", "value", "seconds", "state", "attempt"];

export function isBrushKey(key) {
  return PLAIN_KEYS.includes(key) || key.startsWith("p.") || key.startsWith("m.");
}

/* A brush is {low, high} (either may be missing), {levels: [..]}, or {inactive: true}. */
export function maskOf(trials, brushes) {
  const mask = new Uint8Array(trials.count).fill(1);
  for (const [key, brush] of brushes) letPass(mask, trials, key, brush);
  let shown = 0;
  for (let row = 0; row < mask.length; row += 1) shown += mask[row];
  return { mask, shown };
}

function letPass(mask, trials, key, brush) {
  const values = valuesOf(trials, key);
  if (!values) { if (!brush.inactive) mask.fill(0); return; }
  if (brush.inactive) for (let row = 0; row < mask.length; row += 1) mask[row] &= Number.isNaN(values[row]) ? 1 : 0;
  else if (brush.levels) {
    const wanted = wantedLevels(levelsOf(trials, key) ?? [], brush.levels);
    for (let row = 0; row < mask.length; row += 1) mask[row] &= wanted[values[row]] ?? 0;
  } else {
    const { low = -Infinity, high = Infinity } = brush;
    for (let row = 0; row < mask.length; row += 1) mask[row] &= values[row] >= low && values[row] <= high ? 1 : 0;
  }
}

function wantedLevels(levels, chosen) {
  const texts = new Set(chosen.map((level) => JSON.stringify(level)));
  return Uint8Array.from(levels, (level) => (texts.has(JSON.stringify(level)) ? 1 : 0));
}

export function brushText(brush) {
  if (brush.inactive) return "none";
  if (brush.levels) return `~${brush.levels.map((level) => encodeURIComponent(typeof level === "string" ? `'${level}` : JSON.stringify(level))).join("~")}`;
  return `${rounded(brush.low)}..${rounded(brush.high)}`;
}

function rounded(value) {
  return value === undefined || !Number.isFinite(value) ? "" : String(Number(value.toPrecision(6)));
}

export function brushOf(text) {
  if (text === "none") return { inactive: true };
  if (text.startsWith("~")) {
    const levels = text.slice(1).split("~").map(levelOf).filter((level) => level !== undefined);
    return levels.length ? { levels } : null;
  }
  const [low, high, ...more] = text.split("..");
  if (high === undefined || more.length) return null;
  const brush = {};
  if (low !== "" && Number.isFinite(Number(low))) brush.low = Number(low);
  if (high !== "" && Number.isFinite(Number(high))) brush.high = Number(high);
  return brush.low === undefined && brush.high === undefined ? null : brush;
}

function levelOf(text) {
  try {
    const plain = decodeURIComponent(text);
    return plain.startsWith("'") ? plain.slice(1) : JSON.parse(plain);
  } catch {
    return undefined;
  }
}

export function brushWords(brush, format) {
  if (brush.inactive) return "inactive";
  if (brush.levels) return brush.levels.map((level) => format(level)).join(" or ");
  if (brush.low === undefined) return `≤ ${format(brush.high)}`;
  if (brush.high === undefined) return `≥ ${format(brush.low)}`;
  return `${format(brush.low)} to ${format(brush.high)}`;
}

/* What a drag over a scale from one share to another lets pass. */
export function brushBetween(scale, from, to) {
  const [low, high] = from <= to ? [from, to] : [to, from];
  if (!scale.levels) return { low: scale.invert(Math.max(0, low)), high: scale.invert(Math.min(1, high)) };
  const levels = scale.levels.filter((_, index) => { const at = scale.at(index); return at >= low && at <= high; });
  return levels.length ? { levels } : null;
}

export function stateBrush(...names) {
  return { levels: names.filter((name) => STATES.includes(name)) };
}
