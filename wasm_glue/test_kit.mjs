// A clock for a whole Worker under test: sleeps, time limits and retries of the module, KV's expiry, the Cache API's max-age,
// queues' delays, cron and alarms all follow it, and a month passes in a moment. In workerd, Node and wherever else the module runs.
//
//     const world = new TestWorld();
//     const env = { STORE: world.kv(), JOBS: world.queue((batch) => handlers.queue(batch, env, world.ctx)) };
//     const object = world.durableObject(Reminders, env);
//     world.cron("0 3 * * *", (controller) => handlers.scheduled(controller, env, world.ctx));
//     await world.advance(30 * 24 * 3600e3);
//
// Give `world.options` to `worker`, `run`, `durableObject`, `scheduled` and `queue`. Until `world.end()` it is in the
// place of Date.now, which the module's wall clock is. Everything happens in the order of its time, and nothing waits for
// real time: what is awaited must be made of promises alone, so use no real fetch.

import { testCaches } from "./test_cache.mjs";

const second = 1000;
const minute = 60 * second;

// Enough for what one event sets off.
const settled = async () => {
  for (let i = 0; i < 200; ++i) await null;
};

const copy = (value) => {
  if (typeof value === "string") return new TextEncoder().encode(value);
  return new Uint8Array(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength).slice();
};

// 56 digits that follow from a text, and those of an id with them, which ends with their seal.
const digitsOf = (text, count) => {
  let digits = "";
  for (let seed = 1; digits.length < count; ++seed) {
    let hash = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(seed + " " + text)) hash = Math.imul(hash ^ byte, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    digits += ((hash ^ (hash >>> 12)) >>> 0).toString(16).padStart(8, "0");
  }
  return digits;
};
const sealed = (digits) => digits + digitsOf("seal of " + digits, 8);

