// The glue in a Worker of Chromium:  node chromium_test.mjs PROBE.wasm

import fs from "node:fs";
import path from "node:path";
import { equal, finish, test, that } from "./check.mjs";
import { root, runInChromium } from "./hosts.mjs";

const source = `import { load, run } from "/escapement.mjs";
onmessage = async () => {
  const module = await load(fetch("/probe.wasm"));
  const result = { early: [], ones: [] };
  for (let i = 0; i < 100; ++i) {
    const ms = 1 + (i % 20);
    const inside = Number(await run(module, "slept", String(ms)));
    if (inside < ms * 1000) result.early.push([ms, inside]);
    if (ms === 1) result.ones.push(inside);
  }
  let live = 0, most = 0;
  await run(module, "many", "50000", {
    setTimeout: (call, delay) => { most = Math.max(most, ++live); return setTimeout(() => { --live; call(); }, delay); },
    clearTimeout: (timer) => { --live; clearTimeout(timer); },
  });
  result.most = most;
  result.fetched = await run(module, "fetched", location.origin + "/");
  result.refused = await run(module, "fetched", "http://127.0.0.1:1/").catch((error) => error.message);
  postMessage(result);
};
`;
const files = {
  "/escapement.mjs": fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs"), "utf8"),
  "/probe.wasm": fs.readFileSync(process.argv[2]),
};
const result = await runInChromium(source, files, null);

await test("sleeps are never early", () => equal(JSON.stringify(result.early), "[]"));
await test("50,000 sleeps at once, at most one host timer", () => that(result.most <= 1, `${result.most} timers`));
await test("fetch works", () => equal(result.fetched, "200 <!doctype html><title>escapement</title>"));
await test("a refused connection is an error", () => that(result.refused.startsWith("reset: fetch failed"), result.refused));
await test("1 ms sleeps escape the clamp of 4 ms", () => {
  const median = result.ones.sort((a, b) => a - b)[result.ones.length >> 1];
  that(median < 4000, `median ${median} us`);
});
finish();
