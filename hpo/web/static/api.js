/* Answers of the server, or, in a report, those written into the page: {"page": "/sweeps/x", "answers": {path: answer}}. */

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
const LOOK_AGAIN = 1000;
const AS_LONG_AS = 20;
const inlined = document.getElementById("report-data");

export const report = inlined ? JSON.parse(inlined.textContent) : null;

export async function getJson(path) {
  if (report) return reportAnswer(path);
  const response = await askServer(path, "application/json");
  return response.json();
}

export async function getText(path) {
  if (report) return reportAnswer(path);
  const response = await askServer(path, "text/plain");
  return response.text();
}

function reportAnswer(path) {
  if (Object.hasOwn(report.answers, path)) return report.answers[path];
  throw new PageError("This is not part of the report.", "Look at the live page: hpo ui");
}

async function askServer(path, accept) {
  let response;
  try {
    response = await fetch(path, { headers: { Accept: accept }, credentials: "same-origin" });
  } catch {
    throw new PageError("The server does not answer.", "Start it again with: hpo ui", 0);
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const { message, remedy } = told.error ?? {};
  throw new PageError(message ?? `The server answered ${response.status}.`, remedy ?? "", response.status);
}

export function PageError(message, remedy = "", status = 0) {
  const error = new Error(message);
  error.remedy = remedy;
  error.status = status;
  return error;
}

/* Follows a stream of events until told to stop; `pathNow()` says where it goes on, each time it has to begin anew. */
export function listen(pathNow, handlers, onstate) {
  if (report || typeof EventSource === "undefined") return () => {};
  let source = null;
  let timer = 0;
  let wait = FIRST_WAIT;
  const begin = () => {
    source = new EventSource(pathNow());
    for (const [name, handler] of Object.entries(handlers)) source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    source.addEventListener("open", () => { wait = FIRST_WAIT; onstate("live"); });
    source.addEventListener("error", async () => {
      onstate("waiting");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      timer = setTimeout(begin, wait);
      wait = Math.min(LONGEST_WAIT, wait * 2);
      const answer = await fetch(pathNow(), { method: "HEAD", credentials: "same-origin" }).catch(() => null);
      if (answer?.status === 401 && source.readyState === EventSource.CLOSED) onstate("refused"); // it was started anew, with another token
    });
  };
  begin();
  return () => { clearTimeout(timer); source.close(); };
}

/* Calls again and again while the page is to be seen; what goes wrong is over the next time. */
export function lookAgain(look) {
  if (report) return () => {};
  let timer = 0;
  let stopped = false;
  const turn = async () => {
    const began = performance.now();
    if (!document.hidden) await look().catch(() => {});
    if (!stopped) timer = setTimeout(turn, Math.max(LOOK_AGAIN, AS_LONG_AS * (performance.now() - began)));
  };
  timer = setTimeout(turn, LOOK_AGAIN);
  return () => { stopped = true; clearTimeout(timer); };
}
