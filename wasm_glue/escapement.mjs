// The JS half of escapement: runs a wasm module's tasks and answers requests with its service, in Cloudflare
// Workers, browsers, Node, Deno and Bun alike. What crosses to the module is in wasm_glue/abi.h.
//
// One instance of the module per isolate, one Context (a reactor) per request or task. A context has at most
// one host timer, set to what its last step asked for, and none while nothing sleeps. The module runs only
// inside `enter`; nothing that it calls comes back into it.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Timers under 4 ms are stretched to 4 by browsers once they nest; a message first makes the next one not
// nested. Elsewhere there is no such clamp, and a message costs more than it saves.
const channel = typeof importScripts === "function" || typeof document === "object" ? new MessageChannel() : null;
const hops = [];
if (channel) channel.port1.onmessage = () => hops.shift()();

let current = null; // the context that has been entered

class Context {
  constructor(app, host) {
    this.app = app;
    this.host = host;
    this.fetches = new Map();
    this.timer = undefined; // of the host, armed for `due`
    this.due = 0;
    this.inside = false;
    this.base = host.now();
    this.done = new Promise((resolve) => (this.close = resolve));
    app.live.add(this);
    this.enter((x) => (this.at = x.esc_open()));
  }

  // Runs `call` and a step, then waits for what the step asks for. A trap takes the instance with it.
  enter(call) {
    if (this.ended) return;
    const before = current;
    current = this;
    this.inside = true;
    let delay;
    try {
      call(this.app.exports, this.at);
      if (this.busy) delay = this.app.exports.esc_step(this.at);
      while (this.wanted) {
        this.wanted = false;
        this.app.exports.esc_response_wanted(this.at);
        delay = this.app.exports.esc_step(this.at);
      }
    } catch (trap) {
      this.app.fail(trap);
      return;
    } finally {
      this.inside = false;
      current = before;
    }
    if (delay === -2) this.end();
    else if (this.busy) this.arm(delay);
  }

  // The timer that is set stays when it fires no later than needed: a step then asks for the rest.
  arm(delay) {
    const due = this.host.now() + delay;
    if (this.timer !== undefined) {
      if (delay >= 0 && this.due <= due) return;
      this.host.clearTimeout(this.timer);
      this.timer = undefined;
    }
    if (delay < 0) return;
    this.due = due;
    const fire = () => {
      this.timer = undefined;
      this.enter(() => {});
    };
    if (channel && delay < 4) {
      const token = (this.timer = {});
      hops.push(() => {
        if (this.timer === token) delay > 0 ? (this.timer = this.host.setTimeout(fire, delay)) : fire();
      });
      channel.port2.postMessage(0);
    } else this.timer = this.host.setTimeout(fire, delay);
  }

  // Everything in it has finished, or was destroyed, or trapped.
  end(error) {
    if (this.ended) return;
    this.ended = true;
    if (this.timer !== undefined) this.host.clearTimeout(this.timer);
    for (const id of [...this.fetches.keys()]) this.drop(id);
    this.app.live.delete(this);
    if (error === undefined) this.app.exports.esc_close(this.at);
    this.settle?.(false, error ?? new Error("cancelled"));
    this.stream?.error(error);
    this.close();
  }

  // Passes text or bytes to an export, which takes them over.
  give(name, before, data, ...after) {
    this.enter((x, at) => {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      const place = x.esc_alloc(bytes.length);
      new Uint8Array(x.memory.buffer, place, bytes.length).set(bytes);
      x[name](at, ...before, place, bytes.length, ...after);
    });
  }

  run(name, input) {
    return new Promise((resolve, reject) => {
      this.settle = (ok, value) => (ok ? resolve(value) : reject(value));
      this.busy = true;
      this.give(name, [], input);
    });
  }

  fetch(id, head, body) {
    const [method, url, ...fields] = head.split("\n");
    const headers = fields.filter((line) => line).map((line) => line.split(/: (.*)/s, 2));
    const state = { abort: new AbortController() };
    this.fetches.set(id, state);
    const fetch = this.host.fetch;
    const failed = (error) =>
      this.fetches.get(id) === state && this.give("esc_fetch_failed", [id, 0], String(error?.message ?? error));
    if (typeof fetch !== "function") {
      queueMicrotask(() => this.give("esc_fetch_failed", [id, 1], ""));
      return;
    }
    const ask = (redirect) => fetch(url, { method, headers, body, redirect, signal: state.abort.signal });
    Promise.resolve()
      .then(() => ask("manual"))
      .then(async (response) => {
        let { status } = response;
        let lines = [...response.headers].filter(([name]) => name !== "set-cookie");
        for (const cookie of response.headers.getSetCookie?.() ?? []) lines.push(["set-cookie", cookie]);
        if (response.type === "opaqueredirect") {
          if (!/^(GET|HEAD)$/.test(method)) throw new Error("this browser hides redirects");
          response = await ask("follow");
          [status, lines] = [307, [["location", response.url]]];
        }
        state.response = response;
        this.give("esc_fetch_head", [id], `${status}\n${lines.map((line) => line.join(": ") + "\n").join("")}`);
      })
      .catch(failed);
  }

  read(id) {
    const state = this.fetches.get(id);
    state.reader ??= state.response.body?.getReader();
    const next = state.reader ? state.reader.read() : Promise.resolve({ done: true });
    next.then(
      ({ done, value }) => this.fetches.get(id) === state && this.give("esc_fetch_bytes", [id], done ? "" : value),
      (error) => this.fetches.get(id) === state && this.give("esc_fetch_failed", [id, 0], String(error)),
    );
  }

