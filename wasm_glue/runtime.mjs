// The JS half of escapement: runs a wasm module's tasks and answers requests with its service. By itself it is what a
// Cloudflare Worker needs; escapement.mjs adds the other hosts. What crosses to the module is in wasm_glue/abi.h.
// Bundlers leave `load` and `run`, with what tasks import, out of a Worker that names neither.
//
// One instance of the module per isolate, one context (a reactor) per request or task. A context has at most
// one host timer, set to what its last step asked for, and none while nothing sleeps. The module runs only
// inside `enter`; nothing that it calls comes back into it, and no exception passes through it.

import { bytesOf, decoder, encoder, fieldsOf, flags, host, quietly, send, Source, strict, textOf } from "./host_fetch.mjs";

const apps = new WeakMap(); // module -> its last instance
let current; // the context that has been entered

// The module's "kind: sentence" as an Error, and as one what somebody threw at us.
const errorOf = (text, cause) => Object.assign(new Error(text, cause && { cause }), { code: text.split(":", 1)[0] });
const thrown = (cause) => errorOf("exception: " + textOf(cause), cause);
const noMemory = (cause) => errorOf("overloaded: out of memory", cause);

// True if a host's requests can be aborted at all: workerd says where not, and there the look costs.
const abortable = flags?.enable_request_signal !== false;

// Reports a failure, from a microtask of its own.
const tell = ({ onError = console.error }, error) => void Promise.resolve(error).then(onError).catch(console.error);

// The imports, which are called for the context that has been entered. One that throws must not unwind the module's
// frames, whose destructors would not run: it fails its context, once the module has returned.
const guarded = (calls) =>
  new Proxy(calls, {
    get(_, name) {
      let call = calls[name];
      return (...all) => {
        try {
          return (call ??= calls[name]).apply(current, all);
        } catch (error) {
          current.fate ??= { error: thrown(error) };
        }
      };
    },
  });

// The module's live instance. A new one begins with its static objects, which may read the clock and write lines: for
// `context`.
function appFor(module, context) {
  let app = apps.get(module);
  if (app && !app.lost) return sweep(app);
  const all = { escapement: guarded(imports), env: { emscripten_notify_memory_growth() {} } };
  for (const { module, imports } of context.options.bindings ?? []) all[module] = guarded(imports);
  const { exports } = new WebAssembly.Instance(module, all);
  context.app = app = { exports, live: new Set(), looked: 0 };
  context.inside((x) => x._initialize?.());
  if (context.fate) throw context.fate.error;
  app.transfer = exports.esc_transfer();
  apps.set(module, app);
  return app;
}

// A host may drop a request without a word, together with its timers, as workerd does. Every context that waits has a
// timer, of at most `beat`, so one whose timer is overdue at two looks is gone: it is destroyed. (Not in a browser, which
// drops none, and keeps the timers of a hidden page back by the minute.)
const beat = 30000;
const look = 10000;
function sweep(app) {
  const now = app.live.size && !host.keeps ? performance.now() : 0;
  if (now > app.looked + look) {
    app.looked = now;
    for (const context of app.live) {
      if (!context.timer || now < context.latest + look) continue;
      if (context.overdue) context.end({ error: errorOf("cancelled: the host has dropped it"), aborted: true });
      context.overdue = true;
    }
  }
  return app;
}

// Never at a Worker's global scope: clocks show 0 there and timers throw. It may have:
//
//   app, options, env, ctx    its instance; what its caller gave
//   at                        its place in the module's memory
//   timer, due, latest        of the host, armed for `due`, which is `latest` by the global clock; an object while a
//                             message is on its way
//   overdue                   its timer was, at the last look
//   patient                   it can wait for nothing but being aborted
//   running, calls            the module, for this context; the next calls to it
//   fate                      {error, aborted}: that it has failed or was aborted, and why
//   reason                    why it was aborted
//   sources                   number -> Source
//   request                   the one that it answers
//   answered, answer, error   with either
//   left                      when the response did, where the host waits for work after it
//   wake, finish              resume the caller that waits for the answer; end the wait that the host was asked for
//   ended, ends               whether it has; functions that are called then
class Context {
  at = 0;
  left = Infinity;

  constructor(options, env, ctx) {
    this.options = options;
    this.env = env;
    this.ctx = ctx;
  }

  now() {
    const { now } = this.options;
    const time = now ? now() : performance.now();
    if (Number.isFinite(time)) return time;
    throw new TypeError("now() is " + String(time));
  }

