// The bindings' contracts in workerd with miniflare's KV, R2 and queues:  node miniflare_test.mjs BINDINGS_PROBE.wasm

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { equal, finish, test, that } from "../check.mjs";
import { root } from "../hosts.mjs";

const require = createRequire(path.join(root, "tests/npm/package.json"));
const { Miniflare } = createRequire(require.resolve("wrangler/package.json"))("miniflare");

const glue = ["cache", "durable_object", "escapement", "host_fetch", "hosts", "runtime", "host_operation", "kv", "namespaces", "packed", "queues",
  "r2", "storage"];
const miniflare = new Miniflare({
  modules: [
    {
      type: "ESModule",
      path: "main.mjs",
      contents: `import { cache } from "./cache.mjs";
import { bindings as objects, durableObject } from "./durable_object.mjs";
import { run } from "./escapement.mjs";
import { kv } from "./kv.mjs";
import { namespaces } from "./namespaces.mjs";
import { queues } from "./queues.mjs";
import { r2 } from "./r2.mjs";
import module from "./probe.wasm";
const bindings = [cache, kv, namespaces, queues, r2, ...objects];
export default {
  async fetch(request, env, ctx) {
    const [, task, name] = new URL(request.url).pathname.split("/");
    return new Response(await run(module, task, name, { bindings, env, ctx }).catch((error) => error.message));
  },
  async queue(batch, env) {
    for (const { body } of batch.messages) {
      await env.RECEIVED.put(typeof body === "string" ? body : "bytes " + new Uint8Array(body).join(), String(Date.now()));
    }
  },
};
`,
    },
    ...glue.map((name) => ({ type: "ESModule", path: name + ".mjs", contents: fs.readFileSync(path.join(root, "wasm_glue", name + ".mjs"), "utf8") })),
    { type: "CompiledWasm", path: "probe.wasm", contents: fs.readFileSync(process.argv[2]) },
  ],
  compatibilityDate: "2025-10-01",
  kvNamespaces: ["STORE", "RECEIVED"],
  r2Buckets: ["FILES"],
  queueProducers: { JOBS: "jobs" },
  queueConsumers: { jobs: { maxBatchTimeout: 0.1 } },
});
const ask = async (target) => (await miniflare.dispatchFetch("http://worker" + target)).text();

await test("KV keeps its contract", async () => equal(await ask("/kv_contract/STORE"), ""));
await test("R2 keeps its contract", async () => equal(await ask("/object_store_contract/FILES"), ""));
await test("bindings that the Worker lacks", async () => {
  equal(await ask("/kv_contract/NONE"), "invalid_argument: the Worker has no KV namespace NONE");
  equal(await ask("/object_store_contract/NONE"), "invalid_argument: the Worker has no R2 bucket NONE");
  equal(await ask("/send/NONE"), "invalid_argument: the Worker has no queue NONE");
});
await test("a queue delivers text and bytes, after the delay", async () => {
  const began = Date.now();
  that((await ask("/send/JOBS")).startsWith("invalid_argument: "), "what is refused");
  const received = await miniflare.getKVNamespace("RECEIVED");
  let names = [];
  for (let i = 0; i < 200 && names.length < 2; ++i) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    names = (await received.list()).keys.map(({ name }) => name);
  }
  equal(names.sort().join("; "), "bytes 255,0,98,121,116,101,115; text");
  that(Number(await received.get("text")) >= began + 1500, "the delay");
});

await miniflare.dispose();
finish();
