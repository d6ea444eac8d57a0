// What is shown stays true: each source is asked every second, by its ETag, so that an answer that is the same costs a
// few bytes. Not asked: what nobody looks at (a hidden tab). A source that fails says so and is asked again.

const PERIOD = 1000;
const PATIENCE = 10_000;

let authorization = null;
let sources = [];
const failing = new Set();
let toldZxid = () => {};

export function login(user, password) {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  authorization = user === "" ? null : `Basic ${btoa(String.fromCharCode(...bytes))}`;
  for (const source of sources) source.etag = null;
  tick();
}

/** Asks `url` from now on; `told({ status, body })` is called for each answer that is another one. */
export function follow(url, told) {
  const source = { url, told, etag: null, last: null, busy: false, ended: false };
  sources.push(source);
  ask(source);
  return () => {
    source.ended = true;
    failing.delete(source);
    sources = sources.filter((other) => other !== source);
  };
}

/** Whether the member answers: `told(why)`, `null` when it does. */
export function onLine(told) {
  let before;
  setInterval(() => {
    const [source] = failing;
    const why = source ? source.why : null;
    if (why !== before) told(why);
    before = why;
  }, 200);
}

/** The newest change that the member has applied, as each of its answers says. */
export function onZxid(told) {
  toldZxid = told;
}

async function ask(source) {
  if (source.busy) return;
  source.busy = true;
  const headers = {};
  if (source.etag) headers["If-None-Match"] = source.etag;
  if (authorization) headers.Authorization = authorization;
  const asAsked = authorization;
  try {
    // Without the browser's own credentials: it would open a window for each znode that is not for everyone.
    const options = { headers, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) };
    const response = await fetch(source.url, options);
    const text = response.status === 304 ? null : await response.text();
    if (!source.ended && asAsked === authorization) take(source, response, text);
  } catch (error) {
    source.why = error.name === "TimeoutError" ? "it does not answer" : "it cannot be reached";
    if (!source.ended) failing.add(source);
  }
  source.busy = false;
}

function take(source, response, text) {
  failing.delete(source);
  source.etag = response.headers.get("etag");
  const zxid = response.headers.get("coordd-zxid");
  if (zxid !== null) toldZxid(zxid);
  if (text === null) return;
  const kind = response.headers.get("content-type") ?? "";
  const body = /json/.test(kind) ? JSON.parse(text) : text;
  const last = `${response.status} ${text}`;
  if (last === source.last) return;
  source.last = last;
  source.told({ status: response.status, body });
}

function tick() {
  if (document.visibilityState === "visible") sources.forEach(ask);
}

setInterval(tick, PERIOD);
document.addEventListener("visibilitychange", tick);
