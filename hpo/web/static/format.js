/* Numbers, times and foreign text as people read them. */

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export function plainText(text) {
  return String(text ?? "").replace(UNSEEN, escapedSign);
}

export function plainLines(text) {
  return String(text ?? "").replace(/\r\n/g, "\n").replace(UNSEEN, (sign) => (sign === "\n" || sign === "\t" ? sign : escapedSign(sign)));
}

function escapedSign(sign) {
  const code = sign.codePointAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

export function formatNumber(value, digits = 5) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(Math.max(1, digits - 2)).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

export function formatTick(value) {
  return formatNumber(value, 4);
}

export function formatCount(value) {
  return Number(value ?? 0).toLocaleString("en").replaceAll(",", "\u2009");
}

export function formatSeconds(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function millisOf(time) {
  if (time === null || time === undefined || time === "") return NaN;
  return typeof time === "number" ? time : Date.parse(time);
}

export function formatTime(time) {
  const millis = millisOf(time);
  if (!Number.isFinite(millis)) return "–";
  return new Date(millis).toISOString().replace("T", " ").slice(0, 19) + " UTC";
}

export function formatAgo(time) {
  const millis = millisOf(time);
  if (!Number.isFinite(millis)) return "–";
  return `${formatSeconds(Math.max(0, (Date.now() - millis) / 1000))} ago`;
}

export function formatSize(bytes) {
  if (!Number.isFinite(bytes)) return "–";
  const unit = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let size = bytes;
  while (size >= 1000 && at < 4) { size /= 1000; at += 1; }
  return `${at ? size.toFixed(1) : size} ${unit[at]}`;
}

export function formatValue(value) {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number") return formatNumber(value, 6);
  return typeof value === "string" ? plainText(value) : plainText(JSON.stringify(value));
}

export function formatPercent(share) {
  return share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`;
}

export function plural(count, word, words = `${word}s`) {
  return `${formatCount(count)} ${count === 1 ? word : words}`;
}
