// The glue in Node, Deno and Bun:  node node_test.mjs PROBE.wasm

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { load, run, worker } from "../../wasm_glue/escapement.mjs";
import { events } from "../../wasm_glue/events.mjs";
import { startSlowOrigin, testBodies } from "./bodies.mjs";
import { moduleByHand, withSteps } from "./by_hand.mjs";
import { equal, finish, test, that } from "./check.mjs";
import { startStreamOrigin, testStreams } from "./streams.mjs";

const module = await load(fs.readFileSync(process.argv[2]));

// A host whose timers are counted.
function counting(extra = {}) {
  const live = new Set();
  const counts = { most: 0, made: 0 };
  return {
    counts,
    live,
    setTimeout: (call, delay) => {
      const timer = setTimeout(() => live.delete(timer) && call(), delay);
      live.add(timer);
      counts.made++;
      counts.most = Math.max(counts.most, live.size);
      return timer;
    },
    clearTimeout: (timer) => {
      live.delete(timer);
      clearTimeout(timer);
    },
    ...extra,
  };
}

let aborted = 0;
const server = http.createServer((request, response) => {
  if (request.url === "/redirect") return response.writeHead(302, { location: "/elsewhere" }).end();
  if (request.url === "/cookies") return response.writeHead(200, { "set-cookie": ["a=1, b", "c=2"] }).end();
  if (request.url === "/never") return void response.on("close", () => ++aborted);
  if (request.url === "/stream") {
    response.write("one ");
    return void setTimeout(() => response.end("two"), 20);
  }
  response.end("hello");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${server.address().port}`;

await test("300 sleeps of 3 ms, none early", async () => {
  for (let i = 0; i < 300; ++i) {
    const began = performance.now();
    const inside = Number(await run(module, "slept", "3"));
    that(performance.now() - began >= 3 && inside >= 3000, `sleep ${i} took ${inside} us`);
  }
});

await test("a long sleep sets its timer nearer, since timers are late, and is not early", async () => {
  const { setTimeout } = globalThis;
  const delays = [];
  globalThis.setTimeout = (call, delay) => (delays.push(delay), setTimeout(call, delay));
  try {
    const began = performance.now();
    await run(module, "slept", "300");
    that(performance.now() - began >= 300, "early");
    that(delays[0] > 290 && delays[0] < 299, `the first timer takes ${delays[0]} ms`);
    that(delays.slice(1).every((delay) => delay < 10), delays.join());
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

await test("50,000 sleeps at once: one host timer, and none afterwards", async () => {
  const host = counting();
  equal(await run(module, "many", "50000", host), "50000");
  that(host.counts.most <= 1, `${host.counts.most} timers at once`);
  equal(host.live.size, 0, "timers left");
});

await test("a task that does not sleep sets no timer", async () => {
  const host = counting();
  await run(module, "many", "0", host);
  equal(host.counts.made, 0, "timers made");
});

await test("a host timer that fires early only makes the task ask again", async () => {
  const early = (call, delay) => setTimeout(call, Math.max(0, delay / 2));
  const began = performance.now();
  await run(module, "slept", "40", { setTimeout: early });
  that(performance.now() - began >= 40, "early");
});

await test("a frozen clock: the task goes on when the clock does", async () => {
  let now = 1000;
  const result = run(module, "slept", "50", {
    now: () => now,
    setTimeout: (call, delay) => setTimeout(() => { now += delay; call(); }, 0),
  });
  equal(await result, "50000");
});

await test("a clock that goes back is ignored", async () => {
  let reads = 0;
  const began = performance.now();
  const inside = await run(module, "slept", "20", { now: () => performance.now() - (++reads % 3 ? 0 : 5) });
  that(performance.now() - began >= 20 && Number(inside) >= 20000, `took ${inside}`);
});

await test("fetch: a body, a streamed one, a redirect that is not followed", async () => {
  equal(await run(module, "fetched", base + "/"), "200 hello");
  equal(await run(module, "fetched", base + "/stream"), "200 one two");
  equal(await run(module, "fetched", base + "/redirect"), "302 ");
  equal(await run(module, "cookies", base + "/cookies"), "a=1, b;c=2;", "cookies stay apart");
  const pieces = [new Uint8Array(0), new TextEncoder().encode("one"), new Uint8Array(0)];
  const fetch = async () => new Response(new ReadableStream({ pull: (to) => (pieces.length ? to.enqueue(pieces.shift()) : to.close()) }));
  equal(await run(module, "fetched", base + "/", { fetch }), "200 one", "an empty piece is not the end");
});

await test("a timeout aborts the fetch, once, and nothing is left over", async () => {
  let unhandled = 0;
  const count = () => ++unhandled;
  process.on("unhandledRejection", count);
  that((await run(module, "impatient", base + "/never")).startsWith("timed_out: "), "not timed out");
  await new Promise((resolve) => setTimeout(resolve, 50));
  equal(aborted, 1, "aborts that the server saw");
  equal(unhandled, 0, "unhandled rejections");
  process.off("unhandledRejection", count);
});

const failure = (promise) => promise.then(() => "no failure", (error) => error.message);

await test("fetch that is missing, rejects, throws, resolves with nonsense, or never answers", async () => {
  const ask = (fetch) => failure(run(module, "fetched", base + "/", { fetch }));
  equal(await ask(null), "unsupported: this host has no fetch()");
  equal(await ask(() => Promise.reject(new TypeError("no route"))), "reset: fetch failed: no route");
  equal(await ask(() => { throw new Error("at once"); }), "reset: fetch failed: at once");
  that((await ask(async () => 7)).startsWith("reset: fetch failed"), "nonsense");
  that((await run(module, "impatient", base + "/", { fetch: () => new Promise(() => {}) })).startsWith("timed_out: "), "not timed out");
});

await test("no server there, and a URL that is none", async () => {
  const kind = globalThis.Bun ? "unavailable" : "invalid_argument"; // others refuse that port themselves
  that((await failure(run(module, "fetched", "http://127.0.0.1:1/"))).startsWith(kind + ": fetch failed: "), "port 1");
  that((await failure(run(module, "fetched", "nonsense"))).startsWith("invalid_argument: malformed URL"), "malformed");
});

await test("an aborted signal destroys the task", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  const host = counting({ signal: controller.signal });
  equal(await run(module, "slept", "5000", host).catch((error) => error), controller.signal.reason);
  equal(host.live.size, 0, "timers left");
});

await test("a Worker's handler: a service, a failure, a trap that takes only those in flight", async () => {
  const { fetch } = worker(module);
  const ask = async (path, options) => {
    const response = await fetch(new Request("http://worker" + path, options), { OTHER: {}, GREETING: "hi\nho" }, {});
    return `${response.status} ${await response.text()}`;
  };
  equal(await ask("/env"), "200 hi\nho", "lines and all");
  equal(await ask("/fail"), "500 Internal Server Error\n");
  equal(await ask("/echo", { method: "POST", body: "e".repeat(200000) }), "200 " + "e".repeat(200000));
  const slow = ask("/slept?ms=1000");
  equal(await ask("/odd-status?status=204"), "204 ", "a body that may not be");
  equal(await ask("/odd-status?status=99"), "500 Internal Server Error\n");
  equal(await ask("/odd-status?status=700"), "500 Internal Server Error\n");
  equal(await ask("/odd-field"), "200 euro", "a field's bytes");
  equal(await ask("/trap"), "503 Service Unavailable\n");
  equal(await slow, "503 Service Unavailable\n");
  equal(await ask("/env"), "200 hi\nho", "after the trap");
});

await test("events: a cron trigger and traces, for modules that have handlers for them", async () => {
  const handlers = worker(module, { bindings: [events] });
  const waits = [];
  const ctx = { waitUntil: (promise) => waits.push(promise) };
  equal(await handlers.scheduled({ scheduledTime: 1767225600250.5, cron: "*/5 * * * *" }, { GREETING: "hi" }, ctx), undefined);
  equal(await run(module, "events_seen"), "2026-01-01T00:00:00.250Z [*/5 * * * *] hi;");
  equal(waits.length, 1, "waits");
  await Promise.all(waits);
  equal(await run(module, "events_seen"), "afterwards;", "what wait_until keeps");
  await handlers.scheduled({ scheduledTime: 0 });
  equal((await run(module, "events_seen")).slice(0, 33), "1970-01-01T00:00:00.000Z [] none;", "neither env nor ctx");
  equal((await handlers.scheduled({ scheduledTime: 0, cron: "fail" }).catch((error) => error)).message, "unavailable: no store");
  that((await handlers.scheduled({ cron: "no time" }).catch((error) => error.message)).startsWith("invalid_argument: "), "no time");
  await handlers.tail([{ outcome: "ok" }]);
  that((await run(module, "events_seen")).endsWith('[{"outcome":"ok"}]'), "traces");
  equal(Object.keys(worker(moduleByHand(), { bindings: [events] })).join(), "fetch", "a module without them");
  const binding = { module: "escapement_x", imports: {}, handlers: (...all) => ({ queue: async () => all.length }) };
  equal(await worker(moduleByHand(), { bindings: [binding] }).queue(), 2, "a binding's");
});

await test("the standard library's clocks and its output work", async () => {
  const lines = [];
  const { log, error } = console;
  console.log = (line) => lines.push(line);
  console.error = (line) => lines.push("error: " + line);
  await run(module, "printed", "äh").finally(() => Object.assign(console, { log, error }));
  equal(lines.join("|"), "printf äh|and puts|error: to stderr: äh");
  const [wall, seconds, took] = (await run(module, "clocks")).split(" ").map(Number);
  that(Math.abs(wall - Date.now()) < 1000 && Math.abs(seconds * 1000 - Date.now()) < 2000, `${wall} ${seconds}`);
  that(took >= 20 && took < 5000, `a sleep of 20 ms took ${took}`);
});

await test("a handler that waits for what can never come fails at once, and a task too", async () => {
  const host = counting({ onError: () => {} });
  const { fetch } = worker(module, host);
  const statuses = await Promise.all(Array.from({ length: 200 }, async () => (await fetch(new Request("http://worker/forever"), {}, {})).status));
  equal(statuses.filter((status) => status === 500).length, 200, "failures");
  equal(host.live.size, 0, "timers");
});

await test("requests that the host drops without a word are gone some time later", async () => {
  const { now } = performance;
  let ahead = 0;
  performance.now = () => now.call(performance) + ahead;
  try {
    const dropping = worker(module, { setTimeout: () => 1, clearTimeout: () => {}, fetch: () => new Promise(() => {}) });
    const { fetch } = worker(module);
    const ask = (path) => fetch(new Request("http://worker" + path), {}, {});
    let gone = 0;
    const lost = ["/slept?ms=50", "/slept?ms=3600000", "/relay?url=http://h/"];
    for (const path of lost) dropping.fetch(new Request("http://worker" + path), {}, {}).catch(() => ++gone);
    const alive = ask("/slept?ms=5"); // whose timer fires between two looks
    for (let looks = 0; looks < 2; ++looks) {
      equal(gone, 0, "gone");
      ahead += 45000;
      await ask("/env");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    equal(gone, lost.length, "gone");
    equal((await alive).status, 200, "one whose timer the host has kept");
  } finally {
    performance.now = now;
  }
});

await test("static objects of a module may read the clock; one that throws fails this call", async () => {
  const module = moduleByHand();
  const now = () => { throw new Error("no clock"); };
  equal((await run(module, "x", "", { now }).catch((error) => error)).message, "exception: no clock");
  equal((await run(module, "nosuch").catch((error) => error)).code, "invalid_argument");
});

// The last timer that was set, and whether it keeps a process alive.
function watched() {
  const host = {
    holds: null,
    setTimeout: (call) => {
      host.fire = call;
      host.holds = true;
      return { ref: () => void (host.holds = true), unref: () => void (host.holds = false) };
    },
    clearTimeout: () => void (host.holds = null),
    fetch: async () => new Response(),
  };
  return host;
}
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

await test("a sleep keeps the process alive, also by the timer that a wait has set", () =>
  withSteps([-1, 30000], async () => {
    const host = watched();
    const running = run(moduleByHand(), "x", "", host).catch((error) => error);
    equal(host.holds, false, "a wait holds");
    await turn();
    equal(host.holds, true, "a sleep holds");
    host.fire();
    equal((await running).code, "cancelled");
  }));

await test("a task that only its signal ends has a timer too, by which it is seen to be dropped", () =>
  withSteps([-3, -3], async () => {
    const host = watched();
    const controller = new AbortController();
    const running = run(moduleByHand(), "x", "", { ...host, signal: controller.signal }).catch((error) => error);
    equal(host.holds, false, "its timer holds");
    await turn();
    controller.abort("enough");
    equal(await running, "enough");
    equal(host.holds, null, "its timer holds");
  }));

await test("work after a response ends after 30 s of waitUntil, and says so; while it streams it does not count", async () => {
  const at = [];
  let skew = 0;
  const host = {
    now: () => performance.now() + skew,
    setTimeout: (call, delay) => setTimeout(() => ((skew += delay), call()), 0),
    fetch: () => new Promise(() => {}),
    onError: (error) => at.push(error.message),
  };
  let over;
  const ctx = { waitUntil: (promise) => promise.then(() => (over = skew)) };
  const { fetch } = worker(module, host);
  equal(await (await fetch(new Request("http://worker/outlive?url=http://h/"), {}, ctx)).text(), "sent");
  for (let i = 0; i < 100 && !over; ++i) await turn();
  equal(at.join(), "timed_out: work after the response: not finished within 30000ms");
  that(over >= 29900 && over < 30200, `over after ${over}`);
  skew = 0;
  const streaming = await fetch(new Request("http://worker/breaking?status=200&ms=40000"), {}, ctx);
  const reader = streaming.body.getReader();
  const read = async () => { while (!(await reader.read()).done); };
  that(/broken on purpose/.test(String(await read().catch((error) => error))), "it did not stream to its end");
  that(skew >= 39000, `after ${skew}`);
});

const slow = await startSlowOrigin();
const handler = worker(module);
await testBodies(async (target, options) => {
  const response = await handler.fetch(new Request("http://worker" + target, options), {}, {});
  return `${response.status} ${await response.text()}`;
}, slow.url);
slow.stop();
const streams = await startStreamOrigin();
await testStreams(async (target, init) => handler.fetch(new Request("http://worker" + target, init), {}, {}), streams);
streams.stop();

await test("a run() that nobody awaits is an unhandled rejection when it fails, once", async () => {
  const reasons = [];
  const note = (reason) => reasons.push(reason);
  process.on("unhandledRejection", note);
  run(module, "failing", "nobody looks");
  run(module, "nosuch");
  run(module, "slept", "1");
  await new Promise((resolve) => setTimeout(resolve, 30));
  process.off("unhandledRejection", note);
  equal(reasons.map((reason) => reason.code).join(), "internal,invalid_argument");
});

await test("a global called document, as test environments have, keeps no process alive and delays nothing", () => {
  const glue = new URL("../../wasm_glue/escapement.mjs", import.meta.url).href;
  const program = `globalThis.document = {};
    const { load, run } = await import(${JSON.stringify(glue)});
    const module = await load((await import("node:fs")).readFileSync(${JSON.stringify(process.argv[2])}));
    for (let i = 0; i < 3; ++i) console.log(Number(await run(module, "slept", "1")) >= 1000);`;
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "escapement-document-")), "program.mjs");
  fs.writeFileSync(file, program);
  const child = spawnSync(process.execPath, [...(globalThis.Deno ? ["run", "-A"] : []), file], { timeout: 10000, encoding: "utf8" });
  fs.rmSync(path.dirname(file), { recursive: true });
  equal(child.stdout + child.stderr, "true\ntrue\ntrue\n");
  equal(child.status, 0, "its exit status");
});

server.closeAllConnections();
server.close();
finish();
