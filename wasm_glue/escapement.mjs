// The JS half of escapement: runs a wasm module's tasks and answers requests with its service, in Cloudflare
// Workers, browsers, Node, Deno and Bun alike. What crosses to the module is in wasm_glue/abi.h.
//
// One instance of the module per isolate, one context (a reactor) per request or task. A context has at most
// one host timer, set to what its last step asked for, and none while nothing sleeps. The module runs only
// inside `enter`; nothing that it calls comes back into it.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Timers under 4 ms are stretched to 4 by browsers once they nest; a message first makes the next one not
// nested. Elsewhere there is no such clamp, and a message costs more than it saves.
const channel = globalThis.importScripts || globalThis.document ? new MessageChannel() : null;
const hops = [];
if (channel) channel.port1.onmessage = () => hops.shift()();

const apps = new WeakMap(); // module -> the exports of its live instance, and what ends each of its contexts
let current; // the context that has been entered

const fieldsOf = (lines) => lines.filter(Boolean).map((line) => line.split(/: (.*)/s, 2));
const textOf = (pairs, between, after) => [...pairs].map((pair) => pair.join(between) + after).join("");

// An instance, whose imports are the methods of the same name of the context that has been entered. After a
// trap it is not used again: its stack pointer is lost.
function appOf(module) {
  if (apps.has(module)) return apps.get(module);
  const { exports } = new WebAssembly.Instance(module, {
    escapement: new Proxy({}, { get: (_, name) => (...all) => current[name](...all) }),
    env: { emscripten_notify_memory_growth() {} },
  });
  exports._initialize?.();
  const app = [exports, new Set()];
  apps.set(module, app);
  return app;
}

