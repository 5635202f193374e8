// The glue in workerd:  node workerd_test.mjs PROBE.wasm

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import zlib from "node:zlib";
import { startSlowOrigin, testBodies } from "./bodies.mjs";
import { equal, finish, test, that } from "./check.mjs";
import { root, startWorkerd } from "./hosts.mjs";
import { startStreamOrigin, testStreams } from "./streams.mjs";

const source = `import { worker } from "./escapement.mjs";
import module from "./probe.wasm";
let live = 0, most = 0;
let contexts = 0, memory;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (...all) {
  const { exports } = new Instance(...all);
  memory = exports.memory;
  contexts = 0; // those of an instance that trapped are gone with it
  const esc_open = (now) => (++contexts, exports.esc_open(now));
  const esc_close = (context) => (--contexts, exports.esc_close(context));
  return { exports: { ...exports, esc_open, esc_close } };
};
const inner = worker(module, {
  setTimeout: (call, delay) => { most = Math.max(most, ++live); return setTimeout(() => { --live; call(); }, delay); },
  clearTimeout: (timer) => { --live; clearTimeout(timer); },
});
export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/timers") {
      const text = live + " " + most;
      most = live;
      return new Response(text);
    }
    if (new URL(request.url).pathname === "/contexts") return new Response(contexts + " " + memory.buffer.byteLength);
    return inner.fetch(request, env, ctx);
  },
};
`;
const workerd = await startWorkerd({
  "worker.mjs": source,
  "escapement.mjs": fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs")),
  "probe.wasm": fs.readFileSync(process.argv[2]),
});
let notes = 0;
const backend = http.createServer((request, response) => {
  if (request.url === "/note") ++notes;
  if (request.url === "/cookies") response.setHeader("set-cookie", ["a=1, b", "c=2"]);
  response.end("hello " + new URL(request.url, "http://x").searchParams.get("name"));
});
await new Promise((resolve) => backend.listen(0, "127.0.0.1", resolve));
const backendUrl = `http://127.0.0.1:${backend.address().port}`;
const ask = async (target, options) => {
  const response = await fetch(workerd.url + target, options);
  return `${response.status} ${await response.text()}`;
};

await test("sleeps are never early", async () => {
  for (let i = 0; i < 100; ++i) {
    const [status, inside] = (await ask("/slept?ms=5")).split(" ");
    that(status === "200" && Number(inside) >= 5000, `took ${inside}`);
  }
});

await test("200 requests at once, each sleeping, fetching and sleeping: 200 of 200 right", async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => ask(`/sfs?ms=${10 + i}&backend=${encodeURIComponent(backendUrl)}`)),
  );
  const right = answers.filter((answer, i) => answer === `200 200 hello ${10 + i}`).length;
  equal(right, 200, "right answers");
});

await test("50,000 sleeps in one request, at most one host timer", async () => {
  await ask("/timers");
  equal(await ask("/many?n=50000"), "200 50000");
  const [, live, most] = (await ask("/timers")).split(" ");
  that(Number(most) <= 1, `${most} timers at once`);
  equal(live, "0", "timers left");
});

await test("a failed handler is a 500, a trap a 503, and the next request is served", async () => {
  equal(await ask("/fail"), "500 Internal Server Error\n");
  equal(await ask("/trap"), "503 Service Unavailable\n");
  equal(await ask("/env"), "200 from env");
});

await test("2,000 requests that would wait for ever fail at once and leave nothing", async () => {
  const hundred = () => Promise.all(Array.from({ length: 100 }, () => ask("/forever")));
  await hundred();
  const before = await ask("/contexts");
  that(before.startsWith("200 0 "), before);
  for (let i = 0; i < 20; ++i) that((await hundred()).every((answer) => answer.startsWith("500 ")), "an answer");
  equal(await ask("/contexts"), before);
});

