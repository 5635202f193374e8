// The JS half of escapement: runs a wasm module's tasks and answers requests with its service. By itself it is what a
// Cloudflare Worker needs; escapement.mjs adds the other hosts. What crosses to the module is in wasm_glue/abi.h.
//
// One instance of the module per isolate, one context (a reactor) per request or task. A context has at most
// one host timer, set to what its last step asked for, and none while nothing sleeps. The module runs only
// inside `enter`; nothing that it calls comes back into it, and no exception passes through it.

import { bytesOf, decoder, encoder, fieldsOf, host, isAscii, quietly, send, Source, strict, textOf } from "./host_fetch.mjs";

const apps = new WeakMap(); // module -> its live instance
let current; // the context that has been entered

// The module's "kind: sentence" as an Error, and as one what somebody threw at us.
const errorOf = (text, cause) => Object.assign(new Error(text, cause && { cause }), { code: text.split(":", 1)[0] });
const thrown = (cause) => errorOf("exception: " + textOf(cause), cause);
const noMemory = (cause) => errorOf("overloaded: out of memory", cause);

// True if a host's requests can be aborted at all: workerd says where not, and there the look costs.
const { Cloudflare } = globalThis;
const flags = Cloudflare?.compatibilityFlags;
const abortable = flags?.enable_request_signal !== false;

// Reports a failure, from a microtask of its own.
const tell = ({ onError = console.error }, error) =>
  queueMicrotask(() => {
    try {
      onError(error);
    } catch (another) {
      console.error(another);
    }
  });

// The imports: of the context that has been entered. One that throws must not unwind the module's frames, whose
// destructors would not run: it fails its context, once the module has returned.
const guarded =
  (call) =>
  (...all) => {
    try {
      return call.apply(current, all);
    } catch (error) {
      current.fate ??= { error: thrown(error) };
    }
  };
const guardedAll = (calls) => Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, guarded(call)]));

// The module's live instance. A new one begins with its static objects, which may read the clock and write lines: for
// `context`.
function appFor(module, context) {
  let app = apps.get(module);
  if (app) return sweep(app);
  const imported = { escapement: imports, env: { emscripten_notify_memory_growth() {} } };
  for (const { module, imports } of context.options.bindings ?? []) imported[module] = guardedAll(imports);
  const { exports } = new WebAssembly.Instance(module, imported);
  app = { module, exports, live: new Set(), looked: 0 };
  context.app = app;
  const before = current;
  current = context;
  try {
    exports._initialize?.();
  } finally {
    current = before;
  }
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
  if (host.keeps || !app.live.size) return app;
  const now = performance.now();
  if (now < app.looked + look) return app;
  app.looked = now;
  for (const context of app.live) {
    if (!context.timer || now < context.latest + look) continue;
    if (context.overdue) context.end({ error: errorOf("cancelled: the host has dropped it"), aborted: true });
    else context.overdue = true;
  }
  return app;
}

// Never at a Worker's global scope: clocks show 0 there and timers throw.
class Context {
  at = 0; // in the module's memory
  ended;
  timer; // of the host, armed for `due`; an object while a message is on its way
  due;
  latest; // when it fires, by the global clock
  overdue;
  patient; // can wait for nothing but being aborted
  running; // the module, for this context
  calls; // the next ones to it
  fate; // {error}: that it has failed or was aborted, and why
  reason; // why it was aborted
  sources; // number -> Source
  request;
  answered; // with `answer`, which where it failed is the error
  answer;
  failed;
  left; // when the response had, where the host waits for work after it
  wake; // resumes the caller that waits for that
  finish; // ends the wait that the host was asked for
  ends; // called at its end
  unfollow;

  constructor(module, options, env, ctx) {
    this.options = options;
    this.env = env;
    this.ctx = ctx;
    this.app = appFor(module, this);
  }

