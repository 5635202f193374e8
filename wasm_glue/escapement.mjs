// The JS half of escapement: runs a wasm module's tasks and answers requests with its service, in Cloudflare
// Workers, browsers, Node, Deno and Bun alike. What crosses to the module is in wasm_glue/abi.h.
//
// One instance of the module per isolate, one context (a reactor) per request or task. A context has at most
// one host timer, set to what its last step asked for, and none while nothing sleeps. The module runs only
// inside `enter`; nothing that it calls comes back into it. (Closures and members that end
// in _, because minifiers shorten their names.)

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Timers under 4 ms are stretched to 4 by browsers once they nest; a message first makes the next one not
// nested. Elsewhere there is no such clamp, and a message costs more than it saves.
const channel = globalThis.importScripts || globalThis.document ? new MessageChannel() : null;
const hops = [];
if (channel) channel.port1.onmessage = () => hops.shift()();

const apps = new WeakMap(); // module -> its live instance
let current; // the context that has been entered

const fieldsOf = (lines) => lines.filter(Boolean).map((line) => line.split(/: (.*)/s, 2));
const textOf = (fields) => [...fields].map((field) => field.join(": ") + "\n").join("");

// An instance. After a trap it is not used again: its stack pointer is lost.
function appOf(module) {
  if (apps.has(module)) return apps.get(module);
  const live = new Set();
  const bytes = (at, length) => new Uint8Array(exports.memory.buffer, at, length);
  const copy = (at, length) => bytes(at, length).slice();
  const text = (at, length) => decoder.decode(bytes(at, length));
  const { exports } = new WebAssembly.Instance(module, {
    escapement: {
      now: () => current.now_(),
      wall: Date.now,
      random: Math.random,
      settle: (ok, at, length) => current.settle_(ok ? text(at, length) : new Error(text(at, length)), !ok),
      fetch: (id, head, headLength, body, bodyLength) =>
        current.fetch_(id, text(head, headLength), bodyLength ? copy(body, bodyLength) : undefined),
      fetch_read: (id) => current.read_(id),
      fetch_drop: (id) => current.drop_(id),
      request_read: () => current.readRequest_(),
      respond: (head, headLength, body, bodyLength, streams) =>
        current.respond_(text(head, headLength), copy(body, bodyLength), streams),
      response_bytes: (at, length) => current.stream_().enqueue(copy(at, length)),
      response_end: (failed) => current.stream_()[failed ? "error" : "close"](),
    },
    env: { emscripten_notify_memory_growth() {} },
  });
  exports._initialize?.();
  const app = { exports_: exports, live_: live };
  apps.set(module, app);
  return app;
}

