// Failures between JavaScript and the module, in whichever host this is loaded: a failure costs what it
// concerns and nothing else, its text arrives, and nothing stays behind. No imports: it runs inside the hosts.
//
// boundary(glue, module, origin, refusing, host) yields [name, what went wrong or null] for each case.

export async function boundary({ run, worker }, module, origin, refusing, host) {
  const results = [];
  const test = async (name, body) => {
    try {
      await body();
      results.push([name, null]);
    } catch (error) {
      results.push([name, String(error?.stack ?? error)]);
    }
  };
  const equal = (is, expected, what = "") => {
    if (is !== expected) throw new Error(`${what} is ${JSON.stringify(is) ?? String(is)}, expected ${JSON.stringify(expected) ?? String(expected)}`);
  };
  const that = (condition, what) => {
    if (!condition) throw new Error(what);
  };
  const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const failure = (promise) => promise.then((value) => "no failure but " + value, (error) => error);
  const told = (at = []) => ({ at, onError: (error) => at.push(error) });
  const request = (path, init) => new Request("http://worker" + path, init);
  const has = (error, text) => that(String(error?.message ?? error).includes(text), `"${error?.message ?? error}" does not say "${text}"`);
  // A task beside the failing one, which must not notice.
  const beside = async (call) => {
    const sleeper = run(module, "slept", "60");
    await call();
    that(Number(await sleeper) >= 60000, "the one beside it failed too");
  };

  // --- Exceptions.

  await test("a task that does not exist fails its own call", () =>
    beside(async () => {
      const error = await failure(run(module, "nosuch"));
      equal(error.code, "invalid_argument");
      has(error, "nosuch");
    }));

  for (const [name, values] of [
    ["throws", [() => { throw new Error("no clock"); }]],
    ["is no number", [() => undefined, () => NaN, () => "7", () => Infinity, () => Symbol("no clock"), () => ({})]],
  ]) {
    await test(`a now() that ${name}, at any of its calls, fails its own call`, () =>
      beside(async () => {
        for (const bad of values) {
          for (let good = 0; good < 4; ++good) {
            let calls = 0;
            const now = () => (calls++ === good ? bad() : performance.now());
            const error = await failure(run(module, "slept", "5", { now }));
            if (calls <= good) continue;
            equal(error.code, "exception", `after ${good} calls`);
            has(error, name === "throws" ? "no clock" : "now()");
          }
        }
      }));
  }

  await test("a now() that throws with a fetch under way drops it", async () => {
    let signal;
    let broken = false;
    const error = await failure(run(module, "impatient", origin + "/never", {
      now: () => {
        if (broken) throw new Error("no clock");
        return performance.now();
      },
      fetch: (url, init) => {
        signal = init.signal;
        broken = true;
        return new Promise(() => {});
      },
    }));
    has(error, "no clock");
    that(signal.aborted, "the fetch goes on");
  });

  await test("a setTimeout or clearTimeout that throws fails its own call", () =>
    beside(async () => {
      has(await failure(run(module, "slept", "50", { setTimeout: () => { throw new Error("no timers"); } })), "no timers");
      const clearTimeout = () => { throw new Error("no clearing"); };
      const fetch = async () => new Response("at once");
      equal(await run(module, "impatient", origin, { clearTimeout, fetch }), "200", "one that is over when its timer is cleared");
      // The wait for a head has set a timer that the sleep after it is too early for.
      const { at, onError } = told();
      const options = { clearTimeout, fetch, onError };
      equal((await worker(module, options).fetch(request("/sfs?ms=5&backend=" + encodeURIComponent(origin)), {}, {})).status, 500);
      equal(at.length, 1, "reports");
      has(at[0], "no clearing");
    }));

  await test("what a service's clock throws is a 500 of this request, and reported", () =>
    beside(async () => {
      const { at, onError } = told();
      let calls = 0;
      const { fetch } = worker(module, { onError, now: () => { if (++calls > 1) throw new Error("no clock"); return 1; } });
      equal((await fetch(request("/slept?ms=5"), {}, {})).status, 500);
      equal(at.length, 1, "reports");
      has(at[0], "no clock");
    }));

  await test("a response that the host refuses is a 500, whether it streams or not, and its context ends", async () => {
    const { Response } = globalThis;
    globalThis.Response = class extends Response {
      constructor(body, init) {
        if (init?.status == 299) throw new TypeError("not that status");
        super(body, init);
      }
    };
    try {
      for (const path of ["/odd-status?status=299", "/breaking?status=299&ms=1"]) {
        const { at, onError } = told();
        let over = true;
        const ctx = { waitUntil: (promise) => (over = false, promise.then(() => (over = true))) };
        equal((await worker(module, { onError }).fetch(request(path), {}, ctx)).status, 500, path);
        await rest(5);
        has(at[0], "not that status");
        that(over, "its context goes on");
      }
    } finally {
      globalThis.Response = Response;
    }
  });

  await test("options, input and env that are null; an input that is neither", async () => {
    equal(await run(module, "echoed", "x", null), "x");
    equal(await run(module, "echoed", undefined, undefined), "");
    await beside(async () => {
      for (const input of [null, 7, {}, Symbol("no input")]) that((await failure(run(module, "echoed", input))) instanceof TypeError, String(input));
    });
    equal((await worker(module, null).fetch(request("/hello"), null, null)).status, 200);
    equal((await worker(module).fetch(request("/hello"))).status, 200);
  });

  // --- Relayed bodies.

  await test("an origin's body that breaks off breaks off the answer, and nothing else", () =>
    beside(async () => {
      const { at, onError } = told();
      const response = await worker(module, { onError }).fetch(request("/relay?url=" + encodeURIComponent(origin + "/short")), {}, {});
      equal(response.status, 200);
      const error = await failure(response.text());
      that(error instanceof Error, `read: ${String(error)}`);
      equal(at.length, 0, "reports: the host's own stream has it");
    }));

  await test("a stream that breaks off rejects with the error, its text and its kind", async () => {
    const { at, onError } = told();
    const response = await worker(module, { onError }).fetch(request("/breaking?status=200&ms=1"), {}, {});
    const reader = response.body.getReader();
    const { value } = await reader.read();
    equal(value.buffer.byteLength, value.length, "not the module's own memory, but a copy that");
    await reader.read();
    const error = await failure(reader.read());
    has(error, "internal: broken on purpose");
    has(at[0], "internal: broken on purpose");
    equal(at[0].code, "internal");
  });

  await test("the reader of a stream that is left behind ends its context", async () => {
    let over = false;
    const ctx = { waitUntil: (promise) => promise.then(() => (over = true)) };
    const response = await worker(module).fetch(request("/breaking?status=200&ms=60000"), {}, ctx);
    const reader = response.body.getReader();
    await reader.read();
    await reader.cancel("enough");
    await rest(5);
    that(over, "its context goes on");
  });

  // --- Reports.

  await test("a failing handler and a task that outlives it are reported", async () => {
    const { at, onError } = told();
    const { fetch } = worker(module, { onError });
    equal((await fetch(request("/fail"), {}, {})).status, 500);
    equal((await fetch(request("/odd-status?status=700"), {}, {})).status, 500);
    equal((await fetch(request("/outlive-failing"), {}, {})).status, 200);
    await rest(30);
    equal(at.map((error) => error.message).join("; "), "internal: on purpose; invalid_argument: no final status: 700; internal: nobody waits for it");
    equal(at[0].code, "internal");
  });

  await test("a failure that no task took is reported", async () => {
    const { at, onError } = told();
    equal(await run(module, "forgetting", "nobody took it", { onError }), "done");
    await rest(1);
    equal(at.map((error) => error.message).join(), "internal: nobody took it");
  });

  await test("without onError, console.error has it; one that throws does no harm", async () => {
    const { error: original } = console;
    const lines = [];
    console.error = (...all) => lines.push(all.join(" "));
    try {
      await worker(module).fetch(request("/fail"), {}, {});
      await rest(1);
      await worker(module, { onError: () => { throw new Error("not now"); } }).fetch(request("/fail"), {}, {});
      await rest(1);
    } finally {
      console.error = original;
    }
    equal(lines.length, 2, "lines");
    has(lines[0], "on purpose");
    has(lines[1], "not now");
  });

  await test("a trap is reported by the requests that it costs", async () => {
    const { at, onError } = told();
    const { fetch } = worker(module, { onError });
    const slow = fetch(request("/slept?ms=1000"), {}, {});
    equal((await fetch(request("/trap"), {}, {})).status, 503);
    equal((await slow).status, 503);
    equal(at.length, 2, "reports");
    that(at.every((error) => error instanceof WebAssembly.RuntimeError), String(at));
    equal(await run(module, "echoed", "again"), "again");
    const now = () => { throw new Error("no clock"); };
    equal((await worker(module, { onError, now }).fetch(request("/hello"), {}, {})).status, 500, "in a new instance");
  });

  // --- Signals.

  await test("a signal that is aborted already: nothing runs, its reason is the rejection", async () => {
    let fetches = 0;
    const fetch = async () => new Response(String(++fetches));
    for (const reason of [undefined, null, "a string", new DOMException("x", "AbortError"), 0]) {
      const signal = AbortSignal.abort(reason);
      equal(await failure(run(module, "fetched", origin, { signal, fetch })), signal.reason);
    }
    if (host !== "workerd") {
      const signal = AbortSignal.abort("left");
      equal(await failure(worker(module, { fetch }).fetch(request("/relay?url=" + origin, { signal }), {}, {})), "left");
    }
    equal(fetches, 0, "fetches");
  });

  await test("an abort rejects with its reason, whatever it is", async () => {
    for (const reason of [new DOMException("x", "AbortError"), "a string", null]) {
      const controller = new AbortController();
      const running = failure(run(module, "slept", "5000", { signal: controller.signal }));
      await rest(1);
      controller.abort(reason);
      equal(await running, reason);
    }
    equal((await failure(run(module, "slept", "5000", { signal: AbortSignal.timeout(20) }))).name, "TimeoutError");
  });

  await test("finished runs leave no listener, nor do aborted and failed ones", async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...all) => (++listeners, add(...all));
    signal.removeEventListener = (...all) => (--listeners, remove(...all));
    for (let i = 0; i < 5; ++i) await run(module, "slept", "1", { signal });
    await failure(run(module, "failing", "so", { signal }));
    await failure(run(module, "nosuch", "so", { signal }));
    await failure(run(module, "slept", "5", { signal, setTimeout: () => { throw new Error("none"); } }));
    equal(listeners, 0, "listeners");
    that((await failure(run(module, "slept", "1", { signal: {} }))) instanceof TypeError, "no signal at all");
  });

  await test("a request that is aborted: its handler ends, its reader hears of it", async () => {
    const controller = new AbortController();
    let over = false;
    const ctx = { waitUntil: (promise) => promise.then(() => (over = true)) };
    const { at, onError } = told();
    const { fetch } = worker(module, { onError });
    const slow = failure(fetch(request("/slept?ms=5000", { signal: controller.signal }), {}, {}));
    const streaming = await fetch(request("/breaking?status=200&ms=5000", { signal: controller.signal }), {}, ctx);
    const reader = streaming.body.getReader();
    await reader.read();
    await reader.read();
    const last = failure(reader.read());
    await rest(1);
    const reason = new DOMException("gone", "AbortError");
    controller.abort(reason);
    equal((await slow).message, "gone");
    equal((await last).message, "gone");
    await rest(1);
    that(over, "its context goes on");
    equal(at.length, 0, "reports");
  });

  await test("a task that took its signal as a token: it is told, and ends by itself", async () => {
    const { at, onError } = told();
    const stopped = async (how, ...reason) => {
      const controller = new AbortController();
      const running = run(module, "parting", how, { signal: controller.signal, onError }).catch((error) => error);
      await rest(1);
      controller.abort(...reason);
      return running;
    };
    equal(await stopped("", "enough"), "cancelled: enough");
    equal(await stopped("", new Error("grüße")), "cancelled: grüße");
    equal(await stopped("", "long ".repeat(200)), "cancelled: " + "long ".repeat(200));
    equal(await stopped("", null), "cancelled: aborted by the host");
    equal(await stopped("", ""), "cancelled: aborted by the host");
    that((await stopped("")).length > "cancelled: ".length, "the host's own reason");
    equal((await stopped("fail")).code, "cancelled");
    equal((await stopped("fail otherwise")).code, "internal");
    const late = AbortSignal.timeout(20);
    equal(await run(module, "parting", "", { signal: late }), "cancelled: " + late.reason.message);
    equal(at.length, 0, "reports");
  });

  await test("a request whose handler took its signal as a token may still fetch", async () => {
    const controller = new AbortController();
    const { at, onError } = told();
    const urls = [];
    let over = false;
    const ctx = { waitUntil: (promise) => promise.then(() => (over = true)) };
    const fetch = async (url) => (urls.push(url), new Response("noted"));
    const answer = worker(module, { fetch, onError }).fetch(request("/parting?url=http://h/last", { signal: controller.signal }), {}, ctx);
    await rest(1);
    controller.abort("gone");
    equal(await (await answer).text(), "cancelled: gone");
    await rest(1);
    that(over, "its context goes on");
    equal(urls.join(), "http://h/last");
    equal(at.length, 0, "reports");
  });

  await test("an abort from inside the module's own calls is carried out afterwards", () =>
    beside(async () => {
      const controller = new AbortController();
      let calls = 0;
      const now = () => {
        if (++calls === 3) controller.abort("inside");
        return performance.now();
      };
      equal(await failure(run(module, "slept", "5000", { now, signal: controller.signal })), "inside");
    }));

  await test("a sleep that ends before the timer that is set", async () => {
    const answer = worker(module).fetch(request("/sfs?ms=5&backend=" + encodeURIComponent(origin)), {}, {});
    const response = await Promise.race([answer, rest(5000)]);
    equal(await response?.text(), "200 hello");
  });

  // --- Things that the host holds.

  await test("a request's body is a copy, which the host may keep", async () => {
    const fetch = async (url, { body }) => new Response(String(body.buffer.byteLength));
    equal(await run(module, "failure_of", "POST " + origin + "/ four", { fetch }), "200 4");
  });

  await test("a fetch that ignores its signal: its answer is let go, early and late", async () => {
    let cancelled = 0;
    const body = () => new ReadableStream({ pull: () => new Promise(() => {}), cancel: () => void ++cancelled });
    equal(await run(module, "impatient", origin, { fetch: async () => new Response(body()) }), "200");
    await rest(5);
    equal(cancelled, 1, "cancelled when dropped");
    let late;
    const fetch = () => new Promise((resolve) => (late = () => resolve(new Response(body()))));
    has(await run(module, "impatient", origin, { fetch }), "timed_out: ");
    late();
    await rest(5);
    equal(cancelled, 2, "cancelled when late");
  });

  await test("pieces may be any view or buffer; what is none fails", async () => {
    const answering = (...pieces) => async () => ({
      status: 200,
      headers: new Headers(),
      body: new ReadableStream({ pull: (to) => (pieces.length ? to.enqueue(pieces.shift()) : to.close()) }),
    });
    const bytes = () => new Uint8Array([111, 110, 101]);
    const pieces = [bytes(), bytes().buffer, new DataView(bytes().buffer), new Uint16Array([0x6e6f, 0x6565]), new Uint8Array(0), new ArrayBuffer(0)];
    equal(await run(module, "fetched", origin, { fetch: answering(...pieces) }), "200 oneoneoneonee");
    equal(await run(module, "fetched", origin, { fetch: answering("text") }), "200 text");
    for (const piece of [7, { length: 3 }, [1, 2], null]) {
      has(await failure(run(module, "fetched", origin, { fetch: answering(bytes(), piece) })), "neither bytes nor a string");
    }
  });

  await test("a request's body: unread it stays as it was; a locked one fails where it is read", async () => {
    const post = () => request("/hello", { method: "POST", body: "body" });
    const { at, onError } = told();
    const { fetch } = worker(module, { onError });
    const unread = post();
    equal((await fetch(unread, {}, {})).status, 200);
    that(!unread.body.locked && !unread.bodyUsed, "it is locked");
    equal(await unread.text(), "body");
    const locked = post();
    locked.body.getReader();
    equal((await fetch(locked, {}, {})).status, 200);
    equal(at.length, 0, "reports");
    const read = request("/length", { method: "POST", body: "body" });
    equal(await (await fetch(read, {}, {})).text(), "4");
    const used = request("/length", { method: "POST", body: "body" });
    used.body.getReader();
    has(await (await fetch(used, {}, {})).text(), "reset: the request's body: ");
    const half = request("/read-first", { method: "POST", body: "body" });
    equal(await (await fetch(half, {}, {})).text(), "body");
    await rest(1);
    that(!half.body.locked, "it is locked afterwards");
  });

  await test("HEAD of a streaming answer waits for nobody's read", async () => {
    let over = false;
    const ctx = { waitUntil: (promise) => promise.then(() => (over = true)) };
    const response = await worker(module).fetch(request("/breaking?status=200&ms=1", { method: "HEAD" }), {}, ctx);
    equal(response.status, 200);
    equal(response.body, null);
  });

  // --- Bytes and text.

  await test("a task's bytes stay as they are, in and out", async () => {
    const bom = new Uint8Array([0xef, 0xbb, 0xbf, 0x68, 0x69]);
    equal(await run(module, "echoed", bom), "\ufeffhi");
    equal(String(await run(module, "echoed", bom, { bytes: true })), "239,187,191,104,105");
    const odd = new Uint8Array([0xff, 0, 0x80, 0x0a]);
    equal(String(await run(module, "echoed", odd.buffer, { bytes: true })), "255,0,128,10");
    has(await failure(run(module, "echoed", odd)), "not UTF-8");
    equal(await run(module, "echoed", "gr\u00fc\u00df\ud83d\ude00"), "gr\u00fc\u00df\ud83d\ude00");
  });

  await test("a field's bytes are those on the wire, both ways", async () => {
    const there = new Headers({ "x-there": "caf\u00e9 \u00fc" });
    const response = await worker(module).fetch({ method: "GET", url: "http://worker/fields", headers: there }, {}, {});
    equal(response.headers.get("x-back"), "caf\u00e9 \u00fc");
    equal(response.headers.get("x-size"), host === "workerd" ? "8" : "6");
    equal(await run(module, "fields_of", "GET " + origin + "/name"), "x-name=caf\u00e9;2", "what is UTF-8 on the wire");
    const answer = async () => ({ status: 200, headers: new Headers({ "x-name": "caf\u00e9" }), body: null });
    const fields = await run(module, "fields_of", "GET " + origin, { fetch: answer, bytes: true });
    equal(fields.length, host === "workerd" ? 14 : 13);
  });

  await test("a variable of env is its text, whatever is in it, and nobody else's", async () => {
    const variable = async (env) => (await worker(module).fetch(request("/env"), env, {})).text();
    equal(await variable({ A: "x\0GREETING=injected", "A=\0GREETING": "injected" }), "none");
    for (const text of ["", "hi\nho=\0\ufeff\u00e9", "l".repeat(128), "l".repeat(129), "\u00e9".repeat(5000)]) equal(await variable({ GREETING: text }), text);
    for (const other of [7, null, {}, undefined, new String("x")]) equal(await variable({ GREETING: other }), "none");
    equal(await variable(Object.create({ GREETING: "inherited" })), "none");
  });

  // --- Why a fetch failed.

  await test("a failed fetch says why, as far as the host knows", async () => {
    const why = (input) => run(module, "failure_of", input);
    const refused = await why("POST " + refusing + " body");
    const reset = await why("POST " + origin + "/reset body");
    const nameless = await why("GET http://nosuch.invalid/ ");
    if (host === "node") {
      that(refused.startsWith("unavailable: fetch failed: connect ECONNREFUSED") && refused.endsWith("(not sent)"), refused);
      that(reset.startsWith("reset: fetch failed: ") && reset.endsWith("(maybe sent)"), reset);
      that(/^(not_found|unavailable): fetch failed: getaddrinfo .*\(not sent\)$/.test(nameless), nameless);
      has(await why("GET " + origin + "/nonsense "), "bad_message: fetch failed: ");
      has(await why("GET http://127.0.0.1:1/ "), "invalid_argument: fetch failed: bad port (not sent)");
      has(await why("TRACE " + origin + "/ "), "invalid_argument: fetch failed: ");
    } else {
      for (const text of [refused, reset, nameless]) that(/^(reset|unavailable|not_found): fetch failed: ./.test(text), text);
    }
    const got = await why("GET " + origin + "/ body");
    that(/^invalid_argument: fetch failed: .*\(not sent\)$/.test(got), got);
  });

  await test("causes as Node, Deno, Bun and the DOM make them", async () => {
    const as = (message, cause, name) => async () => {
      throw Object.assign(new (name ? Error : TypeError)(message, cause && { cause }), name && { name });
    };
    const coded = (message, code, more) => Object.assign(new Error(message), { code, ...more });
    const cases = [
      ["not_found: fetch failed: getaddrinfo ENOTFOUND x (not sent)",
        as("fetch failed", coded("getaddrinfo ENOTFOUND x", "ENOTFOUND", { syscall: "getaddrinfo" }))],
      ["unavailable: fetch failed: getaddrinfo EAI_AGAIN x (not sent)", as("fetch failed", coded("getaddrinfo EAI_AGAIN x", "EAI_AGAIN"))],
      ["unavailable: fetch failed: connect ECONNREFUSED ::1:9 (not sent)",
        as("fetch failed", coded("", "ECONNREFUSED", { errors: [coded("connect ECONNREFUSED ::1:9", "ECONNREFUSED")] }))],
      ["unavailable: fetch failed: connect ETIMEDOUT 10.0.0.1:9 (not sent)",
        as("fetch failed", coded("connect ETIMEDOUT 10.0.0.1:9", "ETIMEDOUT", { syscall: "connect" }))],
      ["unavailable: fetch failed: Connect Timeout Error (not sent)", as("fetch failed", coded("Connect Timeout Error", "UND_ERR_CONNECT_TIMEOUT"))],
      ["reset: fetch failed: read ECONNRESET (maybe sent)", as("fetch failed", coded("read ECONNRESET", "ECONNRESET", { syscall: "read" }))],
      ["reset: fetch failed: other side closed (maybe sent)", as("fetch failed", coded("other side closed", "UND_ERR_SOCKET"))],
      ["timed_out: fetch failed: Headers Timeout Error (maybe sent)", as("fetch failed", coded("Headers Timeout Error", "UND_ERR_HEADERS_TIMEOUT"))],
      ["untrusted: fetch failed: self-signed certificate (not sent)", as("fetch failed", coded("self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"))],
      ["untrusted: fetch failed: certificate has expired (not sent)", as("fetch failed", coded("certificate has expired", "CERT_HAS_EXPIRED"))],
      ["bad_message: fetch failed: Parse Error (maybe sent)", as("fetch failed", coded("Parse Error", "HPE_INVALID_CONSTANT"))],
      ["invalid_argument: fetch failed: bad port (not sent)", as("fetch failed", new Error("bad port"))],
      ["reset: fetch failed: error sending request for url (http://x/connect): client error (SendRequest): connection reset (maybe sent)",
        as("error sending request for url (http://x/connect): client error (SendRequest): connection reset")],
      ["not_found: fetch failed: error sending request for url (http://x/): client error (Connect): dns error: no such name (not sent)",
        as("error sending request for url (http://x/): client error (Connect): dns error: no such name")],
      ["invalid_argument: fetch failed: Fetch failed: Requests to port 1 are blocked (not sent)", as("Fetch failed: Requests to port 1 are blocked")],
      ["timed_out: fetch failed: too slow (maybe sent)", as("too slow", null, "TimeoutError")],
      ["reset: fetch failed: Failed to fetch (maybe sent)", as("Failed to fetch")],
      ["reset: fetch failed: Network connection lost. (maybe sent)", as("Network connection lost.", null, "Error")],
    ];
    for (const [expected, fetch] of cases) equal(await run(module, "failure_of", "POST " + origin + "/ body", { fetch }), expected);
  });

  await test("fields of what the host has decoded are gone; of what it has not, they stay", async () => {
    const fields = (input) => run(module, "fields_of", input);
    equal(await fields("GET " + origin + "/gzip"), "42");
    equal(await fields("GET " + origin + "/gzip-length"), "42");
    has(await fields("HEAD " + origin + "/gzip-length"), "content-encoding=gzip;");
    equal(await fields("GET " + origin + "/odd-coding"), "content-encoding=rot13;content-length=4;4");
    // This host may or may not decode zstd: the body and its fields agree.
    const zstd = await fields("GET " + origin + "/zstd");
    that(zstd === "13" || zstd.startsWith("content-encoding=zstd;content-length=22;22"), zstd);
  });

  await test("a coding that only some versions of a host decode: the body tells", async () => {
    const answer = (coding, ...pieces) => async () =>
      new Response(new ReadableStream({ pull: (to) => (pieces.length ? to.enqueue(Uint8Array.from(pieces.shift())) : to.close()) }), {
        headers: { "content-encoding": coding, "content-length": "22" },
      });
    const fields = (...all) => run(module, "fields_of", "GET " + origin, { fetch: answer(...all) });
    const start = [0x28, 0xb5, 0x2f, 0xfd];
    const kept = (coding) => `content-encoding=${coding};content-length=22;22`;
    const rest = Array(18).fill(1);
    equal(await fields("zstd", start, rest), kept("zstd"), "zstd");
    equal(await fields("zstd", Array(13).fill(65)), "13", "decoded");
    equal(await fields("zstd"), "0", "decoded, and nothing");
    equal(await fields("zstd, gzip", [0x1f, 0x8b, ...rest, 1, 1]), kept("zstd, gzip"), "two of them");
    equal(await fields("gzip, ZSTD", Array(13).fill(65)), "13", "two of them, decoded");
  });

  return results;
}