  now() {
    const { now } = this.options;
    if (!now) return performance.now();
    const time = now();
    if (!Number.isFinite(time)) throw new TypeError("now() is " + String(time));
    return time;
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
  head(at, length) {
    return host.headOf(this.bytes(at, length));
  }

  // Writes text, or bytes, for the next call; yields its address and its length. Address 0: there is no memory for it.
  pass(data) {
    const { transfer, exports } = this.app;
    const most = typeof data === "string" ? data.length * 3 : data.length;
    if (most <= 16384) {
      const to = this.bytes(transfer, 16384);
      if (most === data.length) to.set(data);
      else return [transfer, encoder.encodeInto(data, to).written];
      return [transfer, most];
    }
    const bytes = bytesOf(data);
    const at = exports.esc_alloc(bytes.length);
    if (at) this.bytes(at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  // Writes text to the module's `room` bytes, if they are enough. Returns its length.
  put(text, to, room) {
    const bytes = encoder.encode(text);
    if (bytes.length <= room) this.bytes(to, bytes.length).set(bytes);
    return bytes.length;
  }

  disarm() {
    const { clearTimeout = globalThis.clearTimeout } = this.options;
    const timer = this.timer;
    this.timer = 0;
    if (timer && !timer.hop) clearTimeout(timer);
  }

  // The timer that is set stays when it fires no later than needed: a step then asks for the rest.
  arm(delay) {
    if (delay === -3 && !this.patient) return this.end({ error: errorOf("internal: it waits for what can never come") });
    const { setTimeout = globalThis.setTimeout, waitUntilMax = beat } = this.options;
    const idle = delay < 0;
    const now = this.now();
    const spare = this.finish ? this.left + waitUntilMax - now : NaN; // NaN too: the response has not left
    if (spare <= 0) return this.end({ error: errorOf("timed_out: work after the response: not finished within " + waitUntilMax + "ms") });
    delay = idle ? beat : Math.min(delay, beat);
    if (spare < delay) delay = spare;
    const next = now + delay;
    if (this.timer && this.due <= next) return idle || this.timer.ref?.();
    this.disarm();
    this.due = next;
    this.latest = performance.now() + delay;
    const fire = () => {
      this.timer = 0;
      this.enter((x, at, now) => x.esc_step(at, now));
    };
    const wait = () => (this.timer = setTimeout(fire, Math.ceil(delay)));
    if (idle) return wait()?.unref?.();
    if (!host.soon?.(this, delay, fire, wait)) wait();
  }

  // For what calls the host's functions outside the module.
  attempt(call) {
    try {
      call();
    } catch (error) {
      this.end({ error: thrown(error) });
    }
  }

  // Calls into the module, with the time if the call takes that. Only a trap comes out of it, and takes the instance along, whose stack pointer is lost:
  // every context of it fails, each in its own promise, and the next call gets a new one.
  inside(call) {
    const { app } = this;
    const before = current;
    current = this;
    try {
      return call(app.exports, this.at, call.length > 2 ? imports.now() : 0);
    } catch (trap) {
      const error = app.exports.esc_out_of_memory() ? noMemory(trap) : trap;
      if (apps.get(app.module) === app) apps.delete(app.module);
      app.lost = true;
      for (const context of app.live) context.end({ error });
      this.end({ error });
    } finally {
      current = before;
    }
  }

  // Opens it with its first call, and waits for what the module asks for then.
  start(call, data) {
    this.running = true;
    const delay = this.inside((x, _, now) => {
      this.at = x.esc_open(now);
      const [at, length] = this.at ? this.pass(data) : [0];
      if (at) return call(x, this.at, now, at, length);
      this.fate ??= { error: noMemory() };
    });
    this.running = false;
    if (!this.at && !this.fate) return;
    if (delay !== -2 && !this.fate && this.at) this.app.live.add(this);
    this.after(delay);
  }

  // Calls an export that takes a step, and waits for what the step asks for.
  enter(call) {
    if (this.ended) return;
    this.overdue = false;
    if (this.running) return void (this.calls ??= []).push(call);
    this.running = true;
    let delay;
    do delay = this.inside(call);
    while (this.at && (call = this.calls?.shift()));
    this.running = false;
    this.after(delay);
  }

  after(delay) {
    if (this.calls?.length) return this.enter(this.calls.shift());
    if (this.fate || delay === -2) this.end(this.fate);
    else if (this.at) this.attempt(() => this.arm(delay));
  }

  // Everything has finished, or it comes to the end that `fate` tells.
  end(fate) {
    const { app, at } = this;
    if (this.ended) return;
    this.ended = true;
    app.live.delete(this);
    this.fate = fate;
    if (at && !app.lost) this.inside((x) => x.esc_close(at));
    this.at = 0;
    if (this.timer) quietly(() => this.disarm());
    this.sources?.forEach((source) => source.drop());
    if (this.unfollow) quietly(this.unfollow);
    this.ends?.forEach((call) => quietly(call));
    if (fate) {
      if (this.request) quietly(() => this.sources?.get(1)?.controller?.error(fate.error));
      if (this.answered && !fate.aborted) tell(this.options, fate.error);
    }
    if (!this.answered) this.deliver(fate ? fate.error : errorOf("cancelled"), true);
    this.finish?.();
  }

  deliver(answer, failed = false) {
    if (this.answered) return;
    this.answered = true;
    this.answer = answer;
    this.failed = failed;
    this.wake?.();
  }

  // Asks the host to wait for every task, also after the outcome.
  keepHost() {
    if (!this.ended) this.ctx?.waitUntil?.(new Promise((finish) => (this.finish = finish)));
  }

  // The outcome, once there is one.
  async result() {
    if (!this.answered) await new Promise((wake) => (this.wake = wake));
    if (this.failed) throw this.answer;
    return this.answer;
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
    const stop = () => this.abort(signal.reason);
    if (!signal) return;
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop);
    this.unfollow = () => signal.removeEventListener("abort", stop);
  }

  // --- Sources, by number.

  source(id) {
    let source = this.sources?.get(id);
    if (!source && id === 1 && this.request) {
      source = this.hold(id);
      source.headers = this.request.headers;
    }
    return source;
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
        this.bytes(to, bytes.length).set(bytes);
      }
      return x.esc_reply(at, now, id, status, number);
    });
  }
  fail(id, source, kind, text) {
    if (this.sources?.get(id) !== source) return;
    this.enter((x, at, now) => x.esc_failed(at, now, id, kind, ...this.pass(text)));
  }

}