// Never at a Worker's global scope: clocks show 0 there and timers throw.
function open(module, options) {
  const app = appOf(module);
  const x = app.exports_;
  const {
    now = () => performance.now(),
    setTimeout = globalThis.setTimeout,
    clearTimeout = globalThis.clearTimeout,
    fetch = globalThis.fetch,
  } = options;
  const base = now();
  const fetches = new Map();
  let at; // of the context in the module's memory
  let timer; // of the host, armed for `due`; an object while a message is on its way
  let due = 0;
  let inside = false;
  let wanted = false; // the response's reader asked for more while the module ran
  let busy = false;
  let ended = false;
  let controller; // of the response's stream
  let body; // of the request
  let finish;
  let resolve;
  let reject;
  const done = new Promise((call) => (finish = call));
  const result = new Promise((...both) => ([resolve, reject] = both));
  const settle = (value, failed) => (failed ? reject : resolve)(value);

  const disarm = () => {
    if (timer) clearTimeout(timer);
    timer = undefined;
  };

  // The timer that is set stays when it fires no later than needed: a step then asks for the rest.
  const arm = (delay) => {
    const next = now() + delay;
    if (timer && delay >= 0 && due <= next) return;
    disarm();
    if (delay < 0) return;
    due = next;
    const fire = () => {
      timer = undefined;
      enter(() => {});
    };
    if (!channel || delay >= 4) return void (timer = setTimeout(fire, delay));
    const hop = (timer = {});
    hops.push(() => {
      if (timer === hop) delay > 0 ? (timer = setTimeout(fire, delay)) : fire();
    });
    channel.port2.postMessage(0);
  };

  // Everything has finished, or was destroyed, or trapped.
  const end = (error) => {
    if (ended) return;
    ended = true;
    disarm();
    for (const id of fetches.keys()) drop(id);
    app.live_.delete(end);
    if (!error) x.esc_close(at);
    reject(error ?? new Error("cancelled"));
    if (error) controller?.error(error);
    finish();
  };

  // Runs `call` and a step, then waits for what the step asks for. A trap takes the instance with it: every
  // context of it fails, each in its own promise, and the next call gets a new one.
  const enter = (call) => {
    if (ended) return;
    const before = current;
    current = context;
    inside = true;
    let delay;
    try {
      call();
      if (busy) delay = x.esc_step(at);
      for (; wanted; delay = x.esc_step(at)) want((wanted = false));
    } catch (trap) {
      apps.delete(module);
      for (const fail of [...app.live_]) fail(trap);
    } finally {
      inside = false;
      current = before;
    }
    if (delay === -2) end();
    else if (busy && !ended) arm(delay);
  };

  const want = () => x.esc_response_wanted(at);

  // Passes text or bytes to an export, which takes them over.
  const give = (name, before, data, ...after) =>
    enter(() => {
      if (typeof data === "string") data = encoder.encode(data);
      const place = x.esc_alloc(data.length);
      new Uint8Array(x.memory.buffer, place, data.length).set(data);
      x[name](at, ...before, place, data.length, ...after);
    });

  const drop = (id) => {
    const state = fetches.get(id);
    fetches.delete(id);
    state?.abort_.abort();
  };

  const cancel = () => enter(() => x.esc_cancel(at));

  const context = {
    done_: done,
    settle_: settle,
    cancel_: cancel,
    stream_: () => controller,
    now_: () => now() - base,

    start_(name, input, ...after) {
      busy = true;
      give(name, [], input, ...after);
      return result;
    },

    fetch_(id, head, data) {
      const [method, url, ...fields] = head.split("\n");
      const state = { abort_: new AbortController() };
      fetches.set(id, state);
      // Nothing is told of a fetch that has been dropped.
      state.tell_ = (what, data, ...more) => fetches.get(id) === state && give("esc_fetch_" + what, [id, ...more], data);
      state.failed_ = (error) => state.tell_("failed", String(error?.message ?? error), 0);
      const ask = (redirect) =>
        fetch(url, { method, headers: fieldsOf(fields), body: data, redirect, signal: state.abort_.signal });
      queueMicrotask(async () => {
        if (!fetch) return state.tell_("failed", "", 1);
        try {
          let response = await ask("manual");
          let head = textOf([...response.headers].filter(([name]) => name !== "set-cookie"));
          head += textOf((response.headers.getSetCookie?.() ?? []).map((cookie) => ["set-cookie", cookie]));
          head = response.status + "\n" + head;
          if (response.type === "opaqueredirect") {
            if (!/^(GET|HEAD)$/.test(method)) throw "this browser hides redirects";
            response = await ask("follow");
            head = "307\nlocation: " + response.url;
          }
          state.reader_ = response.body?.getReader();
          state.tell_("head", head);
        } catch (error) {
          state.failed_(error);
        }
      });
    },

    read_(id) {
      const state = fetches.get(id);
      Promise.resolve(state.reader_?.read() ?? { done: 1 }).then(
        ({ done, value }) => state.tell_("bytes", done ? "" : value),
        state.failed_,
      );
    },

    drop_: drop,

    answer_(request, env = {}) {
      const texts = Object.entries(env).filter(([, value]) => typeof value === "string");
      give("esc_env", [], texts.map((pair) => pair.join("=") + "\n").join(""));
      body = request.body;
      request.signal?.addEventListener("abort", cancel);
      const head = request.method + "\n" + request.url + "\n" + textOf(request.headers);
      return context.start_("esc_request", head, body ? 1 : 0);
    },

    readRequest_() {
      if (body.getReader) body = body.getReader();
      body.read().then(
        ({ done, value }) => give("esc_request_bytes", [], done ? "" : value),
        (error) => give("esc_request_failed", [], String(error)),
      );
    },

    respond_(head, data, streams) {
      const [status, ...fields] = head.split("\n");
      if (streams) {
        data = new ReadableStream({
          start: (made) => void (controller = made),
          pull() {
            if (inside) wanted = true;
            else enter(want);
          },
          cancel,
        });
      }
      settle(new Response(data.length === 0 ? null : data, { status, headers: fieldsOf(fields) }));
    },
  };
  app.live_.add(end);
  enter(() => (at = x.esc_open()));
  result.catch(() => {}); // told to whoever asked; nobody may have
  return context;
}

// A compiled module from what hosts have: a module, its bytes, or the response that brings them.
export async function load(source) {
  source = await source;
  if (source.arrayBuffer) source = await source.arrayBuffer();
  return source instanceof WebAssembly.Module ? source : WebAssembly.compile(source);
}

// Runs the task that the module exports as ESC_TASK(name), in a reactor of its own.
export function run(module, name, input = "", options = {}) {
  const context = open(module, options);
  options.signal?.addEventListener("abort", context.cancel_);
  return context.start_("esc_task_" + name, input);
}

// A Worker's handlers for a module that has an ESC_WORKER.
export function worker(module, options = {}) {
  return {
    async fetch(request, env, ctx) {
      const context = open(module, options);
      ctx?.waitUntil?.(context.done_);
      try {
        return await context.answer_(request, env);
      } catch {
        return new Response("Service Unavailable\n", { status: 503 });
      }
    },
  };
}