// Never at a Worker's global scope: clocks show 0 there and timers throw.
function open(module, options) {
  const [x, live] = appOf(module);
  const {
    now = () => performance.now(),
    setTimeout = globalThis.setTimeout,
    clearTimeout = globalThis.clearTimeout,
    fetch = globalThis.fetch,
  } = options;
  const fetches = new Map();
  let at; // of the context in the module's memory
  let timer; // of the host, armed for `due`; an object while a message is on its way
  let due;
  let wanted; // the response's reader asked for more while the module ran
  let busy;
  let controller; // of the response's stream
  let reader; // of the request's body
  let finish;
  let resolve;
  let reject;
  const done = new Promise((call) => (finish = call));
  const result = new Promise((...both) => ([resolve, reject] = both));

  const bytes = (at, length) => new Uint8Array(x.memory.buffer, at, length);
  const text = (at, length) => decoder.decode(bytes(at, length));

  const disarm = () => {
    if (timer) clearTimeout(timer);
    timer = 0;
  };

  // The timer that is set stays when it fires no later than needed: a step then asks for the rest.
  const arm = (delay) => {
    const next = now() + delay;
    if (timer && delay >= 0 && due <= next) return;
    disarm();
    if (delay < 0) return;
    due = next;
    const fire = () => {
      timer = 0;
      enter(() => {});
    };
    const wait = () => (timer = setTimeout(fire, delay));
    if (!channel || delay >= 4) return wait();
    const hop = (timer = {});
    hops.push(() => timer === hop && (delay ? wait : fire)());
    channel.port2.postMessage(0);
  };

  // Everything has finished, or was destroyed, or trapped.
  const end = (error) => {
    if (!live.delete(end)) return;
    disarm();
    for (const id of fetches.keys()) drop(id);
    if (error) controller?.error(error);
    else x.esc_close(at);
    reject(error ?? new Error("cancelled"));
    finish();
  };

  // Runs `call` and a step, then waits for what the step asks for. A trap takes the instance with it: every
  // context of it fails, each in its own promise, and the next call gets a new one.
  const enter = (call) => {
    if (!live.has(end)) return;
    const before = current;
    current = context;
    let delay;
    try {
      call();
      if (busy) delay = x.esc_step(at);
      for (; wanted; delay = x.esc_step(at)) want((wanted = 0));
    } catch (trap) {
      apps.delete(module);
      for (const stop of live) stop(trap);
    } finally {
      current = before;
    }
    if (delay === -2) end();
    else if (busy && live.has(end)) arm(delay);
  };

  const want = () => x.esc_response_wanted(at);
  const cancel = () => enter(() => x.esc_cancel(at));

  // Passes text or bytes to an export, which takes them over.
  const give = (name, data, ...before) =>
    enter(() => {
      if (typeof data === "string") data = encoder.encode(data);
      const place = x.esc_alloc(data.length);
      bytes(place, data.length).set(data);
      x[name](at, ...before, place, data.length);
    });

  const drop = (id) => {
    const state = fetches.get(id);
    fetches.delete(id);
    state?.abort.abort();
  };

  // Nothing is told of a fetch that has been dropped.
  const tellOf = (id) => (what, data) => fetches.has(id) && give("esc_fetch_" + what, data, id);

  // Tells what `make` comes to, in a later turn, or how it failed.
  const report = async (tell, make) => {
    try {
      await 0;
      tell(...(await make()));
    } catch (error) {
      tell("failed", String(error?.message || error));
    }
  };

  // No bytes at all would mean the end: an empty piece is passed over.
  const read = (tell, from) =>
    report(tell, async () => {
      let piece;
      do piece = (await from?.read()) ?? { done: 1 };
      while (!piece.done && !piece.value.length);
      return ["bytes", piece.done ? "" : piece.value];
    });

  const start = (name, input, ...before) => {
    busy = 1;
    give(name, input, ...before);
    return result;
  };

  const context = {
    done,
    cancel,
    start,

    answer(request, env = {}) {
      const texts = Object.entries(env).filter(([, value]) => typeof value === "string");
      give("esc_env", textOf(texts, "=", "\0"));
      reader = request.body?.getReader();
      request.signal?.addEventListener("abort", cancel);
      const head = request.method + "\n" + request.url + "\n" + textOf(request.headers, ": ", "\n");
      return start("esc_request", head, reader ? 1 : 0);
    },

    // What follows, the module calls.
    now,
    wall: Date.now,
    random: Math.random,

    settle(ok, at, length) {
      const said = text(at, length);
      ok ? resolve(said) : reject(new Error(said));
    },

    fetch(id, headAt, headLength, bodyAt, bodyLength) {
      const [method, url, ...fields] = text(headAt, headLength).split("\n");
      const body = bodyLength ? bytes(bodyAt, bodyLength).slice() : undefined;
      const state = { abort: new AbortController() };
      fetches.set(id, state);
      const ask = (redirect) =>
        fetch(url, { method, headers: fieldsOf(fields), body, redirect, signal: state.abort.signal });
      report(tellOf(id), async () => {
        if (!fetch) return ["failed", ""];
        let response = await ask("manual");
        let head = response.status + "\n" + textOf(response.headers, ": ", "\n");
        if (response.type === "opaqueredirect") {
          if (!/^(GET|HEAD)$/.test(method)) throw "this browser hides redirects";
          response = await ask("follow");
          head = "307\nlocation: " + response.url;
        }
        state.reader = response.body?.getReader();
        return ["head", head];
      });
    },

    fetch_read: (id) => read(tellOf(id), fetches.get(id).reader),
    fetch_drop: drop,
    request_read: () => read((what, data) => give("esc_request_" + what, data), reader),

    respond(headAt, headLength, bodyAt, bodyLength, streams) {
      const [status, ...fields] = text(headAt, headLength).split("\n");
      let body = bodyLength ? bytes(bodyAt, bodyLength).slice() : null;
      if (streams) {
        body = new ReadableStream({
          start(made) {
            controller = made;
          },
          pull() {
            if (current === context) wanted = 1;
            else enter(want);
          },
          cancel,
        });
      }
      // What the host refuses (a field's value, say) fails this request only: hence async.
      resolve((async () => new Response(body, { status, headers: fieldsOf(fields) }))());
    },

    response_bytes: (at, length) => controller.enqueue(bytes(at, length).slice()),
    response_end: (failed) => controller[failed ? "error" : "close"](),
  };
  live.add(end);
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
  options.signal?.addEventListener("abort", context.cancel);
  return context.start("esc_task_" + name, input);
}

// A Worker's handlers for a module that has an ESC_WORKER.
export function worker(module, options = {}) {
  return {
    async fetch(request, env, ctx) {
      const context = open(module, options);
      ctx?.waitUntil?.(context.done);
      try {
        return await context.answer(request, env);
      } catch {
        return new Response("Service Unavailable\n", { status: 503 });
      }
    },
  };
}