const imports = guardedAll({
  now() {
    return this.now();
  },
  wall: () => Date.now(),
  random: () => Math.random(),
  log(fd, at, length) {
    console[fd > 1 ? "error" : "log"](this.text(at, length));
  },

  settle(ok, at, length) {
    const bytes = this.bytes(at, length);
    if (this.fate) return;
    if (!ok) return this.deliver(errorOf(decoder.decode(bytes)), true);
    if (this.options.bytes) return this.deliver(bytes.slice());
    try {
      this.deliver(strict.decode(bytes));
    } catch {
      this.deliver(errorOf("bad_message: the result is not UTF-8; {bytes: true} asks for bytes"), true);
    }
  },
  failed(at, length) {
    tell(this.options, errorOf(this.text(at, length)));
  },

  fields(id, at, length, to, room) {
    const { headers, coded } = this.source(id);
    let text = "";
    if (length) text = headers.get(this.text(at, length));
    else {
      headers.forEach((value, name) => {
        if (!coded || !/^content-(encoding|length)$/i.test(name)) text += name + ": " + value + "\n";
      });
    }
    if (text === null || (coded && length && /^content-(encoding|length)$/i.test(this.text(at, length)))) return -1;
    if (isAscii(text)) {
      if (text.length <= room) encoder.encodeInto(text, this.bytes(to, room));
      return text.length;
    }
    const bytes = host.bytesOfHead(text);
    if (bytes.length <= room) this.bytes(to, room).set(bytes);
    return bytes.length;
  },
  read(id) {
    const source = this.source(id);
    if (id === 1 && this.request) source.body ??= this.request.body;
    source.next().then(
      ([bytes, last]) => {
        if (last) source.done = true;
        this.reply(id, source, last ? 1 : 0, bytes.length, bytes);
      },
      (error) => this.fail(id, source, ...(this.request && id === 1 ? [0, textOf(error)] : host.whyOf(error))),
    );
  },
  drop(id) {
    const source = this.sources?.get(id);
    this.sources?.delete(id);
    source?.drop();
  },
  send(id, at, length) {
    this.source(id).controller?.enqueue(this.bytes(at, length).slice());
  },
  send_end(id, at, length) {
    const { controller } = this.source(id);
    if (id === 1 && this.request) this.left = this.now();
    if (!length) return controller?.close();
    const error = errorOf(this.text(at, length));
    if (id === 1 && this.request) tell(this.options, error);
    controller?.error(error);
  },

  fetch(id, headAt, headLength, bodyAt, bodyLength) {
    this.fetch(id, headAt, headLength, bodyAt, bodyLength);
  },
  traits: () => host.traits,

  env(at, length, to, room) {
    const name = this.text(at, length);
    const value = Object.hasOwn(this.env ?? {}, name) ? this.env[name] : null;
    if (typeof value !== "string") return -1;
    return this.put(value, to, room);
  },
  abort_reason(to, room) {
    return this.put(this.reason == null ? "" : textOf(this.reason), to, room);
  },
  respond(status, fieldsAt, fieldsLength, bodyAt, bodyLength) {
    if (this.fate) return;
    const body = bodyLength ? this.content(1, bodyAt, bodyLength) : null;
    if (bodyAt || bodyLength !== -1) this.left = this.now();
    const plain = status === 200 && !fieldsLength;
    // "manual": else workerd encodes the body, as its Content-Encoding says, again.
    this.deliver(plain ? new Response(body) : new Response(body, { status, headers: fieldsOf(this.head(fieldsAt, fieldsLength)), encodeBody: "manual" }));
  },
  relay(id) {
    const source = this.sources.get(id);
    const { response } = source;
    const body = source.take();
    if (this.fate) return;
    this.left = this.now();
    if (Cloudflare && body === response.body) return this.deliver(response);
    const headers = new Headers(source.headers);
    if (source.coded) for (const name of ["content-encoding", "content-length"]) headers.delete(name);
    this.deliver(new Response(body, { status: response.status, headers, encodeBody: "manual" }));
  },
});

