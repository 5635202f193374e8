// The Cache API on a clock of a test's (test_kit.mjs): freshness, conditions and ranges as Cloudflare documents them.

const numberOf = (text) => (/^"?(\d+)"?$/.test(text) ? Number(/\d+/.exec(text)[0]) : undefined);

// Returns how long a response is fresh, in milliseconds; null: it may not be kept.
function lifetime(headers, now, unstated) {
  if (headers.has("set-cookie")) return null;
  const parts = new Map();
  for (const part of (headers.get("cache-control") ?? "").split(",")) {
    const [name, value = ""] = part.trim().split("=");
    parts.set(name.toLowerCase(), value);
  }
  if (parts.has("no-store") || parts.has("no-cache") || parts.has("private")) return null;
  const age = numberOf(headers.get("age")) ?? 0;
  const seconds = numberOf(parts.get("s-maxage")) ?? numberOf(parts.get("max-age"));
  if (seconds !== undefined) return (seconds - age) * 1000;
  if (!headers.has("expires")) return unstated;
  const expires = Date.parse(headers.get("expires"));
  return Number.isNaN(expires) ? 0 : expires - now;
}

const withoutWeakness = (tag) => tag.trim().replace(/^W\//, "");
function notModified(asked, kept) {
  const tags = asked.get("if-none-match");
  if (tags !== null) {
    const own = kept.get("etag");
    return own !== null && tags.split(",").some((tag) => tag.trim() === "*" || withoutWeakness(tag) === withoutWeakness(own));
  }
  const since = Date.parse(asked.get("if-modified-since"));
  return Date.parse(kept.get("last-modified")) <= since;
}

// The bytes [first, end) of so many; null: none was asked for.
function rangeOf(field, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(field) ?? [];
  if (!first && !last) return null;
  if (!first) return [size - Math.min(Number(last), size), size];
  return [Number(first), last ? Math.min(Number(last) + 1, size) : size];
}

// A stream that needs nothing but promises, wherever it runs.
const streamOf = (bytes) =>
  new ReadableStream({
    start(to) {
      if (bytes.length) to.enqueue(bytes);
      to.close();
    },
  });

class TestCache {
  #entries = new Map(); // URL -> {status, headers, body, kept, expires}

  constructor(world) {
    this.world = world; // {now, track, unstated}
  }

  #live(url) {
    const entry = this.#entries.get(url);
    if (entry && entry.expires > this.world.now()) return entry;
    this.#entries.delete(url);
  }

  async match(request, { ignoreMethod = false } = {}) {
    request = new Request(request);
    const entry = this.#live(request.url);
    if (!entry || (request.method !== "GET" && !ignoreMethod)) return undefined;
    const headers = new Headers(entry.headers);
    headers.set("age", String(Math.floor((this.world.now() - entry.kept) / 1000)));
    headers.set("cf-cache-status", "HIT");
    const answer = (status, body) => new Response(body && streamOf(body), { status, headers, encodeBody: "manual" });
    if (notModified(request.headers, entry.headers)) return answer(304, null);
    const size = entry.body.length;
    const range = entry.status === 200 ? rangeOf(request.headers.get("range"), size) : null;
    if (!range) return answer(entry.status, [101, 204, 205, 304].includes(entry.status) ? null : entry.body);
    const [first, end] = range;
    headers.delete("content-length");
    headers.set("content-range", first < end ? `bytes ${first}-${end - 1}/${size}` : `bytes */${size}`);
    return first < end ? answer(206, entry.body.slice(first, end)) : answer(416, new Uint8Array());
  }

  async put(request, response) {
    request = new Request(request);
    if (request.method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    if (response.status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    if (response.headers.get("vary")?.includes("*")) throw new TypeError("Cannot cache response with 'Vary: *' header.");
    // A host may bring the bytes by other means than promises: the clock waits for that.
    const body = new Uint8Array(await this.world.track(response.arrayBuffer()));
    const now = this.world.now();
    const fresh = lifetime(response.headers, now, this.world.unstated);
    if (fresh === null) return;
    this.#entries.set(request.url, { status: response.status, headers: new Headers(response.headers), body, kept: now, expires: now + fresh });
  }

  async delete(request, { ignoreMethod = false } = {}) {
    request = new Request(request);
    if (request.method !== "GET" && !ignoreMethod) return false;
    const there = Boolean(this.#live(request.url));
    this.#entries.delete(request.url);
    return there;
  }
}

// Makes what a Worker has as `caches`. `now` yields milliseconds since 1970, `track` is given promises that the clock has to
// wait for, and passes them on; responses that do not say how long they are fresh are so for `unstated` milliseconds.
export function testCaches({ now, track = (promise) => promise, unstated = 2 * 3600e3 }) {
  const world = { now, track, unstated };
  const named = new Map();
  return {
    default: new TestCache(world),
    async open(name) {
      if (!named.has(name)) named.set(name, new TestCache(world));
      return named.get(name);
    },
  };
}
