// A Worker's fetch handler as Deno.serve and Bun.serve take it, over real connections:  deno run -A serve_test.mjs PROBE.wasm

import fs from "node:fs";
import { load, worker } from "../../wasm_glue/escapement.mjs";
import { equal, finish, test } from "./check.mjs";

const { fetch: handler } = worker(await load(fs.readFileSync(process.argv[2])));
const server = globalThis.Deno
  ? Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => handler(request))
  : Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => handler(request) });
const url = `http://127.0.0.1:${server.port ?? server.addr.port}`;
const ask = async (path, init) => {
  const response = await fetch(url + path, init);
  return `${response.status} ${await response.text()}`;
};

await test("100 requests that sleep, at once", async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(`/slept?ms=${10 + i}`)));
  answers.forEach((answer, i) => equal(answer.startsWith("200 ") && Number(answer.slice(4)) >= 1000 * (10 + i), true, answer));
});
await test("a body streams both ways", async () => {
  const body = "s".repeat(500000);
  equal(await ask("/echo", { method: "POST", body }), "200 " + body);
});
await test("a failure is a 500, a trap a 503, and the next request is served", async () => {
  equal(await ask("/fail"), "500 Internal Server Error\n");
  equal(await ask("/trap"), "503 Service Unavailable\n");
  equal(await ask("/hello"), "200 hello");
});
await (server.shutdown?.() ?? server.stop(true));
finish();