// The body that the module names: its bytes, one that the host has, or one that the module streams.
Context.prototype.content = function (id, at, length) {
  if (at) return this.bytes(at, length).slice();
  if (length !== -1) {
    const source = this.source(length);
    if (length === 1 && this.request) source.body ??= this.request.body;
    return source.take();
  }
  const source = this.source(id);
  return new ReadableStream({
    start: (controller) => void (source.controller = controller),
    pull: () => this.enter((x, at, now) => x.esc_wanted(at, now, id)),
    cancel: (reason) => {
      source.controller = null;
      id === 1 && this.request ? this.abort(reason) : source.left?.();
    },
  });
};

// Begins fetch `id` by `by`, the host's own or a binding's.
Context.prototype.fetch = function (id, headAt, headLength, bodyAt, bodyLength, by) {
  const head = this.head(headAt, headLength);
  const end = head.indexOf("\n");
  const start = head.indexOf("\n", end + 1);
  const source = this.hold(id);
  source.abort = new AbortController();
  const body = bodyLength ? this.content(id, bodyAt, bodyLength) : undefined;
  const fields = head.slice(start + 1);
  const init = { method: head.slice(0, end), headers: fields ? fieldsOf(fields) : undefined, body, signal: source.abort.signal, redirect: "manual" };
  if (bodyLength && !bodyAt) init.duplex = "half";
  send(this, id, source, head.slice(end + 1, start), init, by);
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
  const context = new Context(module, options, options.env, options.ctx);
  const task = context.app.exports["esc_task_" + name];
  if (!task) throw errorOf("invalid_argument: the module has no task " + name);
  const data = typeof input === "string" ? input : bytesOf(input);
  const { signal } = options;
  if (signal?.aborted) throw signal.reason;
  context.patient = Boolean(signal);
  context.follow(signal);
  context.start((_, ...all) => task(...all), data);
  context.keepHost();
  return context.result();
}

// The methods that cross as a number.
const methods = { GET: 1, HEAD: 2, POST: 3, PUT: 4, DELETE: 5, OPTIONS: 6, PATCH: 7 };

// A Worker's handlers: of requests, for a module that has an ESC_WORKER, and those that its bindings have.
export function worker(module, options) {
  options ??= {};
  // The response to a request whose context has failed; or it throws, where nobody waits for one.
  const failure = (context, error) => {
    context?.end({ error });
    if (context?.fate?.aborted) throw error;
    tell(options, error);
    const status = context?.app?.lost || error?.code === "overloaded" ? 503 : 500;
    return new Response(status > 500 ? "Service Unavailable\n" : "Internal Server Error\n", { status });
  };
  const later = async (context) => {
    if (!context.answered) await new Promise((wake) => (context.wake = wake));
    return context.failed ? failure(context, context.answer) : context.answer;
  };
  const handlers = {
    fetch(request, env, ctx) {
      let context;
      try {
        if (abortable && request.signal?.aborted) return Promise.reject(request.signal.reason);
        context = new Context(module, options, env, ctx);
        if (!context.app.exports.esc_request) throw errorOf("invalid_argument: the module has no ESC_WORKER");
        context.request = request;
        const { method, url } = request;
        const number = methods[method] ?? 0;
        const body = number !== 1 && number !== 2 && request.body ? 1 : 0;
        const begin = (x, at, now, text, length) => x.esc_request(at, now, number, text, length, body);
        context.start(begin, number ? url : method + "\n" + url);
        if (!context.ended) {
          if (abortable) context.follow(request.signal);
          context.keepHost();
        }
        if (context.answered && !context.failed) return context.answer;
        return later(context);
      } catch (error) {
        try {
          return failure(context, error);
        } catch (aborted) {
          return Promise.reject(aborted);
        }
      }
    },
  };
  return Object.assign(handlers, ...(options.bindings ?? []).map((binding) => binding.handlers?.(module, options)));
}
