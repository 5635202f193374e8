// D1, the Cache API, service bindings, request.cf and JSON variables in workerd, with miniflare's implementations:
//   node platform_test.mjs PLATFORM_PROBE.wasm

import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { createRequire } from "node:module";
import { equal, finish, test, that } from "../check.mjs";
import { root } from "../hosts.mjs";

const require = createRequire(path.join(root, "tests/npm/package.json"));
const { Miniflare, Response } = createRequire(require.resolve("wrangler/package.json"))("miniflare");

const glue = ["cache", "cf", "d1", "escapement", "host_fetch", "hosts", "runtime", "host_operation", "json", "packed", "service"];
let calls = 0;
const miniflare = new Miniflare({
  modules: [
    {
      type: "ESModule",
      path: "main.mjs",
      contents: `import { cache } from "./cache.mjs";
import { cf } from "./cf.mjs";
import { d1 } from "./d1.mjs";
import { run, worker } from "./escapement.mjs";
import { json } from "./json.mjs";
import { service } from "./service.mjs";
import module from "./probe.wasm";
const bindings = [cache, cf, d1, json, service];
const inner = worker(module, { bindings });
export default {
  async fetch(request, env, ctx) {
    const [, task, name] = new URL(request.url).pathname.split("/");
    if (task === "worker") return inner.fetch(request, env, ctx);
    return new Response(await run(module, task, name, { bindings, env, ctx }).catch((error) => error.message));
  },
};
`,
    },
    ...glue.map((name) => ({ type: "ESModule", path: name + ".mjs", contents: fs.readFileSync(path.join(root, "wasm_glue", name + ".mjs"), "utf8") })),
    { type: "CompiledWasm", path: "probe.wasm", contents: fs.readFileSync(process.argv[2]) },
  ],
  compatibilityDate: "2025-10-01",
  d1Databases: ["PEOPLE"],
  bindings: {
    DOCUMENT: JSON.parse('{"limits": {"max": 5, "a/b~c": -1.5e1, "on": true}, "names": ["a", "b\\n\\u00e4\\ud83d\\ude00"], "none": null}'),
    TEXT: "a \"text\"",
    NUMBER: 17,
  },
  async outboundService(request) {
    return new Response(`${request.method} ${request.url} ${request.headers.get("x-own")} ${await request.text()} ${JSON.stringify(request.cf)}`);
  },
  serviceBindings: {
    async OTHER(request) {
      ++calls;
      const url = new URL(request.url);
      if (url.pathname === "/large") return new Response("x".repeat(1024 * 1024));
      if (url.searchParams.get("q") === "again" && calls < 3) return new Response("later", { status: 503 });
      if (url.searchParams.get("q") === "slow") await new Promise((resolve) => setTimeout(resolve, 3000));
      const body = await request.text();
      return new Response(`${request.method} ${request.url} ${request.headers.get("x-own")} ${body}`, { status: 201, headers: { "x-back": "it" } });
    },
  },
});
const fetch = (target, init) => miniflare.dispatchFetch("http://worker" + target, init);
const ask = async (target, init) => (await fetch(target, init)).text();

await test("D1 keeps its contract", async () => equal(await ask("/sql_contract/PEOPLE"), ""));
await test("the default cache and a named one keep their contract", async () => {
  equal(await ask("/cache_contract/"), "");
  equal(await ask("/cache_contract/pages"), "");
});
await test("the layer Cache on the Cache API keeps the contract of its stores", async () => {
  equal(await ask("/cache_store_contract/"), "");
  equal(await ask("/cache_store_contract/layer"), "");
});
await test("JSON variables keep their contract", async () => {
  equal(await ask("/json_contract/DOCUMENT"), "");
  equal(await ask("/json_at/TEXT"), '"a \\"text\\""');
  equal(await ask("/json_at/NUMBER"), "17");
  equal(await ask("/json_at/NONE"), "nothing");
  equal(await ask("/json_at/PEOPLE"), "nothing", "a binding");
});
await test("bindings that the Worker lacks", async () => {
  equal(await ask("/sql_contract/NONE"), "invalid_argument: the Worker has no D1 database NONE");
  equal(await ask("/worker/call?name=NONE"), "invalid_argument: fetch failed: the Worker has no service NONE");
  equal(await ask("/worker/call?name=PEOPLE").then((text) => text.split(":")[0]), "invalid_argument");
});
await test("request.cf", async () => {
  const cf = { colo: "FRA", country: "DE", asn: 64500, latitude: "52.52", botManagement: { score: 30 } };
  equal(await ask("/worker/cf", { cf }), 'FRA DE 64500 5252 {"score":30} -');
});
await test("cf of a fetch", async () => {
  const properties = '{"cacheEverything":true,"cacheTtl":90,"cacheKey":"a \\"key\\"","resolveOverride":"other.example"'; // miniflare adds some
  const got = await ask("/worker/fetch_cf");
  that(got.startsWith(`GET http://origin.example/cf sent  ${properties}`), got);
  const posted = await ask("/worker/fetch_cf", { method: "POST", body: "content" });
  that(posted.startsWith(`POST http://origin.example/cf sent content ${properties}`), posted);
  that((await ask("/worker/fetch_cf?broken=1")).startsWith("invalid_argument: fetch failed: "), "what is no JSON");
});
await test("a service binding under Timeout and Retry, with a body", async () => {
  const response = await fetch("/worker/call?name=OTHER&q=1", { method: "POST", body: "content" });
  equal(response.status, 201);
  equal(response.headers.get("x-back"), "it");
  equal(await response.text(), "POST http://other.example/path?q=1 sent content");
  calls = 0;
  equal(await ask("/worker/call?name=OTHER&q=again"), "GET http://other.example/path?q=again sent ");
  equal(calls, 3);
  that((await ask("/worker/call?name=OTHER&q=slow")).startsWith("timed_out: "), "a slow one");
});
await test("large bodies go into the cache and out of it as streams", async () => {
  for (const touch of [0, 1]) {
    equal(await ask("/worker/cached?touch=" + touch), "kept");
    const response = await fetch("/worker/cached?touch=" + touch);
    equal(response.headers.get("cf-cache-status"), "HIT");
    equal((await response.text()).length, 1024 * 1024);
  }
});

await test("a body that is encoded is not encoded again, in the cache or behind it", async () => {
  const response = await fetch("/worker/coded", { method: "POST", body: gzipSync("encoded once") });
  equal(await response.text(), "encoded once");
});

await miniflare.dispose();
finish();
