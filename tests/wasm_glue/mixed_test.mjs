// Many requests at once in workerd, of all kinds, twice; also under a clock that stands still while code runs, as
// Cloudflare's does; and 60 fetches of 50 ms under a cap of six, with 200 ms for each attempt.
//   node mixed_test.mjs PROBE.wasm [REQUESTS]

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { equal, finish, test, that } from "./check.mjs";
import { root, startWorkerd } from "./hosts.mjs";

const requests = Number(process.argv[3] ?? 2000);
const origin = http.createServer((request, response) => {
  const url = new URL(request.url, "http://origin");
  setTimeout(() => response.end("hello " + (url.searchParams.get("name") ?? "you")), Number(url.searchParams.get("ms") ?? 0));
});
await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
const backend = `http://127.0.0.1:${origin.address().port}`;

// `frozen`: the clock moves when the host calls: a request, a timer, a response; not in between.
const source = `import { worker } from "./escapement.mjs";
import module from "./probe.wasm";
let clock = 0;
const tick = () => (clock = Math.max(clock, performance.now()));
const frozen = worker(module, {
  now: () => clock,
  setTimeout: (call, delay) => setTimeout(() => (tick(), call()), delay),
  clearTimeout: (timer) => clearTimeout(timer),
  fetch: (...all) => fetch(...all).finally(tick),
});
const moving = worker(module);
export default {
  fetch(request, env, ctx) {
    tick();
    return (request.headers.has("x-frozen") ? frozen : moving).fetch(request, env, ctx);
  },
};
`;
const workerd = await startWorkerd({
  "worker.mjs": source,
  "escapement.mjs": fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs")),
  "probe.wasm": fs.readFileSync(process.argv[2]),
});

const to = encodeURIComponent;
const kinds = [
  (i) => ["/hello", {}, "200 hello"],
  (i) => [`/slept?ms=${1 + (i % 50)}`, {}, new RegExp("^200 \\d+$")],
  (i) => [`/sfs?ms=${1 + (i % 40)}&backend=${to(backend)}`, {}, `200 200 hello ${1 + (i % 40)}`],
  (i) => ["/echo", { method: "POST", body: String(i).repeat(2000) }, "200 " + String(i).repeat(2000)],
  (i) => [`/relay?url=${to(`${backend}/?name=${i}&ms=${i % 30}`)}`, {}, `200 hello ${i}`],
  (i) => ["/fail", {}, "500 Internal Server Error\n"],
  (i) => ["/many?n=1000", {}, "200 1000"], // sleeps
];

for (const headers of [{}, { "x-frozen": "1" }]) {
  for (const round of [1, 2]) {
    await test(`${requests} mixed requests at once, round ${round}${headers["x-frozen"] ? ", under a frozen clock" : ""}`, async () => {
      const wrong = [];
      const one = async (i) => {
        const [target, init, expected] = kinds[i % kinds.length](i);
        const response = await fetch(workerd.url + target, { ...init, headers });
        const answer = `${response.status} ${await response.text()}`;
        const early = target.startsWith("/slept") && Number(answer.slice(4)) < 1000 * (1 + (i % 50));
        if (early || !(expected.test?.(answer) ?? answer === expected)) wrong.push(`${target}: ${answer.slice(0, 80)}`);
      };
      await Promise.all(Array.from({ length: requests }, (_, i) => one(i)));
      equal(wrong.length, 0, `wrong, such as ${wrong[0]}`);
    });
  }
  await test(`60 fetches of 50 ms at once, six at a time, all keep 200 ms${headers["x-frozen"] ? ", under a frozen clock" : ""}`, async () => {
    const response = await fetch(`${workerd.url}/parallel?n=60&url=${to(backend + "/?ms=50")}`, { headers });
    equal(await response.text(), "60");
  });
}
const last = await fetch(workerd.url + "/hello");
that((await last.text()) === "hello", "the next one");

workerd.stop();
origin.close();
finish();