await test("requests whose clients leave end with their work and leave nothing", async () => {
  const leave = async (target) => ask(target, { signal: AbortSignal.timeout(30) }).catch(() => {});
  const left = ["/slept?ms=200", `/sfs?ms=100&backend=${encodeURIComponent(backendUrl)}`, "/breaking?status=200&ms=200"];
  await Promise.all(Array.from({ length: 200 }, (_, i) => leave(left[i % left.length])));
  let now;
  for (let i = 0; i < 100 && !(now = await ask("/contexts")).startsWith("200 0 "); ++i) await new Promise((resolve) => setTimeout(resolve, 50));
  that(now.startsWith("200 0 "), now);
});

// Responses in each coding, "zstd" as a frame that is stored: not every Node can make one.
const plainText = "encoded once, and passed on ".repeat(200);
const codings = {
  gzip: zlib.gzipSync(plainText),
  br: zlib.brotliCompressSync(plainText),
};
const stored = Buffer.from(plainText);
{
  const header = Buffer.alloc(3);
  header.writeUIntLE((stored.length << 3) | 1, 0, 3); // the last block, raw
  const size = Buffer.alloc(4);
  size.writeUInt32LE(stored.length);
  codings.zstd = Buffer.concat([Buffer.from("28b52ffda0", "hex"), size, header, stored]);
}
const coded = http.createServer((request, response) => {
  const coding = request.url.slice(1);
  response.writeHead(200, { "content-encoding": coding, "content-type": "text/plain", "content-length": codings[coding].length }).end(codings[coding]);
});
await new Promise((resolve) => coded.listen(0, "127.0.0.1", resolve));

// The fields and the bytes as they are on the wire.
const raw = (target) =>
  new Promise((resolve, reject) => {
    http.get(workerd.url + target, { headers: { "accept-encoding": "gzip, br, zstd" } }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }));
      response.on("error", reject);
    }).on("error", reject);
  });
const decode = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: (bytes) => bytes.subarray(bytes.length - stored.length),
  none: (bytes) => bytes,
};

await test("an encoded body that is passed on is encoded once, whether C++ looks at it or not", async () => {
  for (const coding of Object.keys(codings)) {
    // "pumped" passes on what C++ has read, without the fields: workerd has decoded that, but no zstd.
    for (const way of coding === "zstd" ? ["relay", "timed"] : ["relay", "timed", "pumped"]) {
      const { status, headers, body } = await raw(`/${way}?url=${encodeURIComponent(`http://127.0.0.1:${coded.address().port}/${coding}`)}`);
      const came = headers["content-encoding"] ?? "none";
      equal(status, 200);
      that(came === coding || came === "none", `${way} ${coding}: ${came}`);
      equal(decode[came](body).toString(), plainText, `${way} ${coding} as ${came}`);
      if (coding === "zstd") that(body.equals(codings.zstd) && came === "zstd", "not a byte is changed");
      if (headers["content-length"]) equal(Number(headers["content-length"]), body.length, "its length");
    }
  }
});
coded.close();

await test("cookies stay apart", async () => {
  equal(await ask("/cookies?url=" + encodeURIComponent(backendUrl + "/cookies")), "200 a=1, b;c=2;");
});

await test("what a host refuses to send fails one request", async () => {
  equal(await ask("/odd-status?status=204"), "204 ");
  equal(await ask("/odd-status?status=700"), "500 Internal Server Error\n");
  that((await ask("/odd-field")).match(/^(500|200) /), "a field that the host may refuse");
  equal(await ask("/env"), "200 from env");
});

await test("bodies stream both ways", async () => {
  const body = "s".repeat(500000);
  equal(await ask("/echo", { method: "POST", body }), "200 " + body);
});

await test("a task that outlives the response is waited for", async () => {
  equal(await ask("/outlive?url=" + encodeURIComponent(backendUrl + "/note")), "200 sent");
  for (let i = 0; i < 100 && !notes; ++i) await new Promise((resolve) => setTimeout(resolve, 20));
  equal(notes, 1, "notes");
});

const slow = await startSlowOrigin();
await testBodies(ask, slow.url);
slow.stop();
const streams = await startStreamOrigin();
await testStreams((target, init) => fetch(workerd.url + target, init), streams);
streams.stop();

workerd.stop();
backend.close();
finish();
