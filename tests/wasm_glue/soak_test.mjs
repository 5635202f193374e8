// Many requests of which the host drops some without a word, clients leave some, and some trap: the module's memory
// stays flat, and nothing is left over.  node soak_test.mjs PROBE.wasm [REQUESTS]

import fs from "node:fs";
import { load, worker } from "../../wasm_glue/escapement.mjs";
import { equal, finish, test, that } from "./check.mjs";

const module = await load(fs.readFileSync(process.argv[2]));
const requests = Number(process.argv[3] ?? 4000);

// Counts the contexts and the instances, and keeps the memory of the live one.
let open = 0;
let instances = 0;
let memory;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (...all) {
  const { exports } = new Instance(...all);
  ++instances;
  memory = exports.memory;
  open = 0; // those of an instance that trapped are gone with it
  const esc_open = (now) => (++open, exports.esc_open(now));
  const esc_close = (context) => (--open, exports.esc_close(context));
  return { exports: { ...exports, esc_open, esc_close } };
};

// The clock moves by hand: `performance.now` too, by which dropped contexts are noticed.
let skew = 0;
const { now } = performance;
performance.now = () => now.call(performance) + skew;

const host = (dropped) => ({
  onError: () => {},
  setTimeout: (call, delay) => (dropped ? { unref() {} } : setTimeout(call, delay)),
  clearTimeout: (timer) => (dropped ? undefined : clearTimeout(timer)),
  fetch: async () => new Response("fetched"),
});

async function batch(count, traps) {
  const dropping = worker(module, host(true));
  const ordinary = worker(module, host(false));
  const answers = [];
  for (let i = 0; i < count; ++i) {
    const stop = new AbortController();
    const ask = (path, handler = ordinary) =>
      Promise.resolve(handler.fetch(new Request("http://worker" + path, { signal: stop.signal }), {}, { waitUntil() {} }));
    switch (i % 10) {
      case 0:
        ask("/slept?ms=100000", dropping).catch(() => {}); // its timer never comes
        break;
      case 1:
        answers.push(ask("/slept?ms=100000").then(() => "no", () => "aborted"));
        stop.abort("left");
        break;
      case 2:
        answers.push(ask(traps ? "/trap" : "/fail").then((response) => response.status));
        break;
      default:
        answers.push(ask(i % 3 ? "/hello" : "/relay?url=http://h/").then((response) => response.text()));
    }
  }
  const all = await Promise.all(answers);
  // Two looks at contexts whose timers are overdue.
  for (let look = 0; look < 3; ++look) {
    skew += 45000;
    await (await ordinary.fetch(new Request("http://worker/hello"), {}, {})).text();
  }
  await new Promise((resolve) => setTimeout(resolve, 0)); // what WeakRefs hold is let go between turns of the loop
  return all;
}

for (const traps of [false, true]) {
  await test(`${requests} requests, a tenth dropped, a tenth aborted, a tenth ${traps ? "trapping" : "failing"}: memory stays flat`, async () => {
    const size = 200;
    await batch(size, traps);
    const before = memory.buffer.byteLength;
    const heap = () => (globalThis.gc?.(), process.memoryUsage().heapUsed);
    const began = heap();
    for (let done = size; done < requests; done += size) {
      const answers = await batch(size, traps);
      equal(answers.filter((answer) => answer === "aborted").length, size / 10, "aborted");
      const failed = answers.filter((answer) => answer === 500 || answer === 503 || answer === "Service Unavailable\n").length;
      const answered = answers.filter((answer) => answer === "hello" || answer === "fetched").length;
      equal(failed + answered, (size * 8) / 10, "answers");
      that(traps ? failed >= size / 10 : failed === size / 10, `${failed} failed`);  // a trap also fails what is in flight
      equal(memory.buffer.byteLength, before, "bytes of memory");
      equal(open, 0, "contexts");
    }
    if (globalThis.gc) that(heap() - began < 8e6, `${heap() - began} bytes more on the heap`);
    if (traps) that(instances > requests / 10 / 2, `${instances} instances`);
  });
}
finish();
