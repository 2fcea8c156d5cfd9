/* Where a value stands on an axis: linear, logarithmic, or one place a choice. */
import { formatTick, formatValue } from "./format.js";

export function numberScale(low, high, log = false) {
  const usable = log && low > 0 && high > 0;
  let [from, to] = usable ? [Math.log10(low), Math.log10(high)] : [low, high];
  if (!(to > from)) { const room = usable ? 0.5 : Math.abs(from) * 0.1 || 0.5; from -= room; to += room; }
  const span = to - from;
  return {
    log: usable, levels: null, low: usable ? 10 ** from : from, high: usable ? 10 ** to : to,
    at: usable ? (value) => (value > 0 ? (Math.log10(value) - from) / span : NaN) : (value) => (value - from) / span,
    invert: (share) => (usable ? 10 ** (from + share * span) : from + share * span),
    ticks: (count) => (usable ? logTicks(from, to, count) : linearTicks(from, to, count)),
    label: formatTick,
  };
}

export function levelScale(levels) {
  const size = Math.max(1, levels.length);
  return {
    log: false, levels, low: -0.5, high: size - 0.5,
    at: (index) => (index + 0.5) / size,
    invert: (share) => share * size - 0.5,
    ticks: () => levels.map((_, index) => index),
    label: (index) => formatValue(levels[index]),
  };
}

/* Where the end of a filter is drawn: at the edge where it lies beyond, as 0 does on a log axis. */
export function edgeOf(scale, value) {
  return scale.log && value <= 0 ? 0 : Math.max(0, Math.min(1, scale.at(value)));
}

export function padded(low, high, log, share = 0.04) {
  if (log && low > 0) {
    const room = (Math.log10(high) - Math.log10(low)) * share;
    return [10 ** (Math.log10(low) - room), 10 ** (Math.log10(high) + room)];
  }
  const room = (high - low) * share;
  return [low - room, high + room];
}

function linearTicks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999) * power;
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

function logTicks(from, to, count) {
  const first = Math.ceil(from - 1e-9);
  const last = Math.floor(to + 1e-9);
  if (last - first < 1) return linearTicks(10 ** from, 10 ** to, Math.min(3, count));
  const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(2, count)));
  const ticks = [];
  for (let power = first; power <= last; power += every) ticks.push(Number(`1e${power}`));
  return ticks;
}

export function quantile(sorted, share) {
  if (!sorted.length) return NaN;
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}