  drop(id) {
    const state = this.fetches.get(id);
    this.fetches.delete(id);
    state?.abort.abort();
  }

  answer(request, env) {
    const response = new Promise((resolve, reject) => {
      this.settle = (ok, value) => (ok ? resolve(value) : reject(value));
    });
    const text = Object.entries(env ?? {}).filter(([, value]) => typeof value === "string");
    if (text.length) this.give("esc_env", [], text.map((pair) => pair.join("=") + "\n").join(""));
    const head = [request.method, request.url, ...[...request.headers].map((line) => line.join(": "))];
    this.body = request.body;
    this.busy = true;
    this.give("esc_request", [], head.join("\n") + "\n", request.body ? 1 : 0);
    request.signal?.addEventListener("abort", () => this.cancel());
    return response;
  }

  cancel() {
    this.enter((x, at) => x.esc_cancel(at));
  }

  respond(head, body, streams) {
    const [status, ...fields] = head.split("\n");
    const headers = fields.filter((line) => line).map((line) => line.split(/: (.*)/s, 2));
    const settle = this.settle;
    this.settle = undefined;
    const bodyless = [101, 204, 205, 304].includes(+status);
    if (streams) {
      const want = () => {
        if (this.inside) this.wanted = true;
        else this.enter((x, at) => x.esc_response_wanted(at));
      };
      body = new ReadableStream({
        start: (controller) => void (this.stream = controller),
        pull: want,
        cancel: () => this.cancel(),
      });
    }
    settle?.(true, new Response(bodyless ? null : body, { status, headers }));
  }
}

// One instance of a module. After a trap it is not used again: its stack pointer is lost.
class App {
  constructor(module) {
    this.live = new Set();
    const text = (at, length) => decoder.decode(this.bytes(at, length));
    const escapement = {
      now: () => current.host.now() - current.base,
      wall: () => current.host.wall(),
      random: () => Math.floor(Math.random() * 2 ** 53),
      settle: (ok, at, length) => {
        const value = text(at, length);
        const settle = current.settle;
        current.settle = undefined;
        settle?.(ok, ok ? value : new Error(value));
      },
      fetch: (id, head, headLength, body, bodyLength) =>
        current.fetch(id, text(head, headLength), bodyLength ? this.bytes(body, bodyLength).slice() : undefined),
      fetch_read: (id) => current.read(id),
      fetch_drop: (id) => current.drop(id),
      request_read: () => {
        const context = current;
        context.reader ??= context.body.getReader();
        context.reader.read().then(
          ({ done, value }) => context.give("esc_request_bytes", [], done ? "" : value),
          (error) => context.give("esc_request_failed", [], String(error)),
        );
      },
      respond: (head, headLength, body, bodyLength, streams) =>
        current.respond(text(head, headLength), this.bytes(body, bodyLength).slice(), streams),
      response_bytes: (at, length) => current.stream.enqueue(this.bytes(at, length).slice()),
      response_end: (failed) => {
        if (failed) current.stream.error(new Error("the response broke off"));
        else current.stream.close();
        current.stream = undefined;
      },
    };
    this.exports = new WebAssembly.Instance(module, {
      escapement,
      env: { emscripten_notify_memory_growth() {} },
      wasi_snapshot_preview1: { proc_exit: (code) => { throw new Error(`exit ${code}`); } },
    }).exports;
    this.exports._initialize?.();
  }

  bytes(at, length) {
    return new Uint8Array(this.exports.memory.buffer, at, length);
  }

  // Everything that was under way fails, each in its own promise; the next call gets a new instance.
  fail(trap) {
    this.dead = true;
    for (const context of [...this.live]) context.end(trap);
  }
}

// Module -> its live instance.
const apps = new WeakMap();

function appOf(module) {
  let app = apps.get(module);
  if (!app || app.dead) apps.set(module, (app = new App(module)));
  return app;
}

// Never at a Worker's global scope: clocks show 0 there and timers throw.
function openContext(module, options) {
  const host = {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimeout: (call, delay) => globalThis.setTimeout(call, delay),
    clearTimeout: (timer) => typeof timer === "object" && channel ? undefined : globalThis.clearTimeout(timer),
    fetch: globalThis.fetch,
    ...options,
  };
  return new Context(appOf(module), host);
}

// A compiled module from what hosts have: a Module, bytes, or a Response (fetched).
export async function load(source) {
  source = await source;
  if (source instanceof WebAssembly.Module) return source;
  return WebAssembly.compile(source instanceof Response ? await source.arrayBuffer() : source);
}

// Runs the task that the module exports as ESC_TASK(name), in a reactor of its own.
export function run(module, name, input = "", options = {}) {
  const context = openContext(module, options);
  options.signal?.addEventListener("abort", () => context.cancel());
  return context.run(`esc_task_${name}`, input);
}

// A Worker's handlers for a module that has an ESC_WORKER.
export function worker(module, options = {}) {
  return {
    async fetch(request, env, ctx) {
      const context = openContext(module, options);
      ctx?.waitUntil?.(context.done);
      try {
        return await context.answer(request, env);
      } catch {
        return new Response("Service Unavailable\n", { status: 503 });
      }
    },
  };
}
