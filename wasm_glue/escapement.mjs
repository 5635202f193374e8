// The JS half of escapement: runs a wasm module's tasks and answers requests with its service, in Cloudflare
// Workers, browsers, Node, Deno and Bun alike. What crosses to the module is in wasm_glue/abi.h.
//
// One instance of the module per isolate, one context (a reactor) per request or task. A context has at most
// one host timer, set to what its last step asked for, and none while nothing sleeps. The module runs only
// inside `inside`; nothing that it calls comes back into it, and no exception passes through it.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

// Timers under 4 ms are stretched to 4 by browsers once they nest; a message first makes the next one not
// nested. Elsewhere there is no such clamp, and a message costs more than it saves. (A port that has `unref`
// is no browser's, whatever globals there are, and would keep its process alive.)
let channel = globalThis.importScripts || globalThis.document ? new MessageChannel() : null;
if (channel?.port1.unref) channel = channel.port1.close();
const hops = [];
if (channel) channel.port1.onmessage = () => hops.shift()();

const apps = new WeakMap(); // module -> its live instance
let current; // the context that has been entered

const fieldsOf = (lines) => lines.filter(Boolean).map((line) => line.split(/: (.*)/s, 2));
const noted = (fields, without) => {
  let lines = "";
  fields.forEach((value, name) => without?.test(name) || (lines += name + ": " + value + "\n"));
  return lines;
};

// Heads are bytes. Hosts make each a code unit of its own, but for workerd, which takes a field's value for UTF-8.
const ascii = /^[\0-\x7f]*$/;
const headOf = (bytes) => {
  const text = decoder.decode(bytes);
  if (ascii.test(text)) return text;
  try {
    if (Cloudflare) return strict.decode(bytes);
  } catch {}
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
};
const bytesOfHead = (head) => {
  if (ascii.test(head)) return head;
  return Cloudflare ? encoder.encode(head) : Uint8Array.from(head, (unit) => unit.charCodeAt(0));
};

const textOf = (error) => String(error?.message || error);

// The module's "kind: sentence" as an Error, and as one what somebody threw at us.
const errorOf = (text, cause) => Object.assign(new Error(text, cause && { cause }), { code: text.split(":", 1)[0] });
const thrown = (cause) => errorOf("exception: " + textOf(cause), cause);
const noMemory = (cause) => errorOf("overloaded: out of memory", cause);

// The content codings that fetch() undoes without a word in the fields. Where zstd is among them that depends on the
// host's version: the body tells, which begins with zstd's or gzip's own bytes as long as nobody has decoded it.
const { Cloudflare } = globalThis;
const flags = Cloudflare?.compatibilityFlags;
const workerds = flags?.brotli_content_encoding === false ? /^gzip$/i : /^(gzip|br)$/i;
const undone = Cloudflare ? workerds : /^((x-)?gzip|deflate|br)( *, *((x-)?gzip|deflate|br))*$/i;
const isCoded = ({ done, value }) => !done && /^(40,181,47,253|31,139)\b/.test(bytesOf(value).subarray(0, 4));
// A reader from which one piece has been taken.
const after = (piece, reader) => ({ read: () => (piece ? [piece, (piece = null)][0] : reader.read()), cancel: () => reader.cancel() });

// Why a fetch failed, as far as the host says: its number in abi.h (FetchFailure), and the text. Node has codes, of
// the cause, and sometimes one for each address; others have sentences.
const reasons = [
  [2, /bad port|port \d+ are blocked|UND_ERR_INVALID|UND_ERR_REQ_|ERR_INVALID_/],
  [3, /ENOTFOUND|ENODATA|dns error/],
  [5, /CERT|SELF_SIGNED|UNABLE_TO_|certificate/],
  [4, /ECONNREFUSED|EAI_AGAIN|E(HOST|NET)UNREACH|UND_ERR_CONNECT|ConnectionRefused|FailedToOpenSocket|\bconnect\b/i],
  [6, /TIMEOUT|TimeoutError/],
  [7, /^(HPE_|Z_DATA|UND_ERR_RES|UND_ERR_HEADERS_OVERFLOW)|invalid HTTP/],
];
function whyOf(error) {
  const cause = error?.cause ?? error;
  const first = cause?.errors?.[0] ?? cause;
  const code = [cause?.code, first?.code].find((each) => typeof each === "string");
  const said = code ? `${code} ${first.syscall ?? ""}` : `${first?.name} ${textOf(first)}`.replace(/https?:\/\/[^\s)]*/g, "");
  const texts = [textOf(error), textOf(first)].filter((text, i, all) => text !== all[i - 1] && text !== "fetch failed");
  return [reasons.find(([, words]) => words.test(said))?.[0] ?? 0, texts.join(": ") || textOf(error)];
}