  // The module's memory, which moves when it grows.
  get memory() {
    const { app } = this;
    if (!app.memory?.length) app.memory = new Uint8Array(app.exports.memory.buffer);
    return app.memory;
  }
  bytes(at, length) {
    return this.memory.subarray(at, at + length);
  }
  text(at, length) {
    return decoder.decode(this.bytes(at, length));
  }

  // Writes text, or bytes, for the next call; yields its address and its length. Address 0: there is no memory for it.
  pass(data) {
    const { transfer, exports } = this.app;
    if (typeof data === "string" && data.length < 5462) return [transfer, encoder.encodeInto(data, this.bytes(transfer, 16384)).written];
    const bytes = bytesOf(data);
    const at = exports.esc_alloc(bytes.length);
    if (at) this.bytes(at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  // Writes text to the module's `room` bytes, if they are enough. Returns its length.
  put(text, to, room, bytes = encoder.encode(text)) {
    if (bytes.length <= room) this.memory.set(bytes, to);
    return bytes.length;
  }

  disarm() {
    const { clearTimeout = globalThis.clearTimeout } = this.options;
    const { timer } = this;
    this.timer = 0;
    if (timer && !timer.hop) clearTimeout(timer);
  }

  // The timer that is set stays when it fires no later than needed: a step then asks for the rest.
  arm(delay) {
    const { setTimeout = globalThis.setTimeout, waitUntilMax = beat } = this.options;
    const clock = performance.now();
    const now = this.options.now ? this.now() : clock;
    if (this.left === 0) this.left = now;
    const spare = this.left + waitUntilMax - now;
    let wrong = delay === -3 && !this.patient && "internal: it waits for what can never come";
    if (spare <= 0) wrong = "timed_out: work after the response: not finished within " + waitUntilMax + "ms";
    if (wrong) return this.end({ error: errorOf(wrong) });
    const idle = delay < 0;
    delay = Math.min(idle ? beat : delay, beat, spare);
    if (this.timer && this.due <= now + delay) return host.hold?.(this.timer, idle);
    this.disarm();
    this.due = now + delay;
    this.latest = clock + delay;
    const fire = () => {
      this.timer = 0;
      this.enter((x, at, now) => x.esc_step(at, now));
    };
    const wait = (time = Math.ceil(delay)) => (this.timer = setTimeout(fire, time));
    host.soon?.(this, idle ? -1 : delay, fire, wait) || wait();
  }

  // Calls into the module. Only a trap comes out of it, and takes the instance along, whose stack pointer is lost:
  // every context of it fails, each in its own promise, and the next call gets a new one.
  inside(call, now) {
    const { app } = this;
    const before = current;
    current = this;
    try {
      return call(app.exports, this.at, now);
    } catch (trap) {
      const error = app.exports.esc_out_of_memory() ? noMemory(trap) : trap;
      app.lost = true;
      for (const context of [this, ...app.live]) context.end({ error });
    } finally {
      current = before;
    }
  }

  // Calls an export that takes a step, and waits for what the step asks for.
  enter(call) {
    if (this.ended) return;
    this.overdue = false;
    if (this.running) return void (this.calls ??= []).push(call);
    this.running = true;
    try {
      let delay;
      do delay = this.inside(call, this.now());
      while (!this.ended && (call = this.calls?.shift()));
      this.running = false;
      if (this.fate || delay === -2) this.end(this.fate);
      else if (!this.ended) this.arm(delay);
    } catch (error) {
      this.end({ error: thrown(error) });
    }
  }

  // Opens it with its first call, of the export `name`. If it goes on, it follows `signal`, and the host waits for all of
  // its tasks, also after the answer.
  start(module, name, what, data, signal, hasBody) {
    try {
      this.app = appFor(module, this);
      if (!this.app.exports[name]) throw errorOf("invalid_argument: the module has no " + what);
      if (signal?.aborted) return this.end({ error: signal.reason, aborted: true });
      this.enter((x, _, now) => {
        this.at = x.esc_open(now);
        const [to, length] = this.at ? this.pass(data) : [];
        if (to) return x[name](this.at, now, ...(this.request ? [0] : []), to, length, hasBody);
        this.fate ??= { error: noMemory() };
      });
      if (this.ended) return;
      this.app.live.add(this);
      this.follow(signal);
      this.ctx?.waitUntil?.(new Promise((finish) => (this.finish = finish)));
    } catch (error) {
      this.end({ error });
    }
  }

  // Everything has finished, or it comes to the end that `fate` tells.
  end(fate) {
    const { app, at, options } = this;
    if (this.ended) return;
    this.ended = true;
    this.fate = fate;
    app?.live.delete(this);
    if (at && !app.lost) this.inside((x) => x.esc_close(at));
    quietly(() => this.disarm());
    this.sources?.forEach((source) => source.drop());
    this.ends?.forEach(quietly);
    if (fate) {
      if (this.request) quietly(() => this.sources?.get(1)?.controller?.error(fate.error));
      if (this.answered && !fate.aborted) tell(options, fate.error);
    }
    if (!this.answered) this.deliver(undefined, fate ? fate.error : errorOf("cancelled"));
    this.finish?.();
  }

  deliver(answer, error) {
    if (this.answered) return;
    this.answered = true;
    this.answer = answer;
    this.error = error;
    this.wake?.();
  }

  // The answer, once there is one. A request whose context has failed has one too, unless nobody waits for it.
  async result() {
    if (!this.answered) await new Promise((wake) => (this.wake = wake));
    const { answer, error, app } = this;
    if (answer !== undefined) return answer;
    if (!this.request || this.fate?.aborted) throw error;
    tell(this.options, error);
    const status = app?.lost || error?.code === "overloaded" ? 503 : 500;
    return new Response(status > 500 ? "Service Unavailable\n" : "Internal Server Error\n", { status });
  }

  // The response leaves, or the last of it.
  leave() {
    if (this.ctx?.waitUntil) this.left = 0; // until `arm` knows the time
  }

  // Destroys every task, wherever it is, unless the module tells them instead.
  abort(error) {
    this.enter((x, at, now) => {
      this.reason = error;
      if (!x.esc_cancel(at)) this.fate ??= { error, aborted: true };
      return x.esc_step(at, now);
    });
  }

  follow(signal) {
    if (!signal) return;
    const stop = () => this.abort(signal.reason);
    signal.addEventListener("abort", stop);
    (this.ends ??= []).push(() => signal.removeEventListener("abort", stop));
    if (signal.aborted) stop();
  }

  // --- Sources, by number.

  source(id) {
    const { request, sources } = this;
    const source = sources?.get(id);
    if (source || id !== 1 || !request) return source;
    const { headers, body } = request;
    return Object.assign(this.hold(id), { headers, body });
  }
  hold(id) {
    const source = new Source();
    (this.sources ??= new Map()).set(id, source);
    return source;
  }

  // Replies to what was asked of `source`, unless it was dropped: with numbers, and bytes.
  reply(id, source, status, number, bytes) {
    if (this.sources?.get(id) !== source) return;
    this.enter((x, at, now) => {
      if (bytes?.length) {
        const to = x.esc_place(at, id, bytes.length);
        if (!to) return x.esc_failed(at, now, id, 9, 0, 0);
        this.memory.set(bytes, to);
      }
      return x.esc_reply(at, now, id, status, number);
    });
  }
  fail(id, source, kind, text) {
    if (this.sources?.get(id) === source) this.enter((x, at, now) => x.esc_failed(at, now, id, kind, ...this.pass(text)));
  }

  // The body that the module names: its bytes, one that the host has, or one that the module streams.
  content(id, at, length) {
    if (!length) return null;
    if (at) return this.memory.slice(at, at + length);
    if (length !== -1) return this.source(length).take();
    const source = this.source(id);
    return new ReadableStream({
      start: (controller) => void (source.controller = controller),
      pull: () => this.enter((x, at, now) => x.esc_wanted(at, now, id)),
      cancel: (reason) => {
        source.controller = null;
        id === 1 && this.request ? this.abort(reason) : source.left?.();
      },
    });
  }

  // Begins fetch `id` by `fetch`, the host's own or a binding's.
  fetch(id, headAt, headLength, bodyAt, bodyLength, fetch) {
    const head = host.headOf(this.bytes(headAt, headLength));
    const [method, url = ""] = head.split("\n", 2);
    const lines = head.slice(method.length + url.length + 2);
    const source = this.hold(id);
    const { signal } = (source.abort = new AbortController());
    const body = this.content(id, bodyAt, bodyLength);
    send(this, id, source, url, { method, headers: lines ? fieldsOf(lines) : undefined, body, signal, redirect: "manual", duplex: "half" }, fetch);
  }
}

const imports = {
  now() {
    return this.now();
  },
  wall: () => Date.now(),
  random: () => Math.random(),
  log(fd, at, length) {
    console[fd > 1 ? "error" : "log"](this.text(at, length));
  },
  failed(at, length) {
    tell(this.options, errorOf(this.text(at, length)));
  },

  fields(id, at, length, to, room) {
    const { headers } = this.source(id);
    let text = "";
    if (length) text = headers.get(this.text(at, length));
    else headers.forEach((value, name) => (text += name + ": " + value + "\n"));
    return text === null ? -1 : this.put(text, to, room, host.bytesOfHead(text));
  },
  async read(id) {
    const source = this.source(id);
    try {
      const bytes = bytesOf(await source.next());
      this.reply(id, source, source.done ? 1 : 0, bytes.length, bytes);
    } catch (error) {
      this.fail(id, source, ...host.whyOf(error));
    }
  },
  drop(id) {
    const source = this.sources?.get(id);
    this.sources?.delete(id);
    source?.drop();
  },
  send(id, at, length) {
    this.source(id).controller?.enqueue(this.memory.slice(at, at + length));
  },
  send_end(id, at, length) {
    const { controller } = this.source(id);
    const last = id === 1 && this.request;
    if (last) this.leave();
    if (!length) return controller?.close();
    const error = errorOf(this.text(at, length));
    if (last) tell(this.options, error);
    controller?.error(error);
  },

  fetch(...all) {
    const { fetch = globalThis.fetch } = this.options;
    this.fetch(...all, fetch);
  },
  traits: () => host.traits,

  env(at, length, to, room) {
    const name = this.text(at, length);
    const value = Object.hasOwn(this.env ?? {}, name) && this.env[name];
    return typeof value === "string" ? this.put(value, to, room) : -1;
  },
  respond(status, fieldsAt, fieldsLength, bodyAt, bodyLength) {
    if (this.fate) return;
    const body = this.content(1, bodyAt, bodyLength);
    if (bodyAt || bodyLength !== -1) this.leave();
    const headers = fieldsLength && fieldsOf(host.headOf(this.bytes(fieldsAt, fieldsLength)));
    // "manual": else workerd encodes the body, as its Content-Encoding says, again.
    this.deliver(new Response(body, headers || status !== 200 ? { status, headers: headers || undefined, encodeBody: "manual" } : undefined));
  },
  relay(id) {
    const source = this.sources.get(id);
    const { response, headers, body } = source;
    source.done = true;
    if (this.fate) return;
    this.leave();
    const isWhole = flags && (!body || body === response.body);
    this.deliver(isWhole ? response : new Response(source.stream, { status: response.status, headers, encodeBody: "manual" }));
  },
};

// Imports of modules that have tasks.
const tasks = {
  settle(ok, at, length) {
    const bytes = this.bytes(at, length);
    if (this.fate) return;
    if (!ok) return this.deliver(undefined, errorOf(decoder.decode(bytes)));
    if (this.options.bytes) return this.deliver(bytes.slice());
    try {
      this.deliver(strict.decode(bytes));
    } catch {
      this.deliver(undefined, errorOf("bad_message: the result is not UTF-8; {bytes: true} asks for bytes"));
    }
  },
  abort_reason(to, room) {
    return this.put(this.reason == null ? "" : textOf(this.reason), to, room);
  },
};

// A compiled module from what hosts have: a module, its bytes, or the response that brings them.
export async function load(source) {
  source = await source;
  if (source.arrayBuffer) source = await source.arrayBuffer();
  return source instanceof WebAssembly.Module ? source : WebAssembly.compile(source);
}

// Runs the task that the module exports as ESC_TASK(name), in a reactor of its own.
export async function run(module, name, input = "", options) {
  options ??= {};
  Object.assign(imports, tasks);
  const context = new Context(options, options.env, options.ctx);
  context.patient = Boolean(options.signal);
  context.start(module, "esc_task_" + name, "task " + name, typeof input === "string" ? input : bytesOf(input), options.signal);
  return context.result();
}

// A Worker's handlers: of requests, for a module that has an ESC_WORKER, and those that its bindings have.
export function worker(module, options) {
  options ??= {};
  const handlers = {
    fetch(request, env, ctx) {
      const context = new Context(options, env, ctx);
      context.request = request;
      const { method, url } = request;
      const hasBody = method !== "GET" && method !== "HEAD" && request.body ? 1 : 0;
      context.start(module, "esc_request", "ESC_WORKER", method + "\n" + url, abortable && request.signal, hasBody);
      return context.answer ?? context.result();
    },
  };
  return Object.assign(handlers, ...(options.bindings ?? []).map((binding) => binding.handlers?.(module, options)));
}
