// A module with 2 MiB of memory that is asked for more:  node memory_test.mjs PROBE_SMALL.wasm

import fs from "node:fs";
import { load, run, worker } from "../../wasm_glue/escapement.mjs";
import { equal, finish, test, that } from "./check.mjs";

const module = await load(fs.readFileSync(process.argv[2]));
console.error = () => {};
const failure = (promise) => promise.then(() => "no failure", (error) => `${error.code}: ${error.message}`);
const outOfMemory = "overloaded: overloaded: out of memory";
const { fetch } = worker(module);
const ask = async (path, options) => {
  const response = await fetch(new Request("http://worker" + path, { duplex: "half", ...options }), {}, {});
  return `${response.status} ${await response.text()}`;
};
const pieces = (count, size) =>
  new ReadableStream({ pull: (to) => (count-- ? to.enqueue(new Uint8Array(size)) : to.close()) });

await test("a task's input that does not fit is refused, and nothing else", async () => {
  equal(await run(module, "hold", "1200000"), "1200000");
  const sleeper = ask("/slept?ms=50");
  equal(await failure(run(module, "echoed", new Uint8Array(1000000))), outOfMemory);
  equal(await failure(run(module, "fetched", "http://h/" + "x".repeat(1000000))), outOfMemory);
  that((await sleeper).startsWith("200 "), "the sleeper");
  equal(await run(module, "hold", "0"), "1200000", "the same instance");
});

await test("a request's body that does not fit fails its own request, in one piece and in many", async () => {
  const sleeper = ask("/slept?ms=50");
  that((await ask("/collect", { method: "POST", body: pieces(1, 1000000) })).startsWith("503 "), "in one piece");
  that((await ask("/collect", { method: "POST", body: pieces(200, 10000) })).startsWith("503 "), "in many");
  equal(await ask("/collect", { method: "POST", body: "fits" }), "200 fits");
  that((await sleeper).startsWith("200 "), "the sleeper");
  equal(await run(module, "hold", "0"), "1200000", "the same instance");
});

await test("a response's body that does not fit fails its own fetch", async () => {
  const fetched = (count, size) => failure(run(module, "fetched", "http://h/", { fetch: async () => new Response(pieces(count, size)) }));
  equal(await fetched(1, 1000000), outOfMemory);
  equal(await fetched(200, 5000), outOfMemory);
  const head = { fetch: async () => new Response("", { headers: { x: "y".repeat(1000000) } }) };
  equal(await run(module, "fetched", "http://h/", head), "200 ", "fields that nobody asks for stay outside");
  equal(await run(module, "hold", "0"), "1200000", "the same instance");
});

await test("more requests than fit: those are answered 503, the others run", async () => {
  const answers = await Promise.all(Array.from({ length: 2000 }, () => ask("/slept?ms=50")));
  const served = answers.filter((answer) => answer.startsWith("200 ")).length;
  that(served > 0 && served < answers.length, `${served} served`);
  equal(answers.filter((answer) => answer === "503 Service Unavailable\n").length, answers.length - served);
  equal(await run(module, "hold", "0"), "1200000", "the same instance");
});

await test("what the program itself cannot allocate ends the instance, at once and by name", async () => {
  const began = performance.now();
  equal(await failure(run(module, "hold", "5000000")), outOfMemory);
  that(performance.now() - began < 2000, "slow");
  equal(await run(module, "hold", "1"), "1", "a new instance");
});
finish();