export class TestWorld {
  #timers = new Map(); // number -> {at, call}
  #last = 0;
  #time;
  #realNow = Date.now;

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.start = this.#time = start;
    Date.now = () => this.#time;
  }
  end() {
    Date.now = this.#realNow;
  }

  // Milliseconds since 1970.
  get time() {
    return this.#time;
  }
  #pending = new Set(); // what the clock has to wait for

  // The Cache API.
  caches = testCaches({
    now: () => this.#time,
    track: (promise) => {
      const ended = promise.catch(() => {}).finally(() => this.#pending.delete(ended));
      this.#pending.add(ended);
      return promise;
    },
  });
  options = {
    caches: this.caches,
    now: () => this.#time - this.start,
    setTimeout: (call, delay) => this.at(this.#time + Math.max(0, delay), call),
    clearTimeout: (number) => this.cancel(number),
  };
  failures = []; // of handlers
  ctx = { waitUntil: (promise) => void promise.catch((error) => this.failures.push(error)) };

  // Calls `call` at a time. Returns a number for `cancel`.
  at(time, call) {
    this.#timers.set(++this.#last, { at: time, call });
    return this.#last;
  }
  cancel(number) {
    this.#timers.delete(number);
  }

  // Lets so many milliseconds pass.
  async advance(milliseconds) {
    const end = this.#time + milliseconds;
    for (;;) {
      await settled();
      while (this.#pending.size) {
        await Promise.all(this.#pending);
        await settled();
      }
      let first;
      for (const [number, timer] of this.#timers) if (!first || timer.at < first[1].at) first = [number, timer];
      if (!first || first[1].at > end) break;
      this.#timers.delete(first[0]);
      this.#time = Math.max(this.#time, first[1].at);
      first[1].call();
    }
    this.#time = end;
  }

  // A KV namespace.
  kv() {
    const entries = new Map();
    const live = (name) => {
      const entry = entries.get(name);
      if (entry?.expiration * second <= this.#time) entries.delete(name);
      return entries.get(name);
    };
    return {
      getWithMetadata: async (name) => ({ value: live(name)?.value.slice().buffer ?? null, metadata: live(name)?.metadata ?? null }),
      get: async (name) => (live(name) ? new TextDecoder().decode(live(name).value) : null),
      put: async (name, value, { expirationTtl, metadata } = {}) => {
        const expiration = expirationTtl && Math.ceil((this.#time + expirationTtl * second) / second);
        entries.set(name, { value: copy(value), expiration, metadata });
      },
      delete: async (name) => void entries.delete(name),
      list: async ({ prefix, limit = 1000, cursor } = {}) => {
        const names = [...entries.keys()].sort().filter((name) => live(name) && name.startsWith(prefix ?? "") && !(name <= (cursor ?? "")));
        const keys = names.slice(0, limit).map((name) => {
          const { expiration, metadata } = entries.get(name);
          return { name, ...(expiration && { expiration }), ...(metadata && { metadata }) };
        });
        return names.length > limit ? { keys, list_complete: false, cursor: keys.at(-1).name } : { keys, list_complete: true };
      },
    };
  }

  // A queue whose consumer is `handler(batch)`.
  queue(handler, { name = "queue", batchMax = 10, batchWait = 5 * second, retriesMax = 3, retryDelay = 0 } = {}) {
    let waiting = [];
    let last = 0;
    let delivering = false;
    let timer;
    const look = () => {
      this.cancel(timer);
      if (delivering || !waiting.length) return;
      waiting.sort((one, other) => one.at - other.at);
      const due = waiting.length >= batchMax ? Math.min(waiting[batchMax - 1].at, waiting[0].at + batchWait) : waiting[0].at + batchWait;
      timer = this.at(Math.max(due, this.#time), deliver);
    };
    const deliver = async () => {
      const messages = waiting.filter(({ at }) => at <= this.#time).slice(0, batchMax);
      waiting = waiting.filter((message) => !messages.includes(message));
      delivering = true;
      const decisions = new Map();
      const batch = {
        queue: name,
        messages: messages.map((message) => ({
          ...message,
          ack: () => decisions.set(message, "handled"),
          retry: ({ delaySeconds = 0 } = {}) => decisions.set(message, delaySeconds * second),
        })),
      };
      let failed = false;
      await Promise.resolve(handler(batch)).catch((error) => (failed = this.failures.push(error)));
      delivering = false;
      for (const message of messages) {
        const decision = decisions.get(message) ?? (failed ? 0 : "handled");
        if (decision === "handled" || message.attempts > retriesMax) continue;
        waiting.push({ ...message, attempts: message.attempts + 1, at: this.#time + Math.max(decision, retryDelay) });
      }
      look();
    };
    const send = (body, delaySeconds = 0) => {
      waiting.push({ id: String(++last), timestamp: new Date(this.#time), attempts: 1, body, at: this.#time + delaySeconds * second });
      look();
    };
    return {
      send: async (body, { delaySeconds } = {}) => send(body, delaySeconds),
      sendBatch: async (all, { delaySeconds } = {}) => [...all].forEach((each) => send(each.body, each.delaySeconds ?? delaySeconds)),
    };
  }

  // Calls `handler(controller)` each time that the expression is due: "*", numbers, ranges, steps and lists, in UTC.
  cron(cron, handler) {
    const fields = cron.trim().split(/ +/).map((field) => (value) => field.split(",").some((part) => {
      const [range, step = "1"] = part.split("/");
      const [first, last = part.includes("/") && range !== "*" ? "99" : first] = range === "*" ? ["0", "99"] : range.split("-");
      return value >= Number(first) && value <= Number(last) && (value - Number(first)) % Number(step) === 0;
    }));
    const [, , dayText, , weekdayText] = cron.trim().split(/ +/);
    const due = (time) => {
      const date = new Date(time);
      const [minutes, hours, days, months, weekdays] = fields;
      if (!minutes(date.getUTCMinutes()) || !hours(date.getUTCHours()) || !months(date.getUTCMonth() + 1)) return false;
      const both = [days(date.getUTCDate()), weekdays(date.getUTCDay())];
      return /^\*/.test(dayText) || /^\*/.test(weekdayText) ? both.every(Boolean) : both.some(Boolean);
    };
    const next = () => {
      let time = (Math.floor(this.#time / minute) + 1) * minute;
      while (!due(time)) time += minute;
      this.at(time, async () => {
        await Promise.resolve(handler({ cron, scheduledTime: time })).catch((error) => this.failures.push(error));
        next();
      });
    };
    next();
  }

  // A namespace of Durable Objects of a class, each as `durableObject` makes it, when it is first asked for. `objects`
  // has them by their ids.
  durableNamespace(Class, env) {
    const objects = new Map();
    let last = 0;
    const idOf = (digits) => ({ toString: () => digits, equals: (other) => String(other) === digits });
    return {
      objects,
      idFromName: (name) => idOf(sealed(digitsOf("name " + name, 56))),
      newUniqueId: () => idOf(sealed(digitsOf("unique " + ++last, 56))),
      idFromString(text) {
        const digits = String(text).toLowerCase();
        if (!/^[0-9a-f]{64}$/.test(digits) || sealed(digits.slice(0, 56)) !== digits) throw new TypeError("Invalid Durable Object ID: " + text);
        return idOf(digits);
      },
      get: (id) => {
        const key = String(id);
        if (!objects.has(key)) objects.set(key, this.durableObject(Class, env));
        return { id, fetch: (request, init) => objects.get(key).fetch(request, init) };
      },
    };
  }

  // One Durable Object of a class, with its storage and alarm. `evict()` makes the next event find a new instance.
  durableObject(Class, env) {
    const entries = new Map();
    let alarm = null;
    let running = null;
    let timer;
    let instance;
    let failures = 0;
    const set = (time) => {
      this.cancel(timer);
      alarm = time;
      if (time !== null) timer = this.at(Math.max(time, this.#time), ring);
    };
    const storage = {
      get: async (keys) => new Map(keys.filter((key) => entries.has(key)).map((key) => [key, entries.get(key).slice()])),
      list: async ({ prefix = "", start = "", end, limit = Infinity } = {}) => {
        const keys = [...entries.keys()].sort().filter((key) => key.startsWith(prefix) && key >= start && !(key >= end));
        return new Map(keys.slice(0, limit).map((key) => [key, entries.get(key).slice()]));
      },
      put: async (values) => void Object.entries(values).forEach(([key, value]) => entries.set(key, copy(value))),
      delete: async (keys) => void keys.forEach((key) => entries.delete(key)),
      getAlarm: async () => alarm,
      setAlarm: async (time) => {
        running = null;
        set(Number(time));
      },
      deleteAlarm: async () => {
        running = null;
        set(null);
      },
      sync: async () => {},
    };
    const get = () => (instance ??= new Class({ storage, waitUntil: this.ctx.waitUntil }, env));
    const ring = async () => {
      running = alarm;
      alarm = null;
      try {
        await get().alarm();
        running = null;
        failures = 0;
      } catch (error) {
        this.failures.push(error);
        if (running !== null && ++failures <= 6) set(this.#time + 2 * second * 2 ** (failures - 1));
      }
    };
    return {
      fetch: (request, init) => get().fetch(new Request(request, init)),
      evict: () => (instance = null),
      entries,
    };
  }
}