// Bytes as any host may hand them out.
const bytesOf = (data) => {
  if (typeof data === "string") return encoder.encode(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (/^\[object (Shared)?ArrayBuffer]$/.test({}.toString.call(data))) return new Uint8Array(data);
  throw new TypeError("neither bytes nor a string: " + String(data));
};

// For what may throw, and is over already.
const quietly = (call) => {
  try {
    call()?.catch?.(() => {});
  } catch {}
};

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
function enterApp(module, context) {
  sweep(apps.get(module));
  if ((context.app = apps.get(module))) return;
  const imported = { escapement, env: { emscripten_notify_memory_growth() {} } };
  for (const { module, imports } of context.options.bindings ?? []) imported[module] = guardedAll(imports);
  const { exports } = new WebAssembly.Instance(module, imported);
  context.app = { exports, live: new Set(), looked: 0 };
  const before = current;
  current = context;
  try {
    exports._initialize?.();
  } finally {
    current = before;
  }
  if (context.fate) throw context.fate.error;
  apps.set(module, context.app);
}

// A host may drop a request without a word, together with its timers, as workerd does. Every context that waits has a
// timer, of at most `beat`, so one whose timer is overdue at two looks is gone: it is destroyed. (Not in a browser, which
// drops none, and keeps the timers of a hidden page back by the minute.)
const beat = 30000;
const look = 10000;
function sweep(app) {
  const now = performance.now();
  if (!app || channel || now < app.looked + look) return;
  app.looked = now;
  for (const context of app.live) {
    if (!context.timer || now < context.latest + look) continue;
    if (context.overdue) context.end({ error: errorOf("cancelled: the host has dropped it"), aborted: true });
    else context.overdue = true;
  }
}

// Never at a Worker's global scope: clocks show 0 there and timers throw.
class Context {
  at; // in the module's memory
  timer; // of the host, armed for `due`; an object while a message is on its way
  due;
  latest; // when it fires, by the global clock
  overdue;
  patient; // can wait for nothing but being aborted
  running; // the module, for this context
  calls; // the next ones to it
  fate; // {error}: that it has failed or was aborted, and why
  reason; // why it was aborted
  fetches; // number -> {abort, reader}
  env; // of the Worker, as its ctx
  body; // of the request
  reader; // of that
  controller; // of the response's stream
  answered; // with `answer`, which where it failed is the error
  answer;
  failed;
  wake; // resumes the caller that waits for that
  finish; // ends the wait that the host was asked for
  unfollow;

  constructor(module, options) {
    this.module = module;
    this.options = options ?? {};
    ({ env: this.env, ctx: this.ctx } = this.options);
    enterApp(module, this);
  }

  get alive() {
    return this.app.live.has(this);
  }

  now() {
    const { now } = this.options;
    const time = now ? now() : performance.now();
    if (!Number.isFinite(time)) throw new TypeError("now() is " + String(time));
    return time;
  }

  bytes(at, length) {
    return new Uint8Array(this.app.exports.memory.buffer, at, length);
  }
  text(at, length) {
    return decoder.decode(this.bytes(at, length));
  }
  head(at, length) {
    return headOf(this.bytes(at, length)).split("\n");
  }

  // Passes bytes, or ASCII text, to the module, which takes them over. 0: there is no memory for them.
  place(data) {
    const at = this.app.exports.esc_alloc(data.length);
    const to = at && this.bytes(at, data.length);
    if (at) typeof data === "string" ? encoder.encodeInto(data, to) : to.set(data);
    return at;
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
    if (timer) clearTimeout(timer);
  }

  // The timer that is set stays when it fires no later than needed: a step then asks for the rest.
  arm(delay) {
    if (delay === -3 && !this.patient) return this.end({ error: errorOf("internal: it waits for what can never come") });
    const idle = delay < 0;
    delay = idle ? beat : Math.min(delay, beat);
    const next = this.now() + delay;
    if (this.timer && this.due <= next) return idle || this.timer.ref?.();
    this.disarm();
    this.due = next;
    this.latest = performance.now() + delay;
    const { setTimeout = globalThis.setTimeout } = this.options;
    const fire = () => {
      this.timer = 0;
      this.enter(() => {});
    };
    const wait = () => (this.timer = setTimeout(fire, delay));
    if (idle) return wait()?.unref?.();
    if (!channel || delay >= 4) return wait();
    const hop = (this.timer = {});
    hops.push(() => this.timer === hop && this.attempt(delay ? wait : fire));
    channel.port2.postMessage(0);
  }

  // For what calls the host's functions outside the module.
  attempt(call) {
    try {
      call();
    } catch (error) {
      this.end({ error: thrown(error) });
    }
  }

  // Calls into the module. Only a trap comes out of it, and takes the instance along, whose stack pointer is lost:
  // every context of it fails, each in its own promise, and the next call gets a new one.
  inside(call, steps) {
    const { app, module } = this;
    const before = current;
    current = this;
    try {
      const result = call(app.exports);
      return steps && this.at ? app.exports.esc_step(this.at, escapement.now()) : result;
    } catch (trap) {
      const error = app.exports.esc_out_of_memory() ? noMemory(trap) : trap;
      if (apps.get(module) === app) apps.delete(module);
      app.lost = true;
      for (const context of app.live) context.end({ error });
    } finally {
      current = before;
    }
  }

  // Opens it, and calls the export with `first` and `data`.
  start(call, first, data) {
    this.app.live.add(this);
    this.enter((x) => {
      this.at = x.esc_open(escapement.now());
      if (!this.at || !this.pass(call, data, first)) this.fate = { error: noMemory() };
    });
  }

  // Inside the module: calls an export with `first` and `data`. False: there is no memory for that.
  pass(call, data, first) {
    const at = this.place(data);
    if (at) call(this.at, ...first, at, data.length);
    return at;
  }

  // Runs `call` and a step, and waits for what the step asks for.
  enter(call) {
    if (!this.alive) return;
    this.overdue = false;
    if (this.running) return void (this.calls ??= []).push(call);
    this.running = true;
    let delay;
    do delay = this.inside(call, true);
    while (this.alive && (call = this.calls?.shift()));
    this.running = false;
    if (this.fate || delay === -2) this.end(this.fate);
    else if (this.alive) this.attempt(() => this.arm(delay));
  }

  // Everything has finished, or it comes to the end that `fate` tells.
  end(fate) {
    const { app } = this;
    if (!app.live.delete(this)) return;
    this.fate = fate;
    if (!app.lost) this.inside((x) => x.esc_close(this.at));
    if (this.timer) quietly(() => this.disarm());
    this.fetches?.forEach((_, id) => this.drop(id));
    if (this.reader) quietly(() => this.reader.releaseLock());
    if (this.unfollow) quietly(this.unfollow);
    if (fate) {
      quietly(() => this.controller?.error(fate.error));
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
  keepHost(ctx) {
    if (this.alive) ctx?.waitUntil?.(new Promise((finish) => (this.finish = finish)));
  }

  // The outcome, once there is one.
  async result() {
    if (!this.answered) await new Promise((wake) => (this.wake = wake));
    if (this.failed) throw this.answer;
    return this.answer;
  }

  // Destroys every task, wherever it is, unless the module tells them instead.
  abort(error) {
    this.enter((x) => {
      this.reason = error;
      if (!x.esc_cancel(this.at)) this.fate ??= { error, aborted: true };
    });
  }

  follow(signal) {
    const stop = () => this.abort(signal.reason);
    if (!signal) return;
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop);
    this.unfollow = () => signal.removeEventListener("abort", stop);
  }

  // --- Fetches.

  drop(id) {
    const state = this.fetches?.get(id);
    this.fetches?.delete(id);
    if (!state || state.done) return;
    quietly(() => state.abort.abort());
    quietly(() => state.reader?.cancel());
  }

  async send(id, state, url, init) {
    const { fetch = globalThis.fetch } = this.options;
    const ask = async (redirect) => {
      const response = await fetch(url, { ...init, redirect });
      if (this.fetches.get(id) === state) return response;
      quietly(() => response.body?.cancel());
      throw "dropped";
    };
    try {
      await 0; // reported in a later turn
      if (!fetch) return this.fetchFailed(id, state, [1, ""]);
      let response = await ask("manual");
      const coding = response.headers.get("content-encoding");
      let coded = response.body && init.method !== "HEAD" && undone.test(coding);
      state.reader = response.body?.getReader();
      if (state.reader && /\bzstd\b/i.test(coding)) {
        const piece = await state.reader.read();
        coded = !isCoded(piece);
        state.reader = after(piece, state.reader);
      }
      let head = response.status + "\n" + noted(response.headers, coded ? /^content-(encoding|length)$/i : null);
      if (response.type === "opaqueredirect") {
        if (!/^(GET|HEAD)$/.test(init.method)) return this.fetchFailed(id, state, [8, "this browser hides redirects"]);
        response = await ask("follow");
        state.reader = response.body?.getReader();
        head = "307\nlocation: " + response.url;
      }
      this.report(id, state, "head", bytesOfHead(head));
    } catch (error) {
      const why = whyOf(error);
      if (!why[0] && error instanceof TypeError) {
        try {
          new Request(url, init);
        } catch {
          why[0] = 2; // no request can be made of that
        }
      }
      this.fetchFailed(id, state, why);
    }
  }

  fetchFailed(id, state, [kind, text]) {
    this.report(id, state, "failed", encoder.encode(text), kind);
  }

  // Nothing is reported for a fetch that was dropped.
  report(id, state, what, data, ...kind) {
    if (this.fetches.get(id) !== state) return;
    this.enter((x) => this.pass(x["esc_fetch_" + what], data, [id, ...kind]) || x.esc_fetch_failed(this.at, id, 9, 0, 0));
  }

  // --- Requests.

  answerTo(request, env, ctx) {
    this.env = env;
    this.ctx = ctx;
    const head = request.method + "\n" + request.url + "\n" + noted(request.headers);
    // One that neither has a body nor says so is not asked for it: some hosts make it at that moment.
    if (!/^(GET|HEAD)\n/.test(head) || /\n(content-length|transfer-encoding): /.test(head)) this.body = request.body;
    const data = bytesOfHead(head);
    this.start(this.app.exports.esc_request, [this.body ? 1 : 0], data);
  }
}

// The next bytes of a reader that `open` makes. No bytes at all would mean the end: an empty piece is passed over.
async function read(open, came, failed) {
  try {
    await 0; // reported in a later turn
    const reader = open();
    for (;;) {
      const piece = (await reader?.read()) ?? { done: true };
      const bytes = piece.done ? new Uint8Array() : bytesOf(piece.value);
      if (piece.done || bytes.length) return came(bytes, piece.done);
    }
  } catch (error) {
    failed(error);
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

  fetch(id, headAt, headLength, bodyAt, bodyLength) {
    const [method, url, ...fields] = this.head(headAt, headLength);
    const body = bodyLength ? this.bytes(bodyAt, bodyLength).slice() : undefined;
    const state = { abort: new AbortController() };
    this.fetches ??= new Map();
    this.fetches.set(id, state);
    this.send(id, state, url, { method, headers: fieldsOf(fields), body, signal: state.abort.signal });
  },
  fetch_read(id) {
    const state = this.fetches.get(id);
    const came = (bytes, done) => {
      state.done = done;
      this.report(id, state, "bytes", bytes);
    };
    read(() => state.reader, came, (error) => this.fetchFailed(id, state, whyOf(error)));
  },
  fetch_drop(id) {
    this.drop(id);
  },

  request_read() {
    const give = (what, data) =>
      this.enter((x) => this.pass(x["esc_request_" + what], data, []) || x.esc_request_failed(this.at, 0, 0));
    const failed = (error) => give("failed", encoder.encode(textOf(error)));
    read(() => (this.reader ??= this.body.getReader()), (bytes) => give("bytes", bytes), failed);
  },

  env(at, length, to, room) {
    const name = this.text(at, length);
    const value = Object.hasOwn(this.env ?? {}, name) ? this.env[name] : null;
    if (typeof value !== "string") return -1;
    return this.put(value, to, room);
  },
  abort_reason(to, room) {
    return this.put(this.reason == null ? "" : textOf(this.reason), to, room);
  },
  respond(status, fieldsAt, fieldsLength, bodyAt, bodyLength, streams) {
    if (this.fate) return;
    let body = bodyLength ? this.bytes(bodyAt, bodyLength).slice() : null;
    if (streams) {
      body = new ReadableStream({
        start: (controller) => void (this.controller = controller),
        pull: () => this.enter((x) => x.esc_response_wanted(this.at)),
        cancel: (reason) => this.abort(reason),
      });
    }
    const plain = status === 200 && !fieldsLength;
    this.deliver(plain ? new Response(body) : new Response(body, { status, headers: fieldsOf(this.head(fieldsAt, fieldsLength)) }));
  },
  response_bytes(at, length) {
    this.controller.enqueue(this.bytes(at, length).slice());
  },
  response_end(at, length) {
    if (!length) return this.controller.close();
    const error = errorOf(this.text(at, length));
    tell(this.options, error);
    this.controller.error(error);
  },
};
const escapement = guardedAll(imports);

// A compiled module from what hosts have: a module, its bytes, or the response that brings them.
export async function load(source) {
  source = await source;
  if (source.arrayBuffer) source = await source.arrayBuffer();
  return source instanceof WebAssembly.Module ? source : WebAssembly.compile(source);
}

// Runs the task that the module exports as ESC_TASK(name), in a reactor of its own.
export async function run(module, name, input = "", options) {
  const context = new Context(module, options);
  const task = context.app.exports["esc_task_" + name];
  if (!task) throw errorOf("invalid_argument: the module has no task " + name);
  const data = bytesOf(input);
  const { signal } = context.options;
  if (signal?.aborted) throw signal.reason;
  context.patient = Boolean(signal);
  context.follow(signal);
  context.start(task, [], data);
  context.keepHost(context.options.ctx);
  return context.result();
}

// True if a host's requests can be aborted at all: workerd says where not, and there the look costs.
const abortable = flags?.enable_request_signal !== false;

// A Worker's handlers: of requests, for a module that has an ESC_WORKER, and those that its bindings have.
export function worker(module, options) {
  const handlers = {
    fetch(request, env, ctx) {
      let context;
      const failed = (error) => {
        context?.end({ error });
        if (context?.fate?.aborted) throw error;
        tell(options ?? {}, error);
        const status = context?.app.lost || error?.code === "overloaded" ? 503 : 500;
        return new Response(status > 500 ? "Service Unavailable\n" : "Internal Server Error\n", { status });
      };
      try {
        if (abortable && request.signal?.aborted) return Promise.reject(request.signal.reason);
        context = new Context(module, options);
        context.answerTo(request, env, ctx);
        if (context.alive) {
          context.follow(request.signal);
          context.keepHost(ctx);
        }
        return context.answered && !context.failed ? Promise.resolve(context.answer) : context.result().catch(failed);
      } catch (error) {
        return new Promise((settle) => settle(failed(error)));
      }
    },
  };
  return Object.assign(handlers, ...(options?.bindings ?? []).map((binding) => binding.handlers?.(module, options)));
}
